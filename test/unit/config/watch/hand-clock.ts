import type { WatchClock } from '../../../../src/config/watch/clock.ts'

/** Moves only when it is told to. */
export class HandClock implements WatchClock {
  #now = 0
  #timers: { readonly at: number; readonly run: () => void }[] = []

  get pending(): number {
    return this.#timers.length
  }

  /** Called whenever somebody asks for the time. */
  onNow = (): void => {}

  now(): number {
    this.onNow()
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#now = next.at
      next.run()
    }
    this.#now = end
  }
}
