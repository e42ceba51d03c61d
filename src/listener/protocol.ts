import type { Socket } from 'node:net'
import type { ConnectionHost, HeldConnection } from '../http/connection-host.ts'
import type { ClientTls } from '../http/downstream.ts'
import { ServerConnection } from '../http1/server-connection.ts'
import { Http2ServerConnection } from '../http2/server-connection.ts'

const HTTP2 = 'h2'

/** Offered over TLS (RFC 7301), the first that a client offers too. */
export const ALPN_PROTOCOLS: string[] = [HTTP2, 'http/1.1']

/** A client's connection, whatever it speaks. */
export type ClientsConnection<E> = ServerConnection<E> | Http2ServerConnection<E>

export type ClientsHost<E> = ConnectionHost<E, ClientsConnection<E>>

export interface ClientsFacts {
  readonly peerIp: string | undefined
  readonly clientIp: string | undefined
  readonly tls: ClientTls | undefined
  readonly isOverLimit: boolean
}

/** A connection for a client of which ALPN has said what it speaks; undefined: nothing has, and it is HTTP/1 until it shows otherwise. */
export function serve<E>(host: ClientsHost<E>, facts: ClientsFacts, alpn: string | undefined): ClientsConnection<E> {
  if (alpn === HTTP2) return new Http2ServerConnection<E>(host, facts)
  return serveHttp1(host, facts)
}

/** For a client of whom it is not known yet. */
export function serveHttp1<E>(
  host: ClientsHost<E>,
  { peerIp, clientIp, tls, isOverLimit }: ClientsFacts,
): ServerConnection<E> {
  const connection = new ServerConnection<E>(host, peerIp, isOverLimit)
  connection.clientIp = clientIp
  connection.tls = tls
  return connection
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
  const connection = new Http2ServerConnection<E>(host, before)
  takesPlace(connection)
  before.onBytes = (buffer, length) => connection.onBytes(buffer, length)
  before.nextReadBuffer = () => connection.nextReadBuffer()
  connection.attach(socket)
  connection.onBytes(began, began.length)
}

/** Tells a client that it should go. One that speaks HTTP/1 hears of it with its next answer. */
export function askToLeave(connection: HeldConnection): void {
  if (connection instanceof Http2ServerConnection) connection.leave()
}
