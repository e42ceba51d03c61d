import type { BigIntStats } from 'node:fs'
import net from 'node:net'
import type { TcpBindAddress } from '../config/snapshot.ts'

/** Sockets that are listened on. */

export type Bound = Listening | Unbound
interface Listening {
  readonly ok: true
  readonly server: net.Server
  /** Of a Unix socket: what it has made at its path. */
  readonly file?: BigIntStats | undefined
}
export interface Unbound {
  readonly ok: false
  readonly error: string
  /** Of the system: `EADDRINUSE`. */
  readonly code?: string | undefined
}

export type Accept = (socket: net.Socket) => void

/** Connections that the kernel may hold for us between two turns of the event loop. */
export const BACKLOG = 4_096

/**
 * Keep-alive probes hold a connection open in NATs and balancers while an answer is awaited, which may be silent for minutes: AWS
 * forgets one after 350 s, home routers after 60 to 300. As towards upstreams.
 */
const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 } as const

/**
 * `[::]` is every address of both families, and of the one that there is: a kernel without IPv6 knows no such socket, so there it is
 * every IPv4 address. One configuration serves clusters of either family.
 */
export async function bindTcp({ host, port }: TcpBindAddress, accept: Accept): Promise<Bound> {
  const bound = await bind({ host, port }, accept)
  if (bound.ok || host !== '::' || bound.code !== 'EAFNOSUPPORT') return bound
  return bind({ host: '0.0.0.0', port }, accept)
}

/** The call to the kernel is made before this returns. */
export function bind(
  address: { host: string; port: number } | { path: string } | { fd: number },
  accept: Accept,
): Promise<Bound> {
  return new Promise((resolve) => {
    const server = net.createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true, allowHalfOpen: true }, accept)
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ ok: false, error: error.message, code: error.code }),
    )
    server.listen({ ...address, backlog: BACKLOG, exclusive: true }, () => {
      server.removeAllListeners('error')
      resolve({ ok: true, server })
    })
  })
}

export function describe(address: net.AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') return `unix:${address ?? ''}`
  const { address: host, port } = address
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
