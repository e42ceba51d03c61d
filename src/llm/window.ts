/**
 * What is kept of a content that passes: its first 2 KiB and its last 8 KiB. Measured on recorded answers, usage ends at most 3.2 KB
 * before the end of a stream, and within 951 bytes of one end of any other answer.
 */

export const HEAD_BYTES = 2_048
export const TAIL_BYTES = 8_192
const WINDOW_BYTES = HEAD_BYTES + TAIL_BYTES

/** So many idle ones are kept for the next exchanges of the thread: 2.5 MiB. */
const MAX_SPARE = 256
const spare: Buffer[] = []

/** A tail that has wrapped is put in order here; who reads it does so before the next one is. */
const inOrder = Buffer.allocUnsafeSlow(TAIL_BYTES)

/** What is kept, to be read at once. Where `isCut`, octets are missing between the two; else `head` is all there was. */
export interface Kept {
  readonly head: Buffer
  readonly tail: Buffer
  readonly isCut: boolean
}

const NOTHING = Buffer.alloc(0)

/**
 * The head, and behind it the tail as a ring: as long as all of it fits, the buffer simply is the content.
 */
export class Window {
  /** Octets that have passed. */
  total = 0
  #buffer: Buffer | undefined
  #isReleased = false

  /** Copies what counts of `bytes[start..end)`; allocates nothing but for the first octet. */
  add(bytes: Buffer, start = 0, end: number = bytes.length): void {
    const length = end - start
    if (this.#isReleased || length === 0) {
      this.total += length
      return
    }
    const buffer = (this.#buffer ??= spare.pop() ?? Buffer.allocUnsafeSlow(WINDOW_BYTES))
    let from = start
    if (this.total < HEAD_BYTES) {
      from += Math.min(length, HEAD_BYTES - this.total)
      bytes.copy(buffer, this.total, start, from)
      this.total += from - start
      if (from === end) return
    }
    this.total += end - from
    if (end - from > TAIL_BYTES) from = end - TAIL_BYTES
    // Where the octet `bytes[from]` belongs in the ring.
    const at = (this.total - (end - from) - HEAD_BYTES) % TAIL_BYTES
    const straight = Math.min(end - from, TAIL_BYTES - at)
    bytes.copy(buffer, HEAD_BYTES + at, from, from + straight)
    if (from + straight < end) bytes.copy(buffer, HEAD_BYTES, from + straight, end)
  }

  /** Valid until the next octet, and until another window is read. */
  read(): Kept {
    const buffer = this.#buffer
    if (buffer === undefined) return { head: NOTHING, tail: NOTHING, isCut: false }
    if (this.total <= WINDOW_BYTES) return { head: buffer.subarray(0, this.total), tail: NOTHING, isCut: false }
    const seam = HEAD_BYTES + ((this.total - HEAD_BYTES) % TAIL_BYTES)
    buffer.copy(inOrder, 0, seam, WINDOW_BYTES)
    buffer.copy(inOrder, WINDOW_BYTES - seam, HEAD_BYTES, seam)
    return { head: buffer.subarray(0, HEAD_BYTES), tail: inOrder, isCut: true }
  }

  /** The next octet is the first one again. */
  clear(): void {
    this.total = 0
  }

  /** Gives the memory back. What comes later is counted, and not kept. */
  release(): void {
    this.#isReleased = true
    if (this.#buffer !== undefined && spare.length < MAX_SPARE) spare.push(this.#buffer)
    this.#buffer = undefined
  }
}
