import type { ConnectionHost } from '../http/connection-host.ts'
import { Deadline } from '../runtime/deadline.ts'

/** The one clock of a client's connection: for the next stream to begin, or for what has begun to end. */
export class ConnectionClock {
  readonly #host: Pick<ConnectionHost<unknown, unknown>, 'headTimeoutMs' | 'keepAliveTimeoutMs'>
  readonly #deadline: Deadline
  #isOfHead = false

  constructor(
    host: Pick<ConnectionHost<unknown, unknown>, 'headTimeoutMs' | 'keepAliveTimeoutMs'>,
    expired: () => void,
  ) {
    this.#host = host
    this.#deadline = new Deadline(expired)
  }

  /** A head, as of HTTP/1, has its time from its first octet to its last; so has the beginning of a connection. */
  watch(isInHead: boolean, isIdle: boolean): void {
    if (isInHead === this.#isOfHead) return
    this.#isOfHead = isInHead
    if (isInHead) this.#deadline.arm(this.#host.headTimeoutMs)
    else if (isIdle) this.idle()
    else this.#deadline.disarm()
  }

  /** No stream is open. */
  idle(): void {
    if (!this.#isOfHead) this.#deadline.arm(this.#host.keepAliveTimeoutMs)
  }

  busy(): void {
    this.#isOfHead = false
    this.#deadline.disarm()
  }

  close(): void {
    this.#deadline.close()
  }
}
