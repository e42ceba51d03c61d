import { crc32 } from 'node:zlib'
import { type Document, documentOf, wholeDocument } from './document.ts'
import type { Documents } from './event-lines.ts'
import { parsed } from './json-text.ts'
import { memberOf } from './usage.ts'

/**
 * `application/vnd.amazon.eventstream`, in which Bedrock streams: frames of
 *
 *     total length, u32 │ length of headers, u32 │ CRC of these 8 octets │ headers │ payload │ CRC of all before, u32
 *
 * Payloads are JSON. A frame whose sums are wrong is none.
 */
const PRELUDE_BYTES = 12
const CRC_BYTES = 4
const MAX_FRAME_BYTES = 16_777_216 + PRELUDE_BYTES

const STRING = 7
/** Octets of the values of the other types of header; a byte array and a string say their own length. */
const FIXED: Readonly<Record<number, number>> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 }

/** The documents of the frames in `bytes[from..to)`, in their order. `isTail`: it may begin within a frame. */
export function readFrames(bytes: Buffer, from: number, to: number, isTail: boolean): Documents {
  const list: Document[] = []
  let at = isTail ? firstFrame(bytes, from, to) : from
  let isLastSound = from === to
  while (at + PRELUDE_BYTES <= to && hasPrelude(bytes, at)) {
    const end = at + bytes.readUInt32BE(at)
    if (end > to) break
    isLastSound = crc32(bytes.subarray(at, end - CRC_BYTES)) === bytes.readUInt32BE(end - CRC_BYTES)
    if (isLastSound) {
      const document = documentIn(bytes, at, end)
      if (document !== undefined) list.push(document)
    }
    at = end
  }
  return { list, isDone: false, isEnded: isLastSound && at === to }
}

/** Where a frame begins: the sum of its prelude is right by chance once in four thousand million. */
function firstFrame(bytes: Buffer, from: number, to: number): number {
  for (let at = from; at + PRELUDE_BYTES <= to; at++) if (bytes[at]! <= 1 && hasPrelude(bytes, at)) return at
  return to
}

function hasPrelude(bytes: Buffer, at: number): boolean {
  const total = bytes.readUInt32BE(at)
  const headers = bytes.readUInt32BE(at + 4)
  if (total > MAX_FRAME_BYTES || headers > total - PRELUDE_BYTES - CRC_BYTES) return false
  return crc32(bytes.subarray(at, at + 8)) === bytes.readUInt32BE(at + 8)
}

function documentIn(bytes: Buffer, at: number, end: number): Document | undefined {
  const from = at + PRELUDE_BYTES + bytes.readUInt32BE(at + 4)
  const headers = headersIn(bytes, at + PRELUDE_BYTES, from)
  const kind = headers.get(':message-type')
  if (kind === 'exception' || kind === 'error') return documentOf({ error: headers.get(':exception-type') ?? 'error' })
  if (headers.get(':event-type') !== 'chunk') return wholeDocument(bytes, from, end - CRC_BYTES)
  // What the model itself says is in base64 within the payload.
  const native = memberOf(parsed(bytes.toString('utf8', from, end - CRC_BYTES)), 'bytes')
  if (typeof native !== 'string') return undefined
  const decoded = Buffer.from(native, 'base64')
  return wholeDocument(decoded, 0, decoded.length)
}

function headersIn(bytes: Buffer, from: number, to: number): Map<string, string> {
  const headers = new Map<string, string>()
  let at = from
  while (at + 2 < to) {
    const nameEnd = at + 1 + bytes[at]!
    const name = bytes.toString('latin1', at + 1, nameEnd)
    const type = bytes[nameEnd]!
    at = nameEnd + 1
    if (type === STRING || type === 6) {
      if (at + 2 > to) break
      const end = at + 2 + bytes.readUInt16BE(at)
      if (end > to) break
      if (type === STRING) headers.set(name, bytes.toString('utf8', at + 2, end))
      at = end
    } else if (FIXED[type] === undefined) break
    else at += FIXED[type]
  }
  return headers
}
