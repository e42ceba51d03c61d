import type net from 'node:net'
import type { BindAddress, ServerSettings } from '../config/snapshot.ts'
import { includesPeer } from '../http/address.ts'
import type { DownstreamEvents } from '../http/downstream.ts'
import type { ConnectionHost } from '../http1/connection-host.ts'
import { adoptAccepted } from '../runtime/sockets.ts'
import { bindTcp, describe } from './bind.ts'
import { IdleQueue } from './idle-queue.ts'
import { askToLeave, type ClientsConnection, serveHttp1, succeed } from './protocol.ts'
import { ProxyGate } from './proxy-gate.ts'
import { bindUnix, changeMode, closeUnix, takeAway, type UnixSocket } from './unix-socket.ts'

export type BindResult = { ok: true; address: string } | { ok: false; error: string }

export interface ListenerEvents {
  acceptFailed(error: Error): void
  /** A connection whose peer had to send a PROXY header was closed, for it sent none. */
  proxyHeaderFailed(peerIp: string | undefined, fault: string): void
}

/** Connections past the limit that may wait for their 503 at once; further ones are closed without a word. */
const MAX_OVER_LIMIT = 512
/** What a stop leaves to clients that have their answers and have not ended their side. */
const STOP_LINGER_MS = 1_000

/**
 * Takes clients in, up to `max_connections`, and knows which of their connections are idle. A socket can be exchanged for
 * another under running connections.
 */
export class Listener<E> implements ConnectionHost<E, ClientsConnection<E>> {
  readonly events: DownstreamEvents<E>
  isDraining = false
  #settings: ServerSettings
  #server: net.Server | undefined = undefined
  readonly #open = new Set<ClientsConnection<E>>()
  /** Open connections whose exchanges are over. */
  readonly #closing = new Set<ClientsConnection<E>>()
  readonly #idle = new IdleQueue<ClientsConnection<E>>()
  #overLimit = 0
  #drained: (() => void) | undefined = undefined
  #lingering: NodeJS.Timeout | undefined = undefined
  #hasLingered = false
  readonly #told: ListenerEvents
  /** Of the Unix socket that is listened on. */
  #socket: (UnixSocket & { mode: number; accepted: number }) | undefined = undefined

  constructor(settings: ServerSettings, events: DownstreamEvents<E>, told: ListenerEvents) {
    this.#settings = settings
    this.events = events
    this.#told = told
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
    const { path } = address
    const wanted = path === undefined ? undefined : { path, mode: this.#settings.socketMode, accepted: 0 }
    const result =
      path === undefined
        ? await bindTcp(address, (accepted) => this.#accept(accepted, false))
        : await bindUnix(path, wanted!.mode, (accepted) => {
            wanted!.accepted++
            this.#accept(accepted, true)
          })
    if (!result.ok) return result
    const [server, socket] = [this.#server, this.#socket]
    this.#server = result.server
    this.#server.on('error', this.#told.acceptFailed)
    this.#socket = wanted && Object.assign(wanted, { file: result.file })
    const shown = path === undefined ? describe(this.#server.address()) : address.text
    if (socket !== undefined) await takeAway(socket, () => socket.accepted)
    closeServer(server, socket)
    return { ok: true, address: shown }
  }

  /** What can be changed of the present socket without binding it again: the mode of its file. What went wrong, if anything did. */
  async adjust(): Promise<string | undefined> {
    const { socketMode: mode } = this.#settings
    if (this.#socket === undefined || this.#socket.mode === mode) return undefined
    const error = await changeMode(this.#socket.path, mode)
    if (error === undefined) this.#socket.mode = mode
    return error
  }

  /** Stops accepting on the present socket, for a rebind to an address that overlaps it. The file of a Unix socket goes with it. */
  unbind(): void {
    closeServer(this.#server, this.#socket)
    this.#server = undefined
    this.#socket = undefined
  }

  #accept(accepted: net.Socket, isUnix: boolean): void {
    if (!isUnix && this.#isOfNobody(accepted)) {
      accepted.destroy()
      return
    }
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

  /**
   * A TCP connection that was reset before it was accepted has no address. Where it matters who a peer is, it must not pass for
   * somebody on a Unix socket, nor a balancer's health check for a client that sends a PROXY header.
   */
  #isOfNobody(accepted: net.Socket): boolean {
    const { proxyProtocol, trustedProxies } = this.#settings
    return (proxyProtocol ?? trustedProxies) !== undefined && accepted.remoteAddress === undefined
  }

  get #isFull(): boolean {
    return this.#open.size - this.#overLimit >= this.#settings.maxConnections
  }

  /**
   * The connection that has had its last answer longest ago, and only lingers: it gives way before anybody who may still ask for
   * something.
   */
  #answeredLongest(isOverLimit: boolean): ClientsConnection<E> | undefined {
    for (const connection of this.#closing) if (connection.isOverLimit === isOverLimit) return connection
    return undefined
  }

  #adopt(accepted: net.Socket, isOverLimit: boolean): void {
    if (isOverLimit && this.#overLimit >= MAX_OVER_LIMIT) this.#answeredLongest(true)?.close()
    if (this.isDraining || accepted.destroyed || (isOverLimit && this.#overLimit >= MAX_OVER_LIMIT)) {
      accepted.destroy()
      return
    }
    const peerIp = plainAddress(accepted.remoteAddress)
    const connection = serveHttp1<E>(this, { peerIp, clientIp: peerIp, isOverLimit })
    this.#open.add(connection)
    if (isOverLimit) this.#overLimit++
    const { proxyProtocol } = this.#settings
    if (proxyProtocol === undefined || !includesPeer(proxyProtocol, connection.peerIp)) {
      connection.attach(adoptAccepted(accepted, connection))
    } else this.#guard(accepted, connection)
  }

  /** Its peer is a balancer, which says first who the client is. */
  #guard(accepted: net.Socket, connection: ReturnType<typeof serveHttp1<E>>): void {
    const gate = new ProxyGate(connection, this.headTimeoutMs, {
      failed: (fault) => this.#told.proxyHeaderFailed(connection.peerIp, fault),
      bug: (error) => this.events.bug(undefined, connection, error),
    })
    const socket = adoptAccepted(accepted, gate)
    socket.once('close', () => gate.close())
    connection.attach(socket)
  }

  // ---- ConnectionHost

  speaksHttp2(connection: ClientsConnection<E>, socket: net.Socket, began: Buffer): void {
    this.#idle.remove(connection)
    this.#open.delete(connection)
    succeed(this, connection, socket, began, (successor) => this.#open.add(successor))
  }

  connectionIdle(connection: ClientsConnection<E>): void {
    if (!connection.isOverLimit) this.#idle.add(connection)
  }

  connectionBusy(connection: ClientsConnection<E>): void {
    this.#idle.remove(connection)
  }

  connectionClosing(connection: ClientsConnection<E>): void {
    this.#closing.add(connection)
    this.#tellIfDrained()
  }

  connectionClosed(connection: ClientsConnection<E>): void {
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
    for (const connection of this.#open) {
      if (connection.isOverLimit) connection.close()
      else askToLeave(connection)
    }
    this.#tellIfDrained()
  }

  /**
   * When the last exchange is over, and a moment later where clients have not ended their side yet: the end of a process resets
   * connections whose client has sent more than was read, and what was on its way to that client is lost.
   */
  #tellIfDrained(): void {
    if (this.#drained === undefined || this.busyCount > 0) return
    if (this.#closing.size > 0 && !this.#hasLingered) {
      this.#lingering ??= setTimeout(() => {
        this.#hasLingered = true
        this.#tellIfDrained()
      }, STOP_LINGER_MS)
      return
    }
    clearTimeout(this.#lingering)
    const drained = this.#drained
    this.#drained = undefined
    drained()
  }

  /** Cuts whatever is still there. */
  destroy(): void {
    for (const connection of [...this.#open]) connection.close()
  }
}

function closeServer(server: net.Server | undefined, socket: UnixSocket | undefined): void {
  if (server !== undefined && socket !== undefined) closeUnix(server, socket)
  else server?.close()
}

/** IPv4 clients of an IPv6 socket are shown as what they are. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}
