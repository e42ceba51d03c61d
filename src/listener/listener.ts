import net from 'node:net'
import type { BindAddress, ServerSettings } from '../config/snapshot.ts'
import type { DownstreamEvents } from '../http/downstream.ts'
import type { ConnectionHost } from '../http1/connection-host.ts'
import { ServerConnection } from '../http1/server-connection.ts'
import { adoptAccepted } from '../runtime/sockets.ts'
import { IdleQueue } from './idle-queue.ts'

export type BindResult = { ok: true; address: string } | { ok: false; error: string }

/** Connections past the limit that may wait for their 503 at once; further ones are closed without a word. */
const MAX_OVER_LIMIT = 512
/** Connections that the kernel may hold for us between two turns of the event loop. */
const BACKLOG = 4_096

/**
 * Takes clients in, up to `max_connections`, and knows which of their connections are idle. A socket can be exchanged for
 * another under running connections.
 */
export class Listener<E> implements ConnectionHost<E, ServerConnection<E>> {
  readonly events: DownstreamEvents<E>
  isDraining = false
  #settings: ServerSettings
  #server: net.Server | undefined = undefined
  readonly #open = new Set<ServerConnection<E>>()
  /** Open connections whose exchanges are over. */
  readonly #closing = new Set<ServerConnection<E>>()
  readonly #idle = new IdleQueue<ServerConnection<E>>()
  #overLimit = 0
  #drained: (() => void) | undefined = undefined
  readonly #acceptFailed: (error: Error) => void

  constructor(settings: ServerSettings, events: DownstreamEvents<E>, acceptFailed: (error: Error) => void) {
    this.#settings = settings
    this.events = events
    this.#acceptFailed = acceptFailed
  }

  get headTimeoutMs(): number {
    return this.#settings.headTimeoutMs
  }

  get keepAliveTimeoutMs(): number {
    return this.#settings.keepAliveTimeoutMs
  }

  /** For exchanges and idle times that begin from now on. */
  publish(settings: ServerSettings): void {
    this.#settings = settings
  }

  async bind(address: BindAddress): Promise<BindResult> {
    const result = await bind(address, (socket) => this.#accept(socket))
    if (!result.ok) return { ok: false, error: result.error }
    this.#server?.close()
    this.#server = result.server
    this.#server.on('error', this.#acceptFailed)
    const { address: host, port } = this.#server.address() as net.AddressInfo
    return { ok: true, address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}` }
  }

  /** Stops accepting on the present socket, for a rebind to an address that overlaps it. */
  unbind(): void {
    this.#server?.close()
    this.#server = undefined
  }

  #accept(accepted: net.Socket): void {
    if (!this.#isFull) {
      this.#adopt(accepted, false)
      return
    }
    // One turn of the event loop: an idle connection whose next request has come already is not idle.
    setImmediate(() => {
      if (this.#isFull) (this.#answeredLongest(false) ?? this.#idle.longest)?.close()
      this.#adopt(accepted, this.#isFull)
    })
  }

  get #isFull(): boolean {
    return this.#open.size - this.#overLimit >= this.#settings.maxConnections
  }

  /**
   * The connection that has had its last answer longest ago, and only lingers: it gives way before anybody who may still ask for
   * something.
   */
  #answeredLongest(isOverLimit: boolean): ServerConnection<E> | undefined {
    for (const connection of this.#closing) if (connection.isOverLimit === isOverLimit) return connection
    return undefined
  }

  #adopt(accepted: net.Socket, isOverLimit: boolean): void {
    if (isOverLimit && this.#overLimit >= MAX_OVER_LIMIT) this.#answeredLongest(true)?.close()
    if (this.isDraining || accepted.destroyed || (isOverLimit && this.#overLimit >= MAX_OVER_LIMIT)) {
      accepted.destroy()
      return
    }
    const connection = new ServerConnection<E>(this, plainAddress(accepted.remoteAddress), isOverLimit)
    this.#open.add(connection)
    if (isOverLimit) this.#overLimit++
    connection.attach(adoptAccepted(accepted, connection))
  }

  // ---- ConnectionHost

  connectionIdle(connection: ServerConnection<E>): void {
    if (!connection.isOverLimit) this.#idle.add(connection)
  }

  connectionBusy(connection: ServerConnection<E>): void {
    this.#idle.remove(connection)
  }

  connectionClosing(connection: ServerConnection<E>): void {
    this.#closing.add(connection)
    this.#tellIfDrained()
  }

  connectionClosed(connection: ServerConnection<E>): void {
    this.#idle.remove(connection)
    if (this.#open.delete(connection) && connection.isOverLimit) this.#overLimit--
    this.#closing.delete(connection)
    this.#tellIfDrained()
  }

  /** Connections that a stop waits for: those whose exchange is not over, or whose request has begun to come. */
  get busyCount(): number {
    return this.#open.size - this.#closing.size
  }

  /** Accepts nothing more, closes what is idle, and calls back when the last exchange is over. */
  drain(drained: () => void): void {
    this.isDraining = true
    this.#drained = drained
    this.unbind()
    for (let idle = this.#idle.longest; idle !== undefined; idle = this.#idle.longest) idle.close()
    for (const connection of this.#open) if (connection.isOverLimit) connection.close()
    this.#tellIfDrained()
  }

  #tellIfDrained(): void {
    if (this.#drained === undefined || this.#open.size > this.#closing.size) return
    const drained = this.#drained
    this.#drained = undefined
    drained()
  }

  /** Cuts whatever is still there. */
  destroy(): void {
    for (const connection of [...this.#open]) connection.close()
  }
}

/**
 * Keep-alive probes hold a connection open in NATs and balancers while an answer is awaited, which may be silent for minutes: AWS
 * forgets one after 350 s, home routers after 60 to 300. As towards upstreams.
 */
const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 } as const

type Bound = { ok: true; server: net.Server } | { ok: false; error: string }

function bind(address: BindAddress, accept: (socket: net.Socket) => void): Promise<Bound> {
  return new Promise((resolve) => {
    const server = net.createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true, allowHalfOpen: true }, accept)
    server.once('error', (error) => resolve({ ok: false, error: error.message }))
    server.listen({ host: address.host, port: address.port, backlog: BACKLOG, exclusive: true }, () => {
      server.removeAllListeners('error')
      resolve({ ok: true, server })
    })
  })
}

/** IPv4 clients of an IPv6 socket are shown as what they are. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}
