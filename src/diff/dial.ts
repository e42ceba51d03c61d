import { connect, isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls } from 'node:tls'
import type { UpstreamTls } from '../config/snapshot.ts'

/** Somewhere to connect to: the gateway or the provider. */
export interface Place {
  readonly role: 'gateway' | 'provider' | 'recording origin'
  /** For messages. */
  readonly url: string
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  readonly tls: UpstreamTls | undefined
  readonly connectTimeoutMs: number
}

/** There is nothing to compare: somebody cannot be reached, or does not answer. */
export class Unreachable extends Error {
  constructor({ role, url }: Place, reason: string) {
    const cure = role === 'gateway' ? '; start it, or say with --gateway where it is' : ''
    super(`the ${role} at ${url} cannot be reached: ${reason}${cure}`)
  }
}

/** A plain socket, or one over TLS with verification on: what is written and read are the bytes themselves. */
export function dial(place: Place): Promise<Socket> {
  const socket = place.scheme === 'https' ? dialTls(place) : connect({ host: place.host, port: place.port })
  socket.setNoDelay()
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      socket.destroy()
      reject(new Unreachable(place, reason))
    }
    const onError = (error: NodeJS.ErrnoException): void => fail(reasonOf(error))
    socket.once('error', onError)
    socket.setTimeout(place.connectTimeoutMs, () => fail(`no connection within ${place.connectTimeoutMs} ms`))
    socket.once(place.scheme === 'https' ? 'secureConnect' : 'connect', () => {
      socket.off('error', onError)
      socket.setTimeout(0)
      socket.removeAllListeners('timeout')
      resolve(socket)
    })
  })
}

function dialTls({ host, port, tls }: Place): Socket {
  const serverName = tls?.serverName ?? host
  return connectTls({
    host,
    port,
    // An IP address is checked against the certificate, but must not be sent as SNI (RFC 6066 section 3).
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined || tls.key === undefined ? {} : { cert: tls.cert, key: tls.key }),
  })
}

/** Several addresses make an error without a message of its own. */
function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'connection refused'
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return 'its name cannot be resolved'
  return error.message || error.code || 'no connection'
}
