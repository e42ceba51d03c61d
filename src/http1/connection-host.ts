import type { DownstreamEvents } from '../http/downstream.ts'

/** What a client's connection `C` needs to know of the listener that took it in. */
export interface ConnectionHost<E, C> {
  readonly events: DownstreamEvents<E>
  readonly isDraining: boolean
  readonly headTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  /** It waits for a request, with nothing read. */
  connectionIdle(connection: C): void
  connectionBusy(connection: C): void
  /** Its last exchange is over, nothing more will come of it: it does not hold up a stop. */
  connectionClosing(connection: C): void
  connectionClosed(connection: C): void
}

/** A client's connection, as far as the listener needs to know it. */
export interface HeldConnection {
  /** Taken in past the connection limit. */
  readonly isOverLimit: boolean
  /** Neighbours in the listener's queue of idle connections. */
  idlePrevious: HeldConnection | undefined
  idleNext: HeldConnection | undefined
  isQueuedIdle: boolean
  /** Closes at once. */
  close(): void
}
