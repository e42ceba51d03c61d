/** Flow control (RFC 9113 section 5.2). */

/** Of each stream and of the connection, until somebody says otherwise (RFC 9113 section 6.9.2). */
export const DEFAULT_WINDOW = 65_535
export const MAX_WINDOW = 0x7fffffff
/** What a stream gets beside that if its content is taken as fast as it comes: far away, a window is the limit of its speed. */
const WIDER_BYTES = 524_288
/** So much must have been taken before. */
const PROVEN_BYTES = 49_152

/**
 * What we have allowed the peer to send. What it has sent counts against that until it is given back: by the stream as soon as the
 * other side has taken it, so that no more of a body than this is ever held.
 */
export class ReceiveWindow {
  #bytes: number
  #left: number
  #proven = 0
  #wider = 0
  /** Taken and not given back. */
  #owed = 0

  constructor(bytes: number = DEFAULT_WINDOW) {
    this.#bytes = bytes
    this.#left = bytes
  }

  /** So much has come. False: more than was allowed. */
  take(bytes: number): boolean {
    this.#left -= bytes
    return this.#left >= 0
  }

  /** So much of it is not held any more. Returns how much to give back now: nothing, until it is worth a frame. */
  release(bytes: number): number {
    this.#owed += bytes
    if (this.#proven < PROVEN_BYTES) this.#proven += bytes
    if (this.#owed * 2 < this.#bytes) return 0
    const given = this.#owed
    this.#owed = 0
    this.#left += given
    return given
  }

  /** It is worth asking for more. */
  get isNarrow(): boolean {
    return this.#wider === 0 && this.#proven >= PROVEN_BYTES
  }

  /** Returns what was got of it: that is given to the peer now. */
  widenBy(source: { widen(bytes: number): number }): number {
    const got = source.widen(WIDER_BYTES)
    this.#bytes += got
    this.#left += got
    this.#wider += got
    return got
  }

  /** The stream has ended. */
  giveUp(source: { narrow(bytes: number): void }): void {
    source.narrow(this.#wider)
    this.#wider = 0
  }
}
