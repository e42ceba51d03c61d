import { ByteStore } from '../runtime/byte-store.ts'
import { NO_BYTES } from '../runtime/outlet.ts'

/** Bytes of further requests that are read while one is being answered; then reading pauses. */
const PIPELINE_BYTES = 65_536

/** Whose bytes they are. */
export interface Taker {
  /** Whether it can go on now. */
  takes(): boolean
  /** Takes what it can of `buffer[start..end)` and returns where that ends. */
  take(buffer: Buffer, start: number, end: number): number
  /** A new turn has come: `feed` and read on. */
  goOn(): void
}

/**
 * Hands a connection's bytes on in their order, as far as they are taken; the rest is kept (in memory of its own) until it is
 * asked for again. A taker that asks in the middle of taking is served by the loop that is running: no recursion, however many
 * requests a client has sent ahead.
 */
export class ReadAhead {
  readonly #taker: Taker
  /** What is being handed on, from `#at`; what has come after it. */
  #piece: Buffer = NO_BYTES
  #at = 0
  readonly #later = new ByteStore()
  isFeeding = false
  /** Nothing is handed on before the next turn of the event loop. */
  waitsForTurn = false

  constructor(taker: Taker) {
    this.#taker = taker
  }

  /** How much is kept. */
  get bytes(): number {
    return this.#piece.length - this.#at + this.#later.length
  }

  get isFull(): boolean {
    return this.bytes >= PIPELINE_BYTES
  }

  /** Hands on what was kept and then `buffer[0..length)`. */
  feed(buffer: Buffer, length: number): void {
    if (this.isFeeding || this.bytes > 0) {
      this.#later.add(buffer, 0, length)
      if (!this.isFeeding) this.#feedKept()
      return
    }
    this.isFeeding = true
    const at = this.#takeAll(buffer, 0, length)
    // What came meanwhile belongs behind the rest.
    if (at < length) this.#keepFirst(buffer, at, length)
    this.isFeeding = false
    if (this.bytes > 0) this.#feedKept()
  }

  #keepFirst(buffer: Buffer, start: number, end: number): void {
    // Not from Node's pool: what is kept costs what it is long.
    this.#piece = Buffer.allocUnsafeSlow(end - start)
    buffer.copy(this.#piece, 0, start, end)
    this.#at = 0
  }

  #feedKept(): void {
    this.isFeeding = true
    while (this.bytes > 0 && this.#takes()) {
      if (this.#at === this.#piece.length) {
        this.#piece = this.#later.take()
        this.#at = 0
      }
      const piece = this.#piece
      const at = this.#takeAll(piece, this.#at, piece.length)
      // Unless all was cleared while it was taken.
      if (this.#piece === piece) this.#at = at
    }
    if (this.bytes === 0) this.#piece = NO_BYTES
    if (this.#piece.length === 0) this.#at = 0
    this.isFeeding = false
  }

  #takeAll(buffer: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && this.#takes()) at = this.#taker.take(buffer, at, end)
    return at
  }

  #takes(): boolean {
    return !this.waitsForTurn && this.#taker.takes()
  }

  /** What is left of this turn is for others. */
  waitForTurn(): void {
    if (this.waitsForTurn) return
    this.waitsForTurn = true
    setImmediate(() => {
      this.waitsForTurn = false
      this.#taker.goOn()
    })
  }

  clear(): void {
    this.#piece = NO_BYTES
    this.#at = 0
    this.#later.clear()
  }

  /** After a bug threw through `feed`. */
  abandon(): void {
    this.isFeeding = false
    this.clear()
  }
}
