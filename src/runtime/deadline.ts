import { monotonicMs } from './clock.ts'

/** A deadline looks this many times within its time whether it was touched, so it is late by a quarter at most. */
const LOOKS = 4

const NO_PROGRESS = (): number => 0

/** A timer may come by that much before its time. */
const TIMER_SLACK_MS = 1

/**
 * A timeout that is armed, touched and disarmed on the data path.
 *
 * Measured on Node 26: `setTimeout` with `clearTimeout` 290 ns, `timer.refresh()` 54 ns, a look at the clock 49 ns and none where whoever
 * arms has just looked, a touch or a disarm here a store. So one timer goes on while the deadline is armed again and again; it asks, four times
 * in the deadline's time, whether that is up and whether bytes have moved. An untouched deadline expires after exactly its time, a
 * touched one between that and a quarter more after its last touch. It runs on the monotonic clock.
 */
export class Deadline {
  #timer: NodeJS.Timeout | undefined
  #timerMs = 0
  /** The timer will come by. */
  #isRunning = false
  #ms = 0
  #dueMs = 0
  #isTouched = false
  #isArmed = false
  readonly #onExpired: () => void
  readonly #progress: () => number
  #seenProgress = 0

  /** `progress`: a number that another value of counts like a touch. */
  constructor(onExpired: () => void, progress: () => number = NO_PROGRESS) {
    this.#onExpired = onExpired
    this.#progress = progress
  }

  /** Expires `ms` from now, which whoever has just looked at the monotonic clock knows; an earlier arm is forgotten. */
  arm(ms: number, nowMs: number = monotonicMs()): void {
    this.#isArmed = true
    this.#isTouched = false
    this.#seenProgress = this.#progress()
    this.#dueMs = nowMs + ms
    if (this.#isRunning && ms === this.#ms) return
    this.#ms = ms
    this.#wakeIn(Math.ceil(ms / LOOKS))
  }

  /** Starts over with the same time, if armed. */
  touch(): void {
    this.#isTouched = true
  }

  disarm(): void {
    this.#isArmed = false
  }

  /** Disarms and lets go of the timer. */
  close(): void {
    this.#isArmed = false
    this.#isRunning = false
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #wakeIn(ms: number): void {
    this.#isRunning = true
    if (this.#timer !== undefined && this.#timerMs === ms) {
      this.#timer.refresh()
      return
    }
    clearTimeout(this.#timer)
    this.#timerMs = ms
    this.#timer = setTimeout(() => this.#look(), ms)
    this.#timer.unref()
  }

  #look(): void {
    this.#isRunning = false
    if (!this.#isArmed || this.#hasTimeLeft()) return
    // After a stalled event loop timers run before the sockets are read: let what has arrived meanwhile count first.
    setImmediate(() => {
      if (!this.#isArmed || this.#isRunning || this.#hasTimeLeft()) return
      this.#isArmed = false
      this.#onExpired()
    })
  }

  /** What has moved has its whole time again. Then the timer comes by once more. */
  #hasTimeLeft(): boolean {
    const nowMs = monotonicMs()
    const progress = this.#progress()
    if (this.#isTouched || progress !== this.#seenProgress) this.#dueMs = nowMs + this.#ms
    this.#isTouched = false
    this.#seenProgress = progress
    const leftMs = this.#dueMs - nowMs
    if (leftMs < TIMER_SLACK_MS) return false
    this.#wakeIn(Math.min(Math.ceil(leftMs), Math.ceil(this.#ms / LOOKS)))
    return true
  }
}
