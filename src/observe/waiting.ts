import { announce, EVENTS } from './events.ts'
import type { Log } from './log.ts'

/** What a stop says while it waits. */

const EVERY_MS = 10_000

/**
 * Says at once how many connections are waited for, when what is idle has been closed, and again now and then; nothing if there
 * are none. Holds no process. `limitMs`: how long the wait may be; undefined: for ever. Returns what ends it.
 */
export function tellWhatIsWaitedFor(log: Log, limitMs: number | undefined, busyCount: () => number): () => void {
  const since = performance.now()
  const tell = (): void => {
    const connections = busyCount()
    const waitedMs = Math.round(performance.now() - since)
    if (connections > 0) announce(log, EVENTS.waiting, { connections, waited_ms: waitedMs, limit_ms: limitMs })
  }
  const first = setImmediate(tell)
  const timer = setInterval(tell, EVERY_MS).unref()
  return () => {
    clearImmediate(first)
    clearInterval(timer)
  }
}
