import { Deadline } from '../runtime/deadline.ts'

/** nginx's figures for a lingering close. */
const TOTAL_MS = 30_000
const SILENCE_MS = 5_000

/** A refused request's remaining body up to this length is read and dropped, and the connection kept. */
export const DROP_BYTES = 65_536

/**
 * For how long what a client still sends is read and dropped: 30 s in all, 5 s of silence. That is so after our FIN (RFC 9112
 * section 9.6: a client that is busy uploading gets to read its answer that way; closing at once would reset it away), and for
 * the short rest of a refused request's body.
 */
export class DropLimits {
  readonly #silence: Deadline
  readonly #total: Deadline

  constructor(close: () => void) {
    this.#silence = new Deadline(close)
    this.#total = new Deadline(close)
    this.#silence.arm(SILENCE_MS)
    this.#total.arm(TOTAL_MS)
  }

  touch(): void {
    this.#silence.touch()
  }

  stop(): void {
    this.#silence.close()
    this.#total.close()
  }
}
