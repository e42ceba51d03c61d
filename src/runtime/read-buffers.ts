/**
 * The memory that sockets read into.
 *
 * Every socket of the thread reads into ONE shared buffer, so an idle connection holds none and the bytes stay in the
 * core's cache. The shared buffer is never written from: a small read is copied out (a few hundred bytes, tens of
 * nanoseconds), because a write that the kernel does not take at once keeps pointing into its buffer.
 * A connection in the middle of a big body gets a bulk buffer of its own, and its writes are made from there without a
 * copy. It is not read into again before its last write is done, so it needs no bookkeeping beyond its owner.
 * Sizes are measured: 48 KiB bulk buffers cost least for 512 KB uploads (against 16, 32, 64 and 128 KiB).
 */

const SHARED_READ_BYTES = 65_536
const BULK_READ_BYTES = 49_152

/** A read of at least this size is bulk: the connection's next read goes to a buffer of its own. */
export const BULK_THRESHOLD = 8_192

const sharedReadBuffer: Buffer = Buffer.allocUnsafeSlow(SHARED_READ_BYTES)

/** Idle bulk buffers; more than this many are left to the garbage collector. */
const FREE_LIMIT = 64
const free: Buffer[] = []

/** Other sockets will read into this buffer as soon as the present call has returned: no write may be left pointing into it. */
export function isShared(buffer: Buffer): boolean {
  return buffer === sharedReadBuffer
}

/** Which memory the next read of one connection goes to. */
export class ReadBuffer {
  #bulk: Buffer | undefined = undefined
  #wantsBulk = false
  /** A write still points into the bulk buffer: whoever made it holds back until 'drain', and reading is paused till then. */
  #isLent = false
  readonly #readsOnWhilePaused: boolean

  /** `readsOnWhilePaused`: TLS hands out what it has decrypted already, paused or not; a lent buffer is lost to such a connection. */
  constructor(readsOnWhilePaused: boolean) {
    this.#readsOnWhilePaused = readsOnWhilePaused
  }

  /** A read has come. Unless it turns out to be part of something big, the next one is shared again. */
  reset(): void {
    this.#wantsBulk = false
    this.#isLent = false
  }

  /** The message goes on after a piece of this length. */
  expectMore(length: number): void {
    this.#wantsBulk = length >= BULK_THRESHOLD
  }

  /** A write may be left pointing into this buffer. */
  lend(buffer: Buffer): void {
    if (buffer === this.#bulk) this.#isLent = true
  }

  next(): Buffer {
    // Left to its write, and to the garbage collector after it.
    if (this.#isLent && (this.#readsOnWhilePaused || !this.#wantsBulk)) this.#bulk = undefined
    if (this.#wantsBulk) {
      this.#bulk ??= free.pop() ?? Buffer.allocUnsafeSlow(BULK_READ_BYTES)
      return this.#bulk
    }
    if (this.#bulk !== undefined) {
      if (free.length < FREE_LIMIT) free.push(this.#bulk)
      this.#bulk = undefined
    }
    return sharedReadBuffer
  }
}
