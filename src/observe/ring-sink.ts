import { monotonicMs } from '../runtime/clock.ts'
import { openLineWriter } from '../workers/line-ring.ts'
import { SLOT, type Tally } from '../workers/tally.ts'
import { BATCH_LENGTH, EXIT_FLUSH_MS, EXIT_POLL_MS, FLUSH_MS, type Sink } from './sink.ts'

/** The sink of a thread whose lines another one writes: they go into a ring, and now and then that thread is asked to come. */

export interface RingSinkOptions {
  /** Asks the thread that writes to come; or brings it a line, in the order of the calls. */
  readonly notify: (line?: string) => void
  /** Where records that are left out are counted. */
  readonly tally: Tally
}

/** `flush` resolves when the thread that writes has taken everything: what becomes of it there is that one's matter. */
export function createRingSink(shared: SharedArrayBuffer, { notify, tally }: RingSinkOptions): Sink {
  const writer = openLineWriter(shared, notify)
  /** Since it was asked for the last time. */
  let unasked = 0
  let askedAt = 0
  let isAsked = false
  let timer: NodeJS.Timeout | undefined
  let isTurnEndPlanned = false

  function askLater(): void {
    if (timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      ask()
    }, FLUSH_MS).unref()
  }

  function append(line: string, records: number): void {
    if (!writer.write(line)) tally.add(SLOT.recordsDropped, records)
    unasked += line.length
    if (unasked >= BATCH_LENGTH) ask()
  }

  /** Once, until it has come: when it comes it takes all that is there. */
  function ask(): void {
    unasked = 0
    if (isAsked) isAsked = !writer.isRead(askedAt)
    if (isAsked || writer.isSettled()) return
    isAsked = true
    askedAt = writer.position()
    notify()
  }

  return {
    write(line) {
      append(line, 1)
      askLater()
    },
    writeSoon(line) {
      append(line, 0)
      if (isTurnEndPlanned) return
      isTurnEndPlanned = true
      setImmediate(() => {
        isTurnEndPlanned = false
        ask()
      })
    },
    flushNow: ask,
    async flush(limitMs = EXIT_FLUSH_MS) {
      const deadline = monotonicMs() + limitMs
      for (ask(); !writer.isSettled() && monotonicMs() < deadline; ask()) {
        await new Promise((resolve) => setTimeout(resolve, EXIT_POLL_MS))
      }
    },
  }
}
