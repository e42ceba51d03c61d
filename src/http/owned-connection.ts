import type { UpstreamConnection } from './upstream-connection.ts'

/**
 * The upstream connection that one client has logged in, while it is idle: nobody else gets it, and it ends with its client. A
 * proxy in front may send several people's requests over one client connection, so the key counts as well.
 */
export class OwnedConnection<E> {
  #connection: UpstreamConnection<E> | undefined = undefined
  #key = ''
  #isClosed = false

  get isEmpty(): boolean {
    return this.#connection === undefined
  }

  /** It is idle, and the owner's from now on. Another one that was there goes. */
  put(connection: UpstreamConnection<E>, key: string): void {
    this.#connection?.close()
    this.#connection = undefined
    if (this.#isClosed) connection.close()
    else this.#connection = connection
    this.#key = key
  }

  /** For the next exchange of the same person, if it leads to this endpoint and has not died meanwhile. */
  take(endpoint: string, key: string): UpstreamConnection<E> | undefined {
    const connection = this.#connection
    if (connection === undefined || connection.endpoint !== endpoint || this.#key !== key) return undefined
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
