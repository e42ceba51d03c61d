import { isBlank } from '../http/lines.ts'
import { addLines, encoder } from './head-block.ts'

/** The request head that an upstream sees, as a header block. */
export interface RequestBlock {
  /** Valid until the next block is made. */
  readonly block: Buffer
  /** How its body comes: so many octets, or as chunks, or not at all. */
  readonly length: number | 'chunked'
}

/** `text`: the head as it would go to an HTTP/1 upstream, without anything that is meant for one connection. `isFromHttp2`: so it came. */
export function requestBlock(text: string, scheme: string, isFromHttp2: boolean): RequestBlock {
  const lineEnd = text.indexOf('\r')
  const methodEnd = text.indexOf(' ')
  const targetEnd = text.indexOf(' ', methodEnd + 1)
  encoder.begin()
  encoder.pseudo(':method', text.slice(0, methodEnd))
  encoder.pseudo(':scheme', scheme)
  encoder.field(':authority', firstValue(text, lineEnd + 2, 'host') ?? '')
  encoder.pseudo(':path', text.slice(methodEnd + 1, targetEnd))
  addLines(text, lineEnd + 2, isFromHttp2, true)
  const length = firstValue(text, lineEnd + 2, 'content-length')
  if (length !== undefined) return { block: encoder.block, length: Number(length) }
  const isChunked = firstValue(text, lineEnd + 2, 'transfer-encoding') !== undefined
  return { block: encoder.block, length: isChunked ? 'chunked' : 0 }
}

/** Of the first line with that name. */
function firstValue(text: string, from: number, name: string): string | undefined {
  for (let at = from; at < text.length; ) {
    const end = text.indexOf('\r', at)
    if (end === at) return undefined
    if (text.charCodeAt(at + name.length) === COLON && text.slice(at, at + name.length).toLowerCase() === name) {
      let start = at + name.length + 1
      let stop = end
      while (start < stop && isBlank(text.charCodeAt(start))) start++
      while (stop > start && isBlank(text.charCodeAt(stop - 1))) stop--
      return text.slice(start, stop)
    }
    at = end + 2
  }
  return undefined
}

const COLON = 0x3a
