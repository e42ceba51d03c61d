import { MAX_HEAD_BYTES } from '../http/message.ts'
import { CR, LF } from '../http/octets.ts'

/** A first look at this many bytes finds the end of nearly every head. */
const FIRST_LOOK_BYTES = 4_096

/** Empty lines that a sloppy client may send ahead of its request line (RFC 9112 section 2.2), in bytes. */
const MAX_LEADING_EMPTY_BYTES = 16

export type HeadState = 'incomplete' | 'whole' | 'too-large' | 'bare-line-feed'

/**
 * Collects the bytes of a head until its empty line is there, as latin-1 text: one character is one byte. Usually it comes in
 * one read and is found at the first look; otherwise only what is new is searched, so that a head sent byte by byte costs
 * no more than its length.
 */
export class HeadReader {
  state: HeadState = 'incomplete'
  /** Starts with the head; may go on beyond it. */
  text = ''

  /** Whether a byte of the head has come. */
  get hasBegun(): boolean {
    return this.text !== ''
  }

  #skipped = 0

  reset(): void {
    this.state = 'incomplete'
    this.text = ''
    this.#skipped = 0
  }

  /** Takes the head's part of `buffer[start..end)`; returns where it ends. Look at `state` then. */
  read(buffer: Buffer, start: number, end: number): number {
    if (this.text !== '') return this.#readOn(buffer, start, end)
    this.text = buffer.toString('latin1', start, Math.min(end, start + FIRST_LOOK_BYTES))
    let headEnd = this.text.indexOf('\r\n\r\n')
    if (headEnd === -1 && end - start > FIRST_LOOK_BYTES) {
      this.text = buffer.toString('latin1', start, Math.min(end, start + MAX_HEAD_BYTES + 1))
      headEnd = this.text.indexOf('\r\n\r\n')
    }
    return headEnd === -1 ? this.#judgeIncomplete(0, end) : this.#judgeWhole(headEnd + 4, start + headEnd + 4)
  }

  #readOn(buffer: Buffer, start: number, end: number): number {
    const known = this.text.length
    // The empty line may have begun in the last three bytes of what is there.
    const overlap = Math.min(3, known)
    const tail = this.text.slice(known - overlap)
    const piece = buffer.toString('latin1', start, Math.min(end, start + MAX_HEAD_BYTES + 1 - known))
    const at = (tail + piece).indexOf('\r\n\r\n')
    this.text += piece
    if (at === -1) return this.#judgeIncomplete(known, end)
    const headEnd = known - overlap + at + 4
    return this.#judgeWhole(headEnd, start + headEnd - known)
  }

  #judgeWhole(length: number, consumed: number): number {
    this.state = length > MAX_HEAD_BYTES ? 'too-large' : 'whole'
    return consumed
  }

  #judgeIncomplete(from: number, end: number): number {
    if (this.text.length > MAX_HEAD_BYTES) this.state = 'too-large'
    else if (hasBareLineFeed(this.text, from)) this.state = 'bare-line-feed'
    return end
  }

  /** Skips the empty lines before a request line; returns where it may begin, or -1 if there are too many. */
  skipEmptyLines(buffer: Buffer, start: number, end: number): number {
    if (this.text !== '') return start
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
