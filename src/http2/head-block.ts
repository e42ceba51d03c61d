import type { OwnAnswer } from '../http/downstream.ts'
import { isBlank } from '../http/lines.ts'
import type { ResponseHead } from '../http/message.ts'
import { encodeResponseHead } from '../http1/encoder.ts'
import { HpackEncoder } from './hpack-encoder.ts'

/** Heads that go out, as header blocks: names in lower case, nothing that is meant for an HTTP/1 connection, no reason phrase. */

/** One for all: a block is copied to where it goes before the next one is made. */
export const encoder = new HpackEncoder()

/** A block is valid until the next one is made. */
export function responseBlock(head: ResponseHead): Buffer {
  const text = head.repeated?.text() ?? encodeResponseHead(head, false)
  encoder.begin()
  encoder.status(head.status)
  addLines(text, text.indexOf('\n') + 1, head.isHttp2 === true, false)
  return encoder.block
}

export function answerBlock({ status, fields, content }: OwnAnswer): Buffer {
  encoder.begin()
  encoder.status(status)
  for (const [name, value] of fields) encoder.field(name.toLowerCase(), value)
  if (status !== 204) encoder.field('content-length', `${content.length}`)
  return encoder.block
}

/** `lines`: a trailer section without its empty line. Undefined: there is nothing in it that may go on. */
export function trailerBlock(lines: string): Buffer | undefined {
  if (lines === '') return undefined
  encoder.begin()
  addLines(lines, 0, false, false)
  return encoder.block
}

/** Written so, it is a length that HTTP/1 needs and a head from HTTP/2 had not: see requestText. */
const HTTP1_LENGTH = 'Content-Length'

/** Whole lines, up to an empty one or the end. `isFromHttp2`: what HTTP/1 alone needs is left out. `isRequest`: so is the host. */
export function addLines(text: string, from: number, isFromHttp2: boolean, isRequest: boolean): void {
  for (let at = from; at < text.length; ) {
    const end = text.indexOf('\r', at)
    if (end === at) return
    const colon = text.indexOf(':', at)
    const given = text.slice(at, colon)
    const name = lowerCase(given)
    let start = colon + 1
    let stop = end
    while (start < stop && isBlank(text.charCodeAt(start))) start++
    while (stop > start && isBlank(text.charCodeAt(stop - 1))) stop--
    at = end + 2
    if (name === 'transfer-encoding' || (isRequest && name === 'host')) continue
    if (isFromHttp2 && given === HTTP1_LENGTH) continue
    encoder.field(name, text.slice(start, stop))
  }
}

/** Names that have been met, so that the few which there are have to be converted once. */
const lowered = new Map<string, string>()
const MAX_LOWERED = 512

function lowerCase(name: string): string {
  const known = lowered.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  if (lowered.size < MAX_LOWERED && name.length <= 64) lowered.set(name, lower)
  return lower
}
