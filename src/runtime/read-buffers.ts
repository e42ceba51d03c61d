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

export const SHARED_READ_BYTES = 65_536
export const BULK_READ_BYTES = 49_152

/** A read of at least this size is bulk: the connection's next read goes to a buffer of its own. */
export const BULK_THRESHOLD = 8_192

export const sharedReadBuffer: Buffer = Buffer.allocUnsafeSlow(SHARED_READ_BYTES)

/** Idle bulk buffers; more than this many are left to the garbage collector. */
const FREE_LIMIT = 64
const free: Buffer[] = []

export function takeBulkBuffer(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(BULK_READ_BYTES)
}

/** Only for a buffer that no write points into any more. */
export function giveBackBulkBuffer(buffer: Buffer): void {
  if (free.length < FREE_LIMIT) free.push(buffer)
}
