import { monotonicMs } from '../runtime/clock.ts'
import type { SessionStore } from '../runtime/sockets.ts'

/**
 * A resumed session looks at no certificate, and brings the next one along. After so long a handshake is a whole one again, so
 * that a certificate that has expired, or another one under the same name, is seen.
 */
const VERIFIED_FOR_MS = 3_600_000

/**
 * The latest TLS session with an endpoint, which saves the next connection the proof of who is there: the server's certificate has
 * been checked when it began. It belongs to a pool, so everything that is checked against is the same.
 */
export class Sessions implements SessionStore {
  #session: Buffer | undefined = undefined
  #verifiedAtMs = 0
  readonly #now: () => number

  constructor(now: () => number = monotonicMs) {
    this.#now = now
  }

  take(): Buffer | undefined {
    if (this.#session !== undefined && this.#now() - this.#verifiedAtMs >= VERIFIED_FOR_MS) this.forget()
    return this.#session
  }

  keep(session: Buffer, isResumed: boolean): void {
    if (!isResumed) this.#verifiedAtMs = this.#now()
    // It has been forgotten since it was taken.
    else if (this.#session === undefined) return
    this.#session = session
  }

  /** A handshake has failed, perhaps because of it. */
  forget(): void {
    this.#session = undefined
  }
}
