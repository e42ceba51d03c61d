import { ByteStore } from '../runtime/byte-store.ts'

/** Whose bytes they are. */
export interface Taker {
  /** Whether it can go on now. */
  takes(): boolean
  /** Takes what it can of `buffer[start..end)` and returns where that ends. */
  take(buffer: Buffer, start: number, end: number): number
}

/**
 * Hands a connection's bytes on in their order, as far as they are taken; the rest is kept (in memory of its own) until it is
 * asked for again. A taker that asks in the middle of taking is served by the loop that is running: no recursion, however many
 * requests a client has sent ahead.
 */
export class ReadAhead {
  readonly #taker: Taker
  readonly #kept = new ByteStore()
  isFeeding = false

  constructor(taker: Taker) {
    this.#taker = taker
  }

  /** How much is kept. */
  get bytes(): number {
    return this.#kept.length
  }

  /** Hands on what was kept and then `buffer[0..length)`. */
  feed(buffer: Buffer, length: number): void {
    if (this.isFeeding || this.#kept.length > 0) {
      this.#kept.add(buffer, 0, length)
      if (!this.isFeeding) this.#feedKept()
      return
    }
    this.isFeeding = true
    const at = this.#takeAll(buffer, length)
    if (at < length) this.#kept.add(buffer, at, length)
    this.isFeeding = false
    if (this.#kept.length > 0) this.#feedKept()
  }

  #feedKept(): void {
    this.isFeeding = true
    while (this.#kept.length > 0 && this.#taker.takes()) {
      const piece = this.#kept.take()
      const at = this.#takeAll(piece, piece.length)
      if (at < piece.length) {
        // What came meanwhile belongs behind the rest.
        const later = this.#kept.take()
        this.#kept.add(piece, at, piece.length)
        this.#kept.add(later, 0, later.length)
      }
    }
    this.isFeeding = false
  }

  #takeAll(buffer: Buffer, end: number): number {
    let at = 0
    while (at < end && this.#taker.takes()) at = this.#taker.take(buffer, at, end)
    return at
  }

  clear(): void {
    this.#kept.clear()
  }

  /** After a bug threw through `feed`. */
  abandon(): void {
    this.isFeeding = false
    this.#kept.clear()
  }
}
