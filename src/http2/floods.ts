import { monotonicMs } from '../runtime/clock.ts'

/**
 * What a peer may make us do for nothing: frames that ask for an answer or change nothing, and streams that are opened in order to be
 * reset. Each kind has its number within a time; more than that is an attack, or a peer that is out of its mind, and ends the
 * connection. The clock is read only when a number is used up.
 */
const WITHIN_MS = 10_000

export const FLOOD = {
  /** Streams reset by the peer before their answer was whole, or by us because of what the peer did. */
  reset: { at: 0, most: 200 },
  /** PING, SETTINGS, PRIORITY: nothing that a peer needs often. */
  control: { at: 1, most: 1_000 },
  /** DATA and CONTINUATION without content, padded or not. */
  empty: { at: 2, most: 1_000 },
  /** Streams past the limit that the peer has been told. */
  refused: { at: 3, most: 1_000 },
  /** WINDOW_UPDATE beyond what the content that was sent can have been the reason for. */
  window: { at: 4, most: 1_000 },
} as const

export type Flood = (typeof FLOOD)[keyof typeof FLOOD]

export class FloodWatch {
  readonly #counts = [0, 0, 0, 0, 0]
  /** Made when a number is used up for the first time, which it hardly ever is. */
  #since: number[] | undefined = undefined

  /** One more of that kind. True: too many. */
  count(flood: Flood): boolean {
    const { at, most } = flood
    if (++this.#counts[at]! <= most) return false
    const now = monotonicMs()
    this.#since ??= this.#counts.map(() => 0)
    const isFlood = now - this.#since[at]! < WITHIN_MS
    this.#since[at] = now
    this.#counts[at] = 0
    return isFlood
  }
}
