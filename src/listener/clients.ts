import type net from 'node:net'
import type { ServerSettings, ServerTls } from '../config/snapshot.ts'
import { includesPeer } from '../http/address.ts'
import type { ConnectionHost, HeldConnection } from '../http/connection-host.ts'
import type { DownstreamEvents } from '../http/downstream.ts'
import type { ServerConnection } from '../http1/server-connection.ts'
import { adoptAccepted, loadTls, readSecured } from '../runtime/sockets.ts'
import { Arrival } from './arrival.ts'
import { GAUGES } from './gauges.ts'
import { IdleQueue } from './idle-queue.ts'
import { askToLeave, type ClientsConnection, serve, serveHttp1, succeed } from './protocol.ts'
import { ProxyGate } from './proxy-gate.ts'
import { subjectOf, type TlsTerms, termsOf } from './tls.ts'

export interface ClientsEvents {
  /** A connection whose peer had to send a PROXY header was closed, for it sent none. */
  proxyHeaderFailed(peerIp: string | undefined, fault: string): void
  /** A handshake came to nothing; see `isCause`. */
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
/** What a connection has for its next request once it is to leave: one may be on its way. */
const LEAVE_MS = 500

/**
 * The clients of one thread: takes connections in, knows which of them are idle, and ends them. How many there may be is decided
 * by whoever accepts: that is this class where one thread does everything (`accept`), else somebody else gives each of them its
 * place (`takeIn`).
 */
export class Clients<E> implements ConnectionHost<E, ClientsConnection<E>> {
  readonly events: DownstreamEvents<E>
  isDraining = false
  #settings: ServerSettings
  readonly #open = new Set<HeldConnection>()
  /** Open connections whose exchanges are over. */
  readonly #closing = new Set<HeldConnection>()
  readonly #idle = new IdleQueue<HeldConnection>()
  /** Of the TLS that is spoken, once somebody has come. */
  #terms: TlsTerms | undefined = undefined
  #overLimit = 0
  /** Places that connections have been given. */
  #granted = 0
  /** A stop: nobody is taken in any more. */
  #isClosed = false
  #drained: (() => void) | undefined = undefined
  #lingering: NodeJS.Timeout | undefined = undefined
  #hasLingered = false
  #leaving: NodeJS.Timeout | undefined = undefined
  readonly #told: ClientsEvents
  readonly #gauges: Int32Array

  constructor(
    settings: ServerSettings,
    events: DownstreamEvents<E>,
    told: ClientsEvents,
    gauges: Int32Array = new Int32Array(Object.keys(GAUGES).length),
  ) {
    this.#settings = settings
    this.events = events
    if (settings.tls !== undefined) loadTls()
    this.#told = told
    this.#gauges = gauges
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
    if (settings.tls !== undefined) loadTls()
  }

  /** Connections within the limit. */
  get places(): number {
    return this.#open.size - this.#overLimit
  }

  /** Connections that a stop waits for: those whose exchange is not over, or whose request has begun to come. */
  get busyCount(): number {
    return this.#open.size - this.#closing.size
  }

  /** Those that would give way to another one: idle, or answered to their end. */
  get yieldingCount(): number {
    return this.#idle.size + this.#closing.size
  }

  // ---- in

  /** `elsewhere`: connections that count as well, and are somebody else's. `onOverLimit`: there was no place for it. */
  accept(accepted: net.Socket, isUnix: boolean, elsewhere: () => number, onOverLimit: () => void): void {
    const isFull = (): boolean => this.places + elsewhere() >= this.#settings.maxConnections
    if (this.#isOfNobody(accepted, isUnix)) accepted.destroy()
    else if (!isFull()) this.takeIn(accepted, isUnix)
    else {
      // One turn of the event loop: an idle connection whose next request has come already is not idle.
      setImmediate(() => {
        if (isFull()) this.makeRoom()
        if (isFull()) {
          onOverLimit()
          this.takeOver(accepted, isUnix)
        } else this.takeIn(accepted, isUnix)
      })
    }
  }

  /** A connection that has a place. */
  takeIn(accepted: net.Socket, isUnix: boolean): void {
    this.#granted++
    this.#adopt(accepted, isUnix, false)
    this.#tell()
  }

  /** A connection that has none: its first request is told so, and it ends. */
  takeOver(accepted: net.Socket, isUnix: boolean): void {
    this.#adopt(accepted, isUnix, true)
    this.#tell()
  }

  /** Closes one that gives way, if there is one. */
  makeRoom(): boolean {
    const connection = this.#answeredLongest(false) ?? this.#idle.longest
    connection?.close()
    return connection !== undefined
  }

  /**
   * A TCP connection that was reset before it was accepted has no address. Where it matters who a peer is, it must not pass for
   * somebody on a Unix socket, nor a balancer's health check for a client that sends a PROXY header.
   */
  #isOfNobody(accepted: net.Socket, isUnix: boolean): boolean {
    const { proxyProtocol, trustedProxies } = this.#settings
    return !isUnix && (proxyProtocol ?? trustedProxies) !== undefined && accepted.remoteAddress === undefined
  }

  /**
   * The connection that has had its last answer longest ago, and only lingers: it gives way before anybody who may still ask for
   * something.
   */
  #answeredLongest(isOverLimit: boolean): HeldConnection | undefined {
    for (const connection of this.#closing) if (connection.isOverLimit === isOverLimit) return connection
    return undefined
  }

  /** Its share of what may wait at once. */
  get #maxOverLimit(): number {
    return Math.ceil(MAX_OVER_LIMIT / this.#settings.workers)
  }

  #adopt(accepted: net.Socket, isUnix: boolean, isOverLimit: boolean): void {
    if (isOverLimit && this.#overLimit >= this.#maxOverLimit) this.#answeredLongest(true)?.close()
    const isTooMany = isOverLimit && this.#overLimit >= this.#maxOverLimit
    if (this.#isClosed || accepted.destroyed || isTooMany || this.#isOfNobody(accepted, isUnix)) {
      accepted.destroy()
      return
    }
    const peerIp = plainAddress(accepted.remoteAddress)
    const { proxyProtocol, tls } = this.#settings
    const needsHeader = proxyProtocol !== undefined && includesPeer(proxyProtocol, peerIp)
    if (tls !== undefined) this.#awaitTls(accepted, tls, { peerIp, isOverLimit, needsHeader })
    else {
      const facts = { peerIp, clientIp: peerIp, tls: undefined, isOverLimit }
      const connection = this.#hold(serveHttp1<E>(this, facts))
      if (!needsHeader) connection.attach(adoptAccepted(accepted, connection))
      else this.#guard(accepted, connection)
    }
    // It was on its way when the others were asked to leave.
    if (this.isDraining) this.#closeIdleLater()
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

  /** It has its place from now on, and becomes a connection of some protocol when its handshake is over. */
  #awaitTls(accepted: net.Socket, tls: ServerTls, { peerIp, isOverLimit, needsHeader }: Comer): void {
    this.#terms = termsOf(tls, this.#terms)
    const become = (alpn: string | undefined, isMissing: boolean, subject?: string): ClientsConnection<E> => {
      this.#release(arrival)
      const facts = { peerIp, clientIp: arrival.clientIp, tls: { isMissing, subject }, isOverLimit }
      const connection = this.#hold(serve<E>(this, facts, alpn))
      if (this.isDraining) this.#closeIdleLater()
      return connection
    }
    const arrival = new Arrival(
      accepted,
      { terms: this.#terms, isOverLimit, clientIp: peerIp, needsHeader },
      {
        secured: (socket) => {
          const connection = become(
            socket.alpnProtocol || undefined,
            false,
            tls.ca === undefined ? undefined : subjectOf(socket),
          )
          connection.attach(socket)
          readSecured(socket, connection)
        },
        plain: (socket, first) => {
          const connection = become(undefined, true)
          const adopted = adoptAccepted(socket, connection)
          connection.attach(adopted)
          if (!connection.onBytes(first, first.length)) adopted.pause()
        },
        proxyHeaderFailed: (fault) => this.#told.proxyHeaderFailed(peerIp, fault),
        handshakeFailed: (cause) => this.#told.handshakeFailed(arrival.clientIp, cause),
        bug: (error) => this.events.bug(undefined, undefined, error),
        closed: () => {
          this.#release(arrival)
          this.#tell()
          this.#tellIfDrained()
        },
      },
    )
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

  speaksHttp2(connection: ClientsConnection<E>, socket: net.Socket, began: Buffer): void {
    this.#release(connection)
    succeed(this, connection, socket, began, (successor) => this.#hold(successor))
  }

  connectionIdle(connection: ClientsConnection<E>): void {
    if (!connection.isOverLimit) this.#idle.add(connection)
    this.#gauges[GAUGES.yielding] = this.yieldingCount
  }

  connectionBusy(connection: ClientsConnection<E>): void {
    this.#idle.remove(connection)
    this.#gauges[GAUGES.yielding] = this.yieldingCount
  }

  connectionClosing(connection: ClientsConnection<E>): void {
    this.#closing.add(connection)
    this.#tell()
    this.#tellIfDrained()
  }

  connectionClosed(connection: ClientsConnection<E>): void {
    this.#release(connection)
    this.#tell()
    this.#tellIfDrained()
  }

  #tell(): void {
    this.#gauges[GAUGES.released] = this.#granted - this.places
    this.#gauges[GAUGES.yielding] = this.yieldingCount
    this.#gauges[GAUGES.busy] = this.busyCount
    this.#gauges[GAUGES.overLimit] = this.#overLimit
  }

  // ---- out

  /**
   * Lets everybody leave, and calls back when they have: answers say that the connection closes, and what is idle is closed after
   * LEAVE_MS, for a request may be on its way. Whoever was on the way here is still taken in.
   */
  retire(left: () => void): void {
    this.isDraining = true
    this.#drained = left
    this.#tellToLeave()
    this.#closeIdleLater()
    this.#tellIfDrained()
  }

  /** The same for a gateway that goes on accepting: who comes is served, and told to go. */
  askToLeave(): void {
    this.retire(() => {})
  }

  /** After all, clients may stay; those that have been told to leave do that. */
  resume(): void {
    if (this.#isClosed) return
    clearTimeout(this.#leaving)
    this.#stopLingering()
    this.#drained = undefined
    this.isDraining = false
  }

  #stopLingering(): void {
    clearTimeout(this.#lingering)
    this.#lingering = undefined
    this.#hasLingered = false
  }

  #tellToLeave(): void {
    for (const connection of this.#open) askToLeave(connection)
  }

  #closeIdleLater(): void {
    clearTimeout(this.#leaving)
    this.#leaving = setTimeout(() => this.#closeIdle(), LEAVE_MS)
  }

  #closeIdle(): void {
    for (let idle = this.#idle.longest; idle !== undefined; idle = this.#idle.longest) {
      // Whoever is in the middle of a handshake has something to ask, and its own time for it; a stop does not wait for it.
      if (idle instanceof Arrival && !this.#isClosed) this.#idle.remove(idle)
      else idle.close()
    }
    for (const connection of this.#open) if (connection.isOverLimit) connection.close()
  }

  /** A stop: takes nobody in, closes what is idle, and calls back when the last exchange is over. */
  drain(drained: () => void): void {
    this.isDraining = true
    this.#isClosed = true
    clearTimeout(this.#leaving)
    this.#stopLingering()
    this.#drained = drained
    this.#closeIdle()
    this.#tellToLeave()
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
    clearTimeout(this.#leaving)
    const drained = this.#drained
    this.#drained = undefined
    drained()
  }

  /** Cuts whatever is still there. */
  destroy(): void {
    for (const connection of [...this.#open]) connection.close()
  }
}

/** IPv4 clients of an IPv6 socket are shown as what they are. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}
