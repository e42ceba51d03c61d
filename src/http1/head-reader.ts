import { MAX_HEAD_BYTES } from '../http/message.ts'
import { CR, LF } from '../http/octets.ts'
import { ByteStore } from '../runtime/byte-store.ts'
import { HeadWatch } from './head-watch.ts'

const EMPTY_LINE = '\r\n\r\n'
const BEGINNING_BYTES = 8

/** A first look at this many bytes finds the end of nearly every head. */
const FIRST_LOOK_BYTES = 4_096

/** So much of what stands behind a head may stay in its text. */
const MAX_BEYOND_BYTES = 512

/** Empty lines that a sloppy client may send ahead of its request line (RFC 9112 section 2.2), in bytes. */
const MAX_LEADING_EMPTY_BYTES = 16

export type HeadState = 'incomplete' | 'whole' | 'too-large' | 'broken'

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
  /** Of a head that comes in pieces. */
  #watch: HeadWatch | undefined = undefined
  #skipped = 0

  /** Whether a byte of the head has come. */
  get hasBegun(): boolean {
    return this.#kept.length > 0
  }

  /** Nothing has been read, no empty line either. */
  get isFresh(): boolean {
    return this.#kept.length === 0 && this.#skipped === 0
  }

  /** Where a broken head broke. */
  get brokenAt(): number {
    return this.#watch?.brokenAt ?? -1
  }

  /** Whether the start line of a head has come whole, and its end has not. */
  get hasStartLine(): boolean {
    return this.#watch?.hasStartLine === true
  }

  reset(): void {
    this.state = 'incomplete'
    this.text = ''
    this.#kept.clear()
    this.beginning = ''
    this.#skipped = 0
    this.#watch?.reset()
  }

  /** Takes the head's part of `buffer[start..end)`; returns where it ends. Look at `state` then. */
  read(buffer: Buffer, start: number, end: number): number {
    if (this.#kept.length > 0) return this.#readOn(buffer, start, end)
    const text = buffer.toString('latin1', start, Math.min(end, start + FIRST_LOOK_BYTES))
    const emptyLine = text.indexOf(EMPTY_LINE)
    if (emptyLine === -1) return this.#readOn(buffer, start, end)
    const length = emptyLine + EMPTY_LINE.length
    // What is kept of a head (a target, an id) is a part of this text and keeps all of it.
    this.text = text.length - length > MAX_BEYOND_BYTES ? buffer.toString('latin1', start, start + length) : text
    this.state = 'whole'
    return start + length
  }

  /** Nothing of many kilobytes becomes text before it is whole: it would be garbage by the megabyte. */
  #readOn(buffer: Buffer, start: number, end: number): number {
    const before = this.#kept.length
    const stop = Math.min(end, start + MAX_HEAD_BYTES + 1 - before)
    this.#kept.add(buffer, start, stop)
    const { bytes } = this.#kept
    // It may have begun in what came earlier.
    const emptyLine = bytes.indexOf(EMPTY_LINE, Math.max(0, before - EMPTY_LINE.length + 1), 'latin1')
    if (emptyLine === -1) return this.#lookAt(buffer, start, stop, end)
    const length = emptyLine + EMPTY_LINE.length
    this.text = bytes.toString('latin1', 0, length)
    this.state = length > MAX_HEAD_BYTES ? 'too-large' : 'whole'
    return start + length - before
  }

  #lookAt(buffer: Buffer, start: number, stop: number, end: number): number {
    if (this.beginning.length < BEGINNING_BYTES)
      this.beginning += buffer.toString('latin1', start, Math.min(stop, start + BEGINNING_BYTES))
    this.#watch ??= new HeadWatch()
    this.#watch.follow(buffer, start, stop)
    if (this.#kept.length > MAX_HEAD_BYTES) this.state = 'too-large'
    else if (this.brokenAt !== -1) this.state = 'broken'
    if (this.state !== 'incomplete') this.text = this.partial()
    return end
  }

  /** What has come of a head that is not whole. */
  partial(): string {
    return this.#kept.bytes.toString('latin1')
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
