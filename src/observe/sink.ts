import { monotonicMs } from '../runtime/clock.ts'
import { type Attempt, createWriteQueue } from './write-queue.ts'

/**
 * Lines on their way to standard output. Traffic never waits for them: lines gather in memory and are written in batches,
 * and a descriptor that takes nothing (a pipe that nobody reads, a full disk, a reader that has left) costs a bounded queue
 * and then lines, which are counted, never time.
 */

/** So many characters are written at once, fewer of them after FLUSH_MS. */
const BATCH_LENGTH = 64 * 1024
/** What a batch may grow to with the line that completes it; longer lines go by themselves. */
const BATCH_ROOM_BYTES = 2 * BATCH_LENGTH
/** A UTF-16 unit takes this many bytes of UTF-8 at most. */
const MAX_UNIT_BYTES = 3
const FLUSH_MS = 20
/** All that waits. Past it lines are dropped until half of it has been written. */
const QUEUE_BYTES = 8 * 1024 * 1024
/** When to try again what the descriptor has not taken. */
const RETRY_MS = { partly: 2, full: 20, failed: 500 } as const
/** What an exit waits at most for a reader. */
const EXIT_FLUSH_MS = 1000
const EXIT_POLL_MS = 5

export interface Sink {
  /** A line that may wait up to 20 ms for company. */
  write(line: string): void
  /** A line that goes out at the end of this turn of the event loop. */
  writeSoon(line: string): void
  /** Writes what can be written without waiting. */
  flushNow(): void
  /** Resolves when everything has been written, when that has failed, or after so long; one second unless it is said. */
  flush(limitMs?: number): Promise<void>
}

export interface SinkOptions {
  /** Has to be non-blocking, or a file. */
  readonly fd: number
  /** The line that stands where lines are missing; empty: none. */
  readonly describeDropped: (count: number) => string
}

export function createSink({ fd, describeDropped }: SinkOptions): Sink {
  const queue = createWriteQueue(fd)
  /**
   * Lines are encoded as they come. Kept as text, each of them would be dozens of pieces (and the heads that they were cut from)
   * that outlive a garbage collection, which costs four times what the line does.
   */
  const batch = Buffer.allocUnsafeSlow(BATCH_ROOM_BYTES)
  let batched = 0
  /** Since the last attempt, batched or too long for that. */
  let unsent = 0
  let dropped = 0
  let timer: NodeJS.Timeout | undefined
  let isTurnEndPlanned = false

  function append(line: string): void {
    if (dropped > 0 || queue.bytes() + batched + line.length > QUEUE_BYTES) {
      dropped++
      return
    }
    enter(line)
    unsent += line.length
    if (unsent >= BATCH_LENGTH) attempt()
  }

  function enter(line: string): void {
    if (batched + line.length * MAX_UNIT_BYTES <= BATCH_ROOM_BYTES) {
      batched += batch.write(line, batched, 'utf8')
      return
    }
    if (batched > 0) queue.push(Buffer.from(batch.subarray(0, batched)))
    batched = 0
    queue.push(Buffer.from(line, 'utf8'))
  }

  /** A copy of each batch would be megabytes a second outside of the heap, and major collections for nothing. */
  function writeBatch(): Attempt {
    if (batched === 0) return queue.write()
    const bytes = batch.subarray(0, batched)
    batched = 0
    return queue.writeBorrowed(bytes)
  }

  function attempt(): Attempt {
    unsent = 0
    let result = writeBatch()
    if (dropped > 0 && queue.bytes() <= QUEUE_BYTES / 2) {
      enter(describeDropped(dropped))
      dropped = 0
      result = writeBatch()
    }
    if (result !== 'done') wakeAfter(RETRY_MS[result])
    return result
  }

  function wakeAfter(ms: number): void {
    timer ??= setTimeout(() => {
      timer = undefined
      attempt()
    }, ms).unref() // the log is no reason for a process to live
  }

  return {
    write(line) {
      append(line)
      if (timer === undefined) wakeAfter(FLUSH_MS)
    },
    writeSoon(line) {
      append(line)
      if (isTurnEndPlanned) return
      isTurnEndPlanned = true
      setImmediate(() => {
        isTurnEndPlanned = false
        attempt()
      })
    },
    flushNow() {
      attempt()
    },
    async flush(limitMs = EXIT_FLUSH_MS) {
      const deadline = monotonicMs() + limitMs
      for (let result = attempt(); result === 'full' || result === 'partly'; result = attempt()) {
        if (monotonicMs() >= deadline) return
        await new Promise((resolve) => setTimeout(resolve, EXIT_POLL_MS))
      }
    },
  }
}
