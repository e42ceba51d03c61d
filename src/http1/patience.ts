/** So many disappointments in a row, and only one head in so many is remembered. */
const MAX_MISSES = 8
const EVERY = 16

/**
 * A head that is remembered costs a template of it when the next one comes: where none is ever repeated (a proxy that sends many clients'
 * requests), it is not made each time.
 */
export class Patience {
  #misses = 0
  #skipped = 0

  isWorthwhile(): boolean {
    return this.#misses < MAX_MISSES || ++this.#skipped % EVERY === 0
  }

  win(): void {
    this.#misses = 0
  }

  lose(): void {
    this.#misses++
  }
}
