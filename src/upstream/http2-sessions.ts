import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Upstream, Version } from '../config/snapshot.ts'
import type { UpstreamConnection, UpstreamEvents } from '../http/upstream-connection.ts'
import type { Http2ClientConnection, SessionHome } from '../http2/client-connection.ts'
import { Deadline } from '../runtime/deadline.ts'
import { ReadBuffer } from '../runtime/read-buffers.ts'
import type { Connectable, Waiter } from './connect.ts'

/** What it may be where HTTP/2 is wanted. */
export type Http2Version = Exclude<Version, 'http1'>

/** What a pool does for its HTTP/2 connections. */
export interface Http2Pool<E> {
  readonly events: UpstreamEvents<E>
  /** Makes a new connection, of which the handshake says what it speaks. Returns how to cancel. */
  reach(upstream: Upstream, version: Http2Version, waiter: ReachWaiter<E>): () => void
  /** An HTTP/1 connection. */
  connect(upstream: Upstream, waiter: Waiter<E>): () => void
  readonly nowMs: number
  /** Whether a connection of that age may take another exchange, or stay while it is idle. */
  mayServe(session: Http2ClientConnection<E>): boolean
  mayStay(session: Http2ClientConnection<E>): boolean
  sessionOpened(session: Http2ClientConnection<E>): void
  sessionClosed(session: Http2ClientConnection<E>): void
}

export interface ReachWaiter<E> {
  trying(address: string): void
  connected(connection: Undecided<E>): void
  failed: Waiter<E>['failed']
}

/** A connection that its handshake decides about: until then it may speak either version. */
export class Undecided<E> implements Connectable {
  readonly http2: Http2ClientConnection<E>
  readonly #http1: () => Connectable & UpstreamConnection<E>
  readonly #isSure: boolean
  readonly #reads = new ReadBuffer()
  #speaks: Connectable | undefined = undefined
  /** What it is, if it does not speak HTTP/2. */
  http1: (Connectable & UpstreamConnection<E>) | undefined = undefined

  /** `isSure`: it speaks HTTP/2, and nobody is asked. */
  constructor(http2: Http2ClientConnection<E>, http1: () => Connectable & UpstreamConnection<E>, isSure: boolean) {
    this.http2 = http2
    this.#http1 = http1
    this.#isSure = isSure
  }

  attach(socket: Socket): void {
    if (this.#isSure || (socket as TLSSocket).alpnProtocol === 'h2') this.#speaks = this.http2
    else this.#speaks = this.http1 = this.#http1()
    this.#speaks.attach(socket)
  }

  onBytes(buffer: Buffer, length: number): boolean {
    return this.#speaks?.onBytes(buffer, length) ?? true
  }

  nextReadBuffer(): Buffer {
    return this.#speaks?.nextReadBuffer() ?? this.#reads.next()
  }
}

/** Somebody who waits for a place on a connection. */
interface Guest<E> {
  readonly upstream: Upstream
  readonly version: Http2Version
  readonly waiter: Waiter<E>
  readonly deadline: Deadline
  /** It has been served, or has given up. */
  isGone: boolean
  /** It was sent on to a connection of its own: how to cancel that. */
  giveUp: (() => void) | undefined
}

/**
 * The HTTP/2 connections to one endpoint. One is made at a time, and whoever needs one meanwhile waits for it: a burst of exchanges
 * costs one handshake.
 */
export class Http2Sessions<E> implements SessionHome<E> {
  readonly events: UpstreamEvents<E>
  readonly #pool: Http2Pool<E>
  usualStreams: number = Number.POSITIVE_INFINITY
  readonly #open = new Set<Http2ClientConnection<E>>()
  readonly #guests = new Set<Guest<E>>()
  #stopDialling: (() => void) | undefined = undefined
  /** Whether the upstream has agreed to HTTP/2 when it was asked last. */
  #speaksHttp2: boolean | undefined = undefined

  constructor(pool: Http2Pool<E>) {
    this.#pool = pool
    this.events = pool.events
  }

  /** It is known to speak HTTP/1 alone. */
  get speaksHttp1(): boolean {
    return this.#speaksHttp2 === false
  }

  /** For each connection, whether it carries an exchange. */
  *states(): Iterable<boolean> {
    for (const { busy } of this.#open) yield busy > 0
  }

  /** The connection with a place that carries fewest exchanges. */
  take(): Http2ClientConnection<E> | undefined {
    let best: Http2ClientConnection<E> | undefined
    for (const session of this.#open) {
      if (!session.hasRoom || !this.#pool.mayServe(session)) continue
      if (best === undefined || session.busy < best.busy) best = session
    }
    return best
  }

  /** A place on a connection that is there by then, or an HTTP/1 connection where that will do. */
  connect(upstream: Upstream, version: Http2Version, waiter: Waiter<E>): () => void {
    const session = this.take()
    if (session !== undefined) {
      // Whoever asks does not expect to be answered within the call.
      let isCancelled = false
      setImmediate(() => {
        if (isCancelled) return
        if (session.hasRoom) waiter.connected(session.newStream())
        else cancel = this.#wait(upstream, version, waiter)
      })
      let cancel = (): void => {
        isCancelled = true
      }
      return () => cancel()
    }
    return this.#wait(upstream, version, waiter)
  }

  #wait(upstream: Upstream, version: Http2Version, waiter: Waiter<E>): () => void {
    const leave = (): void => {
      guest.isGone = true
      guest.giveUp?.()
      guest.deadline.close()
      if (!this.#guests.delete(guest) || this.#guests.size > 0) return
      this.#stopDialling?.()
      this.#stopDialling = undefined
    }
    const deadline = new Deadline(() => {
      leave()
      waiter.failed('connect_timeout', undefined)
    })
    deadline.arm(upstream.connectTimeoutMs)
    const guest: Guest<E> = { upstream, version, waiter, deadline, isGone: false, giveUp: undefined }
    this.#guests.add(guest)
    this.#dial()
    return leave
  }

  /** For the guest that has waited longest, if nobody is on the way for them already. */
  #dial(): void {
    if (this.#stopDialling !== undefined) return
    const [first] = this.#guests
    if (first === undefined) return
    let isOver = false
    const over = (): void => {
      isOver = true
      this.#stopDialling = undefined
    }
    const stop = this.#pool.reach(first.upstream, first.version, {
      trying: (address) => {
        for (const { waiter } of this.#guests) waiter.trying(address)
      },
      connected: (connection) => {
        over()
        if (connection.http1 === undefined) this.#opened(connection.http2)
        else this.#refused(connection.http1)
      },
      failed: (failure, cause) => {
        over()
        // Whoever is content with HTTP/1.1 as well is not to fail because HTTP/2 alone was asked for, and refused.
        const { version } = first
        this.#serve(this.#takeGuests(version), ({ waiter }) => waiter.failed(failure, cause))
        this.#dial()
      },
    })
    if (!isOver) this.#stopDialling = stop
  }

  /** All of them, or those for whom a connection was made. */
  #takeGuests(version?: Http2Version): readonly Guest<E>[] {
    const guests = [...this.#guests].filter((guest) => version === undefined || guest.version === version)
    for (const guest of guests) {
      this.#guests.delete(guest)
      guest.deadline.close()
    }
    return guests
  }

  #opened(session: Http2ClientConnection<E>): void {
    this.#speaksHttp2 = true
    this.#open.add(session)
    this.#pool.sessionOpened(session)
    // Whoever has waited for it gets it, though its upstream may take nobody and its pool may be on the way out.
    const [first] = this.#guests
    if (first !== undefined && session.isUsable) this.#seat(first, session)
    this.hasRoom(session)
  }

  #seat(guest: Guest<E>, session: Http2ClientConnection<E>): void {
    this.#guests.delete(guest)
    guest.isGone = true
    guest.deadline.close()
    guest.waiter.connected(session.newStream())
  }

  /** It speaks HTTP/1: that does for some, and each of them needs a connection of its own. */
  #refused(connection: UpstreamConnection<E>): void {
    this.#speaksHttp2 = false
    let left: UpstreamConnection<E> | undefined = connection
    this.#serve(this.#takeGuests(), (guest) => {
      const { upstream, version, waiter } = guest
      if (version === 'http2') waiter.failed('upstream_protocol', 'alpn')
      else if (left !== undefined) {
        const given = left
        left = undefined
        waiter.connected(given)
      } else guest.giveUp = this.#pool.connect(upstream, waiter)
    })
    left?.close()
  }

  /** Serving one may have let another go. */
  #serve(guests: readonly Guest<E>[], serve: (guest: Guest<E>) => void): void {
    for (const guest of guests) if (!guest.isGone) serve(guest)
  }

  // ---- SessionHome

  hasRoom(session: Http2ClientConnection<E>): void {
    this.#serve([...this.#guests], (guest) => {
      if (session.hasRoom && this.#pool.mayServe(session)) this.#seat(guest, session)
    })
    if (this.#guests.size > 0) this.#dial()
    else if (this.#stopDialling !== undefined) {
      this.#stopDialling()
      this.#stopDialling = undefined
    }
  }

  idle(session: Http2ClientConnection<E>): void {
    session.idleSinceMs = this.#pool.nowMs
    if (!this.#pool.mayStay(session)) session.leave()
  }

  closed(session: Http2ClientConnection<E>): void {
    if (this.#open.delete(session)) this.#pool.sessionClosed(session)
  }

  // ---- time and configuration

  /** Closes what has been idle for too long, or leads where nobody goes any more. */
  closeIdle(): void {
    for (const session of [...this.#open]) if (session.busy === 0 && !this.#pool.mayStay(session)) session.leave()
  }

  /** Called now and then. */
  lookAlive(): void {
    for (const session of [...this.#open]) session.lookAlive(this.#pool.nowMs)
  }

  /** Nobody leads here any more: what is idle goes now, what is busy with its last exchange. */
  retire(): void {
    for (const session of [...this.#open]) session.leave()
  }
}
