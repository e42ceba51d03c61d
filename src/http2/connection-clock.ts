import type { ConnectionHost } from '../http/connection-host.ts'
import { monotonicMs } from '../runtime/clock.ts'
import { Deadline } from '../runtime/deadline.ts'

/** The one clock of a client's connection: for the next stream to begin, or for what has begun to end. */
export class ConnectionClock {
  readonly #host: Pick<ConnectionHost<unknown, unknown>, 'headTimeoutMs' | 'keepAliveTimeoutMs'>
  readonly #deadline: Deadline
  /** Which head its time is for; 0: for none. */
  #head = 0
  /** 0: it is not idle, or has not been yet. */
  #idleUntilMs = 0

  constructor(
    host: Pick<ConnectionHost<unknown, unknown>, 'headTimeoutMs' | 'keepAliveTimeoutMs'>,
    expired: () => void,
  ) {
    this.#host = host
    this.#deadline = new Deadline(expired)
  }

  /** A head, as of HTTP/1, has its time from its first octet to its last; so has the beginning of a connection. `head`: see `headBegun`. */
  watch(head: number, isIdle: boolean): void {
    const before = this.#head
    if (head === before) return
    this.#head = head
    if (head === 0) {
      if (isIdle) this.#goOnIdle()
      else this.#deadline.disarm()
    } else if (before === 0 || !isIdle) this.#deadline.arm(this.#host.headTimeoutMs)
    // Else they follow each other, and none opens a stream: all of them together have the time of one.
  }

  /** No stream is open. */
  idle(): void {
    const nowMs = monotonicMs()
    const ms = this.#host.keepAliveTimeoutMs
    this.#idleUntilMs = nowMs + ms
    if (this.#head === 0) this.#deadline.arm(ms, nowMs)
  }

  /** A frame that opened no stream does not make the connection less idle, in however many pieces it has come. */
  #goOnIdle(): void {
    if (this.#idleUntilMs === 0) this.idle()
    else this.#deadline.arm(Math.max(1, this.#idleUntilMs - monotonicMs()))
  }

  busy(): void {
    this.#head = 0
    this.#idleUntilMs = 0
    this.#deadline.disarm()
  }

  close(): void {
    this.#deadline.close()
  }
}
