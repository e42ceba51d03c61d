import { type FieldLine, MAX_HEAD_BYTES } from '../http/message.ts'
import { CR, isFieldValueOctet, LF } from '../http/octets.ts'
import { viewOf } from '../runtime/read-buffers.ts'

/**
 * A head that has been judged, and the question whether the next one on its connection needs no other judgement: clients and
 * providers repeat theirs, but for the digits of a length, an id, a date. Bytes are compared and nothing is parsed, so what is not
 * the same in every octet that means anything is simply not recognised, and goes the long way.
 */

/** What may be different in a line. */
export const MAY_DIFFER = {
  /** Nothing. */
  nothing: 0,
  /** Nothing, and comparing it takes the same time wherever it differs: it holds a key, perhaps somebody else's. */
  secret: 1,
  /** Its value, as long as it is one: nobody reads it. */
  value: 2,
  /** Its value, which must be the digits of a length. */
  length: 3,
} as const
export type MayDiffer = (typeof MAY_DIFFER)[keyof typeof MAY_DIFFER]

/** Fifteen digits are never more than a double holds. */
const MAX_DIGITS = 15
const DIGIT_0 = 0x30

/** A head that is remembered stays with its idle connection, some four times: few are longer, and thousands of them would be memory. */
const MAX_REMEMBERED_BYTES = 8_192
const PLAIN_LENGTH = /^(?:0|[1-9][0-9]{0,14})$/

/** Whether a head of this length, which says this of its body's, can be told from its repetitions. */
export function isRepeatable(length: number, contentLengthText: string | undefined): boolean {
  // Of `007` it could not be told later how it was written.
  return length <= MAX_REMEMBERED_BYTES && (contentLengthText === undefined || PLAIN_LENGTH.test(contentLengthText))
}

export class HeadTemplate {
  /** How many lines it has, the start line and the empty one included. */
  readonly count: number
  /** Where each line begins, the empty line too, and behind it the end. */
  readonly starts: Int32Array
  readonly #view: DataView
  readonly #mayDiffer: Uint8Array
  /** Where the value begins: behind the colon, of a length behind the blanks as well. */
  readonly #values: Int32Array
  readonly #ownLength: number | undefined

  // ---- of the head that was matched last
  /** Where its lines begin in the buffer that it stands in; one more for its end. */
  readonly found: Int32Array
  /** The length that it says, where the template says one. */
  contentLength: number | undefined
  /** Lines whose value differs, of those that nobody reads: the first `differentCount` of them. */
  readonly different: Int32Array
  differentCount = 0

  /**
   * @param text the head in latin-1, its empty line included
   * @param contentLength what the head says of its body's length, if anything
   * @param lines those that the gateway has looked at
   * @param judge what may differ in a line that the gateway has looked at (`line`), or has not
   */
  constructor(
    text: string,
    contentLength: number | undefined,
    lines: readonly FieldLine[],
    judge: (line: FieldLine | undefined, start: number) => MayDiffer,
  ) {
    const bytes = Buffer.allocUnsafeSlow(text.length)
    bytes.write(text, 'latin1')
    const starts = lineStarts(bytes)
    this.#ownLength = this.contentLength = contentLength
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.starts = starts
    this.count = starts.length - 1
    this.found = new Int32Array(starts.length)
    this.different = new Int32Array(this.count)
    this.#mayDiffer = new Uint8Array(this.count)
    this.#values = new Int32Array(this.count)
    let next = 0
    for (let i = 1; i < this.count - 1; i++) {
      const start = starts[i]!
      const line = lines[next]?.start === start ? lines[next++] : undefined
      const mayDiffer = judge(line, start)
      this.#mayDiffer[i] = mayDiffer
      this.#values[i] = mayDiffer === MAY_DIFFER.length ? line!.valueStart : bytes.indexOf(':', start) + 1
    }
  }

  /** The line that begins there. */
  lineAt(start: number): number {
    return this.starts.indexOf(start)
  }

  /** Where the head that begins at `buffer[start]` ends, if it is whole before `end` and repeats this one; else -1. */
  match(buffer: Buffer, start: number, end: number): number {
    const { starts, found } = this
    const view = viewOf(buffer)
    this.differentCount = 0
    this.contentLength = this.#ownLength
    let at = start
    for (let i = 0; i < this.count; i++) {
      const from = starts[i]!
      const length = starts[i + 1]! - from
      found[i] = at
      if (at + length <= end && this.#isSameLine(i, from, view, at, length)) at += length
      else {
        at = this.#matchValue(i, buffer, view, at, end)
        if (at === -1) return -1
      }
    }
    found[this.count] = at
    return at - start <= MAX_HEAD_BYTES ? at : -1
  }

  #isSameLine(i: number, from: number, view: DataView, at: number, length: number): boolean {
    if (this.#mayDiffer[i] === MAY_DIFFER.secret) return differences(this.#view, from, view, at, length) === 0
    return isSame(this.#view, from, view, at, length)
  }

  /** A line with another value: where it ends, or -1. */
  #matchValue(i: number, buffer: Buffer, view: DataView, at: number, end: number): number {
    const mayDiffer = this.#mayDiffer[i]!
    const from = this.starts[i]!
    const length = this.#values[i]! - from
    if (mayDiffer < MAY_DIFFER.value || at + length > end || !isSame(this.#view, from, view, at, length)) return -1
    const valueEnd =
      mayDiffer === MAY_DIFFER.length
        ? this.#readLength(buffer, at + length, end)
        : skipFieldValue(buffer, at + length, end)
    if (valueEnd === -1 || valueEnd + 2 > end || buffer[valueEnd] !== CR || buffer[valueEnd + 1] !== LF) return -1
    if (mayDiffer === MAY_DIFFER.value) this.different[this.differentCount++] = i
    return valueEnd + 2
  }

  /** As everybody writes one: digits alone, the first of them no zero unless it is the only one. */
  #readLength(buffer: Buffer, start: number, end: number): number {
    let length = 0
    let at = start
    while (at < end && buffer[at]! - DIGIT_0 >= 0 && buffer[at]! - DIGIT_0 <= 9)
      length = length * 10 + buffer[at++]! - DIGIT_0
    const digits = at - start
    if (digits === 0 || digits > MAX_DIGITS || (digits > 1 && buffer[start] === DIGIT_0)) return -1
    this.contentLength = length
    return at
  }

  /** The value of a line of the head that was matched last, with the blanks around it. */
  valueOf(i: number, buffer: Buffer): string {
    const length = this.#values[i]! - this.starts[i]!
    return buffer.toString('latin1', this.found[i]! + length, this.found[i + 1]! - 2)
  }

  /** A whole line of it, without its line end. */
  lineOf(i: number, buffer: Buffer): string {
    return buffer.toString('latin1', this.found[i]!, this.found[i + 1]! - 2)
  }
}

function lineStarts(bytes: Buffer): Int32Array {
  const starts = [0]
  for (let at = bytes.indexOf(LF) + 1; at > 0; at = bytes.indexOf(LF, at) + 1) starts.push(at)
  return Int32Array.from(starts)
}

/** Four octets at a time: a third of the time (measured), for a few hundred octets twice a request. */
function isSame(a: DataView, atA: number, b: DataView, atB: number, length: number): boolean {
  let i = 0
  for (; i + 4 <= length; i += 4) if (a.getInt32(atA + i) !== b.getInt32(atB + i)) return false
  for (; i < length; i++) if (a.getUint8(atA + i) !== b.getUint8(atB + i)) return false
  return true
}

/** 0: none; it looks at every octet. */
function differences(a: DataView, atA: number, b: DataView, atB: number, length: number): number {
  let bits = 0
  let i = 0
  for (; i + 4 <= length; i += 4) bits |= a.getInt32(atA + i) ^ b.getInt32(atB + i)
  for (; i < length; i++) bits |= a.getUint8(atA + i) ^ b.getUint8(atB + i)
  return bits
}

function skipFieldValue(buffer: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && isFieldValueOctet(buffer[at]!)) at++
  return at
}
