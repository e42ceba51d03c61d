import { MAX_HEAD_BYTES } from '../http/message.ts'
import { CR, LF } from '../http/octets.ts'
import { ByteStore } from '../runtime/byte-store.ts'

const EMPTY_LINE = '\r\n\r\n'
const BEGINNING_BYTES = 8

/** A first look at this many bytes finds the end of nearly every head. */
const FIRST_LOOK_BYTES = 4_096

/** Empty lines that a sloppy client may send ahead of its request line (RFC 9112 section 2.2), in bytes. */
const MAX_LEADING_EMPTY_BYTES = 16

export type HeadState = 'incomplete' | 'whole' | 'too-large' | 'bare-line-feed'

/**
 * Collects the bytes of a head until its empty line is there, as latin-1 text: one character is one byte. Usually it comes in
 * one read and is found at the first look; otherwise only what is new is searched, so that a head sent byte by byte costs
 * no more than its length, in time and in memory.
 */
export class HeadReader {
  state: HeadState = 'incomplete'
  /** Once the state says that it has come to an end: starts with the head, may go on beyond it. */
  text = ''

  /** The first characters of a head that is not whole yet. */
  beginning = ''

  readonly #kept = new ByteStore()
  /** The last bytes of what is kept: an empty line may have begun there. */
  #tail = ''
  #skipped = 0

  /** Whether a byte of the head has come. */
  get hasBegun(): boolean {
    return this.#kept.length > 0
  }

  reset(): void {
    this.state = 'incomplete'
    this.text = ''
    this.#kept.clear()
    this.beginning = ''
    this.#tail = ''
    this.#skipped = 0
  }

  /** Takes the head's part of `buffer[start..end)`; returns where it ends. Look at `state` then. */
  read(buffer: Buffer, start: number, end: number): number {
    if (this.#kept.length > 0) return this.#readOn(buffer, start, end)
    let text = buffer.toString('latin1', start, Math.min(end, start + FIRST_LOOK_BYTES))
    let emptyLine = text.indexOf(EMPTY_LINE)
    if (emptyLine === -1 && end - start > FIRST_LOOK_BYTES) {
      text = buffer.toString('latin1', start, Math.min(end, start + MAX_HEAD_BYTES + 1))
      emptyLine = text.indexOf(EMPTY_LINE)
    }
    if (emptyLine === -1) return this.#keep(buffer, start, end, text)
    return this.#end(text, emptyLine + EMPTY_LINE.length, start + emptyLine + EMPTY_LINE.length)
  }

  #readOn(buffer: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + MAX_HEAD_BYTES + 1 - this.#kept.length)
    const piece = buffer.toString('latin1', start, stop)
    const emptyLine = (this.#tail + piece).indexOf(EMPTY_LINE)
    if (emptyLine === -1) return this.#keep(buffer, start, end, piece)
    const headEnd = start + emptyLine - this.#tail.length + EMPTY_LINE.length
    this.#kept.add(buffer, start, headEnd)
    const length = this.#kept.length
    return this.#end(this.#kept.take().toString('latin1'), length, headEnd)
  }

  #end(text: string, length: number, consumed: number): number {
    this.text = text
    this.state = length > MAX_HEAD_BYTES ? 'too-large' : 'whole'
    return consumed
  }

  #keep(buffer: Buffer, start: number, end: number, piece: string): number {
    this.#kept.add(buffer, start, start + piece.length)
    if (this.beginning.length < BEGINNING_BYTES) this.beginning += piece.slice(0, BEGINNING_BYTES)
    const known = this.#tail + piece
    if (this.#kept.length > MAX_HEAD_BYTES) this.state = 'too-large'
    else if (hasBareLineFeed(known, this.#tail.length)) this.state = 'bare-line-feed'
    this.#tail = known.slice(-(EMPTY_LINE.length - 1))
    if (this.state !== 'incomplete') this.text = this.partial()
    return end
  }

  /** What has come of a head that is not whole. */
  partial(): string {
    return this.#kept.take().toString('latin1')
  }

  /** Skips the empty lines before a request line; returns where it may begin, or -1 if there are too many. */
  skipEmptyLines(buffer: Buffer, start: number, end: number): number {
    if (this.#kept.length > 0) return start
    let at = start
    while (at < end && isEmptyLineOctet(buffer[at]!, this.#skipped)) {
      at++
      if (++this.#skipped > MAX_LEADING_EMPTY_BYTES) return -1
    }
    // Half an empty line is none.
    if (at < end && this.#skipped % 2 === 1) return -1
    return at
  }
}

function isEmptyLineOctet(octet: number, index: number): boolean {
  return octet === (index % 2 === 0 ? CR : LF)
}

/** A line end that is not CRLF: such a head would have to wait for its end until it times out. */
function hasBareLineFeed(text: string, from: number): boolean {
  for (let at = text.indexOf('\n', from); at !== -1; at = text.indexOf('\n', at + 1)) {
    if (at === 0 || text.charCodeAt(at - 1) !== CR) return true
  }
  return false
}
