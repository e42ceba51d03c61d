import type { UpstreamConnection } from './upstream-connection.ts'

/** The upstream connection that one client has logged in, while it is idle: nobody else gets it, and it ends with its client. */
export class OwnedConnection<E> {
  #connection: UpstreamConnection<E> | undefined = undefined
  #isClosed = false

  /** It is idle, and the owner's from now on. Another one that was there goes. */
  put(connection: UpstreamConnection<E>): void {
    this.#connection?.close()
    this.#connection = undefined
    if (this.#isClosed) connection.close()
    else this.#connection = connection
  }

  /** For the next exchange, if it leads to this endpoint and has not died meanwhile. */
  take(endpoint: string): UpstreamConnection<E> | undefined {
    const connection = this.#connection
    if (connection === undefined || connection.endpoint !== endpoint) return undefined
    this.#connection = undefined
    return connection.isUsable ? connection : undefined
  }

  /** The client has gone. */
  close(): void {
    this.#isClosed = true
    this.#connection?.close()
    this.#connection = undefined
  }
}
