import type net from 'node:net'
import type { BindAddress, ServerSettings, ServerTls } from '../config/snapshot.ts'
import { includesPeer } from '../http/address.ts'
import type { DownstreamEvents, HeldConnection } from '../http/downstream.ts'
import type { ConnectionHost } from '../http1/connection-host.ts'
import { ServerConnection } from '../http1/server-connection.ts'
import { adoptAccepted, readSecured } from '../runtime/sockets.ts'
import { Arrival } from './arrival.ts'
import { bindTcp, describe } from './bind.ts'
import { IdleQueue } from './idle-queue.ts'
import { ProxyGate } from './proxy-gate.ts'
import { subjectOf, type TlsTerms, termsOf } from './tls.ts'
import { bindUnix, changeMode, closeUnix, takeAway, type UnixSocket } from './unix-socket.ts'

export type BindResult = { ok: true; address: string } | { ok: false; error: string }

export interface ListenerEvents {
  acceptFailed(error: Error): void
  /** A connection whose peer had to send a PROXY header was closed, for it sent none. */
  proxyHeaderFailed(peerIp: string | undefined, fault: string): void
  /** A handshake came to nothing; see `Cause`. */
  handshakeFailed(clientIp: string | undefined, cause: string | undefined): void
}

/** Who has connected. */
interface Comer {
  readonly peerIp: string | undefined
  readonly isOverLimit: boolean
  /** It is a balancer, which says first who the client is. */
  readonly needsHeader: boolean
}

/** Connections past the limit that may wait for their 503 at once; further ones are closed without a word. */
const MAX_OVER_LIMIT = 512
/** What a stop leaves to clients that have their answers and have not ended their side. */
const STOP_LINGER_MS = 1_000

/**
 * Takes clients in, up to `max_connections`, and knows which of their connections are idle. A socket can be exchanged for
 * another under running connections.
 */
export class Listener<E> implements ConnectionHost<E, ServerConnection<E>> {
  readonly events: DownstreamEvents<E>
  isDraining = false
  #settings: ServerSettings
  #server: net.Server | undefined = undefined
  readonly #open = new Set<HeldConnection>()
  /** Open connections whose exchanges are over. */
  readonly #closing = new Set<HeldConnection>()
  readonly #idle = new IdleQueue<HeldConnection>()
  #terms: TlsTerms | undefined = undefined
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
  #answeredLongest(isOverLimit: boolean): HeldConnection | undefined {
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
    const { proxyProtocol, tls } = this.#settings
    const needsHeader = proxyProtocol !== undefined && includesPeer(proxyProtocol, peerIp)
    if (tls !== undefined) {
      this.#awaitTls(accepted, tls, { peerIp, isOverLimit, needsHeader })
      return
    }
    const connection = this.#hold(new ServerConnection<E>(this, peerIp, isOverLimit))
    if (!needsHeader) connection.attach(adoptAccepted(accepted, connection))
    else this.#guard(accepted, connection)
  }

  #hold<C extends HeldConnection>(connection: C): C {
    this.#open.add(connection)
    if (connection.isOverLimit) this.#overLimit++
    return connection
  }

  #release(connection: HeldConnection): void {
    this.#idle.remove(connection)
    if (this.#open.delete(connection) && connection.isOverLimit) this.#overLimit--
    this.#closing.delete(connection)
  }

  #awaitTls(accepted: net.Socket, tls: ServerTls, { peerIp, isOverLimit, needsHeader }: Comer): void {
    this.#terms = termsOf(tls, this.#terms)
    const become = (): ServerConnection<E> => {
      this.#release(arrival)
      const connection = this.#hold(new ServerConnection<E>(this, peerIp, isOverLimit))
      connection.clientIp = arrival.clientIp
      return connection
    }
    const options = { terms: this.#terms!, isOverLimit, clientIp: peerIp, needsHeader }
    const arrival = new Arrival(accepted, options, {
      secured: (socket) => {
        const connection = become()
        connection.tls = { isMissing: false, subject: tls.ca === undefined ? undefined : subjectOf(socket) }
        readSecured(socket, connection)
        connection.attach(socket)
      },
      plain: (socket, first) => {
        const connection = become()
        connection.tls = { isMissing: true, subject: undefined }
        connection.attach(adoptAccepted(socket, connection))
        connection.onBytes(first, first.length)
      },
      proxyHeaderFailed: (fault) => this.#told.proxyHeaderFailed(peerIp, fault),
      handshakeFailed: (cause) => this.#told.handshakeFailed(arrival.clientIp, cause),
      bug: (error) => this.events.bug(undefined, undefined, error),
      closed: () => {
        this.#release(arrival)
        this.#tellIfDrained()
      },
    })
    this.#hold(arrival)
    if (!isOverLimit) this.#idle.add(arrival)
    arrival.begin()
  }

  /** Its peer is a balancer, which says first who the client is. */
  #guard(accepted: net.Socket, connection: ServerConnection<E>): void {
    const gate = new ProxyGate(connection, this.headTimeoutMs, {
      failed: (fault) => this.#told.proxyHeaderFailed(connection.peerIp, fault),
      bug: (error) => this.events.bug(undefined, connection, error),
    })
    const socket = adoptAccepted(accepted, gate)
    socket.once('close', () => gate.close())
    connection.attach(socket)
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
    this.#release(connection)
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
