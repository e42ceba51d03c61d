/** How much has arrived at one end, for the other end to wait for: that is how it shows that nothing is held back. */
export class Meter {
  #value = 0
  readonly #waiting = new Set<() => void>()

  advance(value: number): void {
    this.#value = value
    for (const look of [...this.#waiting]) look()
  }

  /** Resolves with true as soon as that much has arrived, or with false when it has not within the time. */
  reached(value: number, ms: number): Promise<boolean> {
    if (this.#value >= value) return Promise.resolve(true)
    return new Promise((resolve) => {
      const end = (isReached: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(isReached)
      }
      const timer = setTimeout(() => end(false), ms)
      const look = (): void => {
        if (this.#value >= value) end(true)
      }
      this.#waiting.add(look)
    })
  }
}
