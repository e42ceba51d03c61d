import type { DownstreamEvents } from '../http/downstream.ts'
import { Deadline } from '../runtime/deadline.ts'

/** The clocks of a client's request. Most connections never need them, so each is made when it is asked for. */
export class RequestClocks<E> {
  readonly #events: DownstreamEvents<E>
  readonly #current: () => E | undefined
  #body: Deadline | undefined = undefined
  #exchange: Deadline | undefined = undefined

  /** `current`: the exchange that runs. */
  constructor(events: DownstreamEvents<E>, current: () => E | undefined) {
    this.#events = events
    this.#current = current
  }

  /** Of a client's silence in the middle of its content. */
  get body(): Deadline {
    this.#body ??= new Deadline(() => {
      const exchange = this.#current()
      if (exchange !== undefined) this.#events.requestFailed(exchange, 'body_timeout')
    })
    return this.#body
  }

  /** Of the whole exchange. */
  get exchange(): Deadline {
    this.#exchange ??= new Deadline(() => {
      const exchange = this.#current()
      if (exchange !== undefined) this.#events.exchangeExpired(exchange)
    })
    return this.#exchange
  }

  disarm(): void {
    this.#body?.disarm()
    this.#exchange?.disarm()
  }

  close(): void {
    this.#body?.close()
    this.#exchange?.close()
  }
}
