import type { Socket } from 'node:net'
import type { DownstreamEvents } from '../http/downstream.ts'
import type { Reader } from '../runtime/sockets.ts'

/** What a client's connection `C` needs to know of the listener that took it in. */
export interface ConnectionHost<E, C> {
  readonly events: DownstreamEvents<E>
  readonly isDraining: boolean
  readonly headTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  /** Its client speaks HTTP/2: whoever is to have its socket takes its place, and is given all bytes from the first one on. */
  speaksHttp2(connection: C, socket: Socket): Reader
  /** It waits for a request, with nothing read. */
  connectionIdle(connection: C): void
  connectionBusy(connection: C): void
  /** Its last exchange is over, nothing more will come of it: it does not hold up a stop. */
  connectionClosing(connection: C): void
  connectionClosed(connection: C): void
}
