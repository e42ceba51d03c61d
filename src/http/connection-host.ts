import type { Socket } from 'node:net'
import type { DownstreamEvents } from './downstream.ts'
import type { Queued } from './queued.ts'

/** What a client's connection `C` needs to know of the listener that took it in. */
export interface ConnectionHost<E, C> {
  readonly events: DownstreamEvents<E>
  readonly isDraining: boolean
  readonly headTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  /**
   * Its client speaks HTTP/2, beginning with these bytes. Whoever takes its place has its socket from now on, and is given whatever is
   * still read into it.
   */
  speaksHttp2(connection: C, socket: Socket, began: Buffer): void
  /** It waits for a request, with nothing read. */
  connectionIdle(connection: C): void
  connectionBusy(connection: C): void
  /** Its last exchange is over, nothing more will come of it: it does not hold up a stop. */
  connectionClosing(connection: C): void
  connectionClosed(connection: C): void
}

/** A client's connection, as far as the listener needs to know it. */
export interface HeldConnection extends Queued {
  /** Taken in past the connection limit. */
  readonly isOverLimit: boolean
  /** Closes at once. */
  close(): void
}
