/**
 * The memory that sockets read into, and who owns it.
 *
 * Every socket of the thread reads into ONE shared buffer, so an idle connection holds none and the bytes stay in the
 * core's cache. The shared buffer is never written from: what has to wait is copied out (see slabs), because a write that the
 * kernel does not take at once keeps pointing into its buffer.
 * A connection in the middle of a big body reads into a bulk buffer instead, and its writes are made from there without a copy.
 * Sizes are measured: 48 KiB bulk buffers cost least for 512 KB uploads (against 16, 32, 64 and 128 KiB).
 *
 * A bulk buffer is in one of these states, and only the first two are ever read into:
 *
 *     free ──take──▶ reading ──a write keeps it──▶ reading, lent ──next──▶ lent ──the last write is done──▶ free
 *                       └──────────next: nothing big any more──────────▶ free
 *
 * The kernel fills the buffer that the last `next()` gave out, and `next()` never gives out one that is lent: whoever ended the
 * exchange meanwhile, and whoever reads on. A connection that is closed while it reads may have its handle pointing at it still: an
 * upstream's gives it back when that has closed (`close`), a client's leaves it to the garbage collector.
 */

const SHARED_READ_BYTES = 65_536
export const BULK_READ_BYTES = 49_152

/** A read of at least this size is bulk: the connection's next read goes to a buffer of its own. */
export const BULK_THRESHOLD = 8_192

const sharedReadBuffer: Buffer = Buffer.allocUnsafeSlow(SHARED_READ_BYTES)

let viewed: Buffer = sharedReadBuffer
let view = new DataView(sharedReadBuffer.buffer, sharedReadBuffer.byteOffset, sharedReadBuffer.length)

/** The same memory, to be read some octets at a time. Nearly always it is that of the shared buffer. */
export function viewOf(buffer: Buffer): DataView {
  if (buffer !== viewed) {
    viewed = buffer
    view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
  }
  return view
}

interface Bulk {
  readonly buffer: Buffer
  isReading: boolean
  /** Writes that point into it. */
  writes: number
}

const bulks = new WeakMap<Buffer, Bulk>()

/** Idle bulk buffers; more than this many are left to the garbage collector. */
const FREE_LIMIT = 64
const free: Bulk[] = []

/** Other sockets will read into this buffer as soon as the present call has returned: no write may be left pointing into it. */
export function isShared(buffer: Buffer): boolean {
  return buffer === sharedReadBuffer
}

/** A write points into this buffer from now on; `giveBack` follows when the write is done. Memory of other kinds needs neither. */
export function lend(buffer: Buffer): void {
  const bulk = bulks.get(buffer)
  if (bulk !== undefined) bulk.writes++
}

export function giveBack(buffer: Buffer): void {
  const bulk = bulks.get(buffer)
  if (bulk === undefined) return
  bulk.writes--
  freeIfUnused(bulk)
}

function freeIfUnused(bulk: Bulk): void {
  if (!bulk.isReading && bulk.writes === 0 && free.length < FREE_LIMIT) free.push(bulk)
}

function take(): Bulk {
  const bulk = free.pop() ?? allocate()
  bulk.isReading = true
  return bulk
}

/**
 * The same memory for whoever puts together what is written: theirs until it is released, and after that as long as a write points into it.
 */
export function takeBulk(): Buffer {
  return take().buffer
}

export function releaseBulk(buffer: Buffer): void {
  const bulk = bulks.get(buffer)!
  bulk.isReading = false
  freeIfUnused(bulk)
}

function allocate(): Bulk {
  const bulk = { buffer: Buffer.allocUnsafeSlow(BULK_READ_BYTES), isReading: false, writes: 0 }
  bulks.set(bulk.buffer, bulk)
  return bulk
}

/** Which memory the next read of one connection goes to. */
export class ReadBuffer {
  #bulk: Bulk | undefined = undefined
  #wantsBulk = false

  /** A read has come. Unless it turns out to be part of something big, the next one is shared again. */
  reset(): void {
    this.#wantsBulk = false
  }

  /** The message goes on after a piece of this length. */
  expectMore(length: number): void {
    this.#wantsBulk = length >= BULK_THRESHOLD
  }

  next(): Buffer {
    const bulk = this.#bulk
    if (bulk !== undefined && (bulk.writes > 0 || !this.#wantsBulk)) {
      this.#bulk = undefined
      bulk.isReading = false
      freeIfUnused(bulk)
    }
    if (!this.#wantsBulk) return sharedReadBuffer
    this.#bulk ??= take()
    return this.#bulk.buffer
  }

  /** The handle has closed, and reads no more. Of a thousand bodies that break off, each would leave its buffer to the garbage collector. */
  close(): void {
    const bulk = this.#bulk
    if (bulk === undefined) return
    this.#bulk = undefined
    bulk.isReading = false
    freeIfUnused(bulk)
  }
}
