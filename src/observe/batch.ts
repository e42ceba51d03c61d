import type { Attempt, WriteQueue } from './write-queue.ts'

/** Lines that go into a descriptor together: encoded one behind the other, in front of them what an earlier attempt has left. */

/** A UTF-16 unit takes this many bytes of UTF-8 at most. */
const MAX_UNIT_BYTES = 3

export interface Batch {
  /** Bytes that are not out yet. */
  bytes(): number
  enter(line: string): void
  /** What is encoded already; the memory is the caller's again afterwards. */
  enterBytes(piece: Buffer): void
  write(): Attempt
}

export function createBatch(queue: WriteQueue, roomBytes: number): Batch {
  /**
   * Lines are encoded as they come. Kept as text, each of them would be dozens of pieces (and the heads that they were cut from)
   * that outlive a garbage collection, which costs four times what the line does.
   */
  const batch = Buffer.allocUnsafeSlow(roomBytes)
  let batched = 0

  /** A copy of each batch would be megabytes a second outside of the heap, and major collections for nothing. */
  function write(): Attempt {
    if (batched === 0) return queue.write()
    const bytes = batch.subarray(0, batched)
    batched = 0
    return queue.writeBorrowed(bytes)
  }

  return {
    bytes: () => queue.bytes() + batched,
    enter(line) {
      if (batched + line.length * MAX_UNIT_BYTES <= roomBytes) {
        batched += batch.write(line, batched, 'utf8')
        return
      }
      if (batched > 0) queue.push(Buffer.from(batch.subarray(0, batched)))
      batched = 0
      queue.push(Buffer.from(line, 'utf8'))
    },
    enterBytes(piece) {
      if (batched + piece.length <= roomBytes) {
        batched += piece.copy(batch, batched)
        return
      }
      write()
      queue.writeBorrowed(piece)
    },
    write,
  }
}
