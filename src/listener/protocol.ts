import type { Socket } from 'node:net'
import type { ConnectionHost } from '../http1/connection-host.ts'
import { ServerConnection } from '../http1/server-connection.ts'
import { Http2ServerConnection } from '../http2/server-connection.ts'

/** A client's connection, whatever it speaks. */
export type ClientsConnection<E> = ServerConnection<E> | Http2ServerConnection<E>

export type ClientsHost<E> = ConnectionHost<E, ClientsConnection<E>>

export interface ClientsFacts {
  readonly peerIp: string | undefined
  readonly clientIp: string | undefined
  readonly isOverLimit: boolean
}

/**
 * A connection for a client that speaks HTTP/2, as its first bytes or ALPN have said. The socket must be one that reads into it, or into
 * somebody who hands all bytes on to it.
 */
function serveHttp2<E>(host: ClientsHost<E>, facts: ClientsFacts): Http2ServerConnection<E> {
  return new Http2ServerConnection<E>(host, facts.peerIp, facts.clientIp, facts.isOverLimit)
}

/** The same for HTTP/1, or for a client of whom that is not known yet. */
export function serveHttp1<E>(host: ClientsHost<E>, facts: ClientsFacts): ServerConnection<E> {
  return new ServerConnection<E>(host, facts.peerIp, facts.isOverLimit)
}

/**
 * Lets a connection that turned out to speak HTTP/2, beginning with these bytes, be followed by one that does. Its socket, or a gate
 * before it, goes on reading into the first one, which hands all of it on.
 */
export function succeed<E>(
  host: ClientsHost<E>,
  before: ClientsConnection<E>,
  socket: Socket,
  began: Buffer,
  takesPlace: (connection: Http2ServerConnection<E>) => void,
): void {
  const connection = serveHttp2(host, before)
  takesPlace(connection)
  before.onBytes = (buffer, length) => connection.onBytes(buffer, length)
  before.nextReadBuffer = () => connection.nextReadBuffer()
  connection.attach(socket)
  connection.onBytes(began, began.length)
}

/** Tells a client that it should go. One that speaks HTTP/1 hears of it with its next answer. */
export function askToLeave<E>(connection: ClientsConnection<E>): void {
  if (connection instanceof Http2ServerConnection) connection.leave()
}
