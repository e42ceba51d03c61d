import type { TestContext } from 'node:test'

interface Timer {
  readonly run: () => void
  readonly ms: number
  dueMs: number
}

/**
 * Time that passes when it is told to. Unlike the timers of node:test these can be refreshed, which is all that a deadline
 * does with its timer. A timer runs after whole milliseconds, as Node's own do.
 */
export class FakeTime {
  nowMs = 0
  readonly #timers = new Set<Timer>()
  #immediates: (() => void)[] = []

  constructor(t: TestContext) {
    t.mock.method(globalThis, 'setTimeout', (run: () => void, ms: number) => this.#start(run, ms))
    t.mock.method(globalThis, 'clearTimeout', (timer: Timer | undefined) => {
      if (timer !== undefined) this.#timers.delete(timer)
    })
    t.mock.method(performance, 'now', () => this.nowMs)
    t.mock.method(globalThis, 'setImmediate', (run: () => void) => this.#immediates.push(run))
  }

  /** Timers that are still to run. */
  get pending(): number {
    return this.#timers.size
  }

  #start(run: () => void, ms: number): Timer {
    const wholeMs = Math.max(1, Math.trunc(ms))
    const timer = {
      run,
      ms: wholeMs,
      dueMs: this.nowMs + wholeMs,
      unref: () => timer,
      refresh: () => {
        timer.dueMs = this.nowMs + wholeMs
        this.#timers.add(timer)
        return timer
      },
    }
    this.#timers.add(timer)
    return timer
  }

  /** Lets time pass, each millisecond with its timers and then its immediates. */
  pass(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.passOnlyTimers(1)
      this.runImmediates()
    }
  }

  /** As after a stalled event loop: timers run before anything else gets its turn. */
  passOnlyTimers(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.nowMs++
      for (const timer of [...this.#timers]) {
        if (timer.dueMs > this.nowMs || !this.#timers.delete(timer)) continue
        timer.run()
      }
    }
  }

  runImmediates(): void {
    for (const run of this.#immediates.splice(0)) run()
  }
}
