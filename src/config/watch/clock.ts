import { monotonicMs } from '../../runtime/clock.ts'

export interface WatchClock {
  /** Monotonic milliseconds. */
  now(): number
  /** Runs it once, later; the result takes that back. */
  after(ms: number, run: () => void): () => void
}

/** The only thing that it keeps alive is itself: its timers hold no process. */
export const REAL_CLOCK: WatchClock = {
  now: monotonicMs,
  after(ms, run) {
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  },
}
