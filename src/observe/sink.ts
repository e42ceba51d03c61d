import { monotonicMs } from '../runtime/clock.ts'
import { SLOT, Tally } from '../workers/tally.ts'
import { createBatch } from './batch.ts'
import { type Attempt, createWriteQueue } from './write-queue.ts'

/**
 * Lines on their way to standard output. Traffic never waits for them: lines gather in memory and are written in batches,
 * and a descriptor that takes nothing (a pipe that nobody reads, a full disk, a reader that has left) costs a bounded queue
 * and then lines, which are counted, never time.
 */

/** So many characters are written at once, fewer of them after FLUSH_MS. */
export const BATCH_LENGTH = 64 * 1024
/** What a batch may grow to with the line that completes it; longer lines go by themselves. */
const BATCH_ROOM_BYTES = 2 * BATCH_LENGTH
export const FLUSH_MS = 20
/** All that waits. Past it lines are dropped until half of it has been written. */
export const QUEUE_BYTES = 8 * 1024 * 1024
/** When to try again what the descriptor has not taken. */
const RETRY_MS = { partly: 2, full: 20, failed: 500 } as const
/** What an exit waits at most for a reader. */
export const EXIT_FLUSH_MS = 1000
export const EXIT_POLL_MS = 5

export interface Sink {
  /** A request record: a line that may wait up to 20 ms for company. */
  write(line: string): void
  /** An event: a line that goes out at the end of this turn of the event loop. */
  writeSoon(line: string): void
  /** Writes what can be written without waiting. */
  flushNow(): void
  /** Resolves when everything has been written, when that has failed, or after so long; one second unless it is said. */
  flush(limitMs?: number): Promise<void>
}

/** What other threads bring: lines that are encoded already. */
export interface LineIntake {
  /** Bytes that may wait here now; nothing while lines are left out. */
  room(): number
  /** Whole lines, in one piece or in several that follow each other at once. The memory is the caller's again afterwards. */
  enterBytes(piece: Buffer): void
  /** Other lines are missing here, which the caller has counted. */
  tellDropped(count: number): void
  /** Called whenever there may be room again. */
  onRoom(call: () => void): void
}

export interface SinkOptions {
  /** Has to be non-blocking, or a file. */
  readonly fd: number
  /** The line that stands where lines are missing; empty: none. */
  readonly describeDropped: (count: number) => string
  /** Where records that are left out are counted. */
  readonly tally?: Tally
}

export function createSink({ fd, describeDropped, tally = new Tally() }: SinkOptions): Sink & LineIntake {
  const batch = createBatch(createWriteQueue(fd), BATCH_ROOM_BYTES)
  /** Since the last attempt, batched or too long for that. */
  let unsent = 0
  let dropped = 0
  let timer: NodeJS.Timeout | undefined
  let isTurnEndPlanned = false
  let callForMore: (() => void) | undefined

  function append(line: string, records: number): void {
    if (dropped > 0 || batch.bytes() + line.length > QUEUE_BYTES) {
      dropped++
      tally.add(SLOT.recordsDropped, records)
      return
    }
    batch.enter(line)
    unsent += line.length
    if (unsent >= BATCH_LENGTH) attempt()
  }

  function attempt(): Attempt {
    unsent = 0
    let result = batch.write()
    if (dropped > 0 && batch.bytes() <= QUEUE_BYTES / 2) {
      batch.enter(describeDropped(dropped))
      dropped = 0
      result = batch.write()
    }
    if (result !== 'done') wakeAfter(RETRY_MS[result])
    return result
  }

  function wakeAfter(ms: number): void {
    timer ??= setTimeout(() => {
      timer = undefined
      attempt()
      callForMore?.()
    }, ms).unref() // the log is no reason for a process to live
  }

  function attemptAll(): Attempt {
    const result = attempt()
    if (callForMore === undefined) return result
    callForMore()
    return attempt()
  }

  return {
    write(line) {
      append(line, 1)
      if (timer === undefined) wakeAfter(FLUSH_MS)
    },
    writeSoon(line) {
      append(line, 0)
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
      for (let result = attemptAll(); result === 'full' || result === 'partly'; result = attemptAll()) {
        if (monotonicMs() >= deadline) return
        await new Promise((resolve) => setTimeout(resolve, EXIT_POLL_MS))
      }
    },
    room: () => (dropped > 0 ? 0 : Math.max(0, QUEUE_BYTES - batch.bytes())),
    enterBytes: batch.enterBytes,
    tellDropped(count) {
      if (dropped > 0) dropped += count
      else batch.enter(describeDropped(count))
    },
    onRoom(call) {
      callForMore = call
    },
  }
}
