import type { Address, Upstream } from '../config/snapshot.ts'
import type { FailureCode } from '../failure.ts'
import type { UpstreamConnection, UpstreamEvents } from '../http/upstream-connection.ts'
import type { ClientConnection } from '../http1/client-connection.ts'
import { Http2ClientConnection } from '../http2/client-connection.ts'
import { monotonicMs } from '../runtime/clock.ts'
import type { Connectable, Waiter } from './connect.ts'
import { Dialler, type Reach } from './dialler.ts'
import { type Http2Pool, Http2Sessions, type Http2Version, type ReachWaiter, Undecided } from './http2-sessions.ts'
import { Pooled, type PoolOf, type Spot } from './pooled.ts'
import { type Lookup, Resolver } from './resolve.ts'

const HTTP1_ALONE = ['http/1.1']
const HTTP2_ALONE = ['h2']
const EITHER = ['h2', 'http/1.1']

/** The pool's clock: no connection needs a timer or a clock reading of its own. */
const TICK_MS = 500
/** Where the configuration asks for less than that can tell. */
const MIN_TICK_MS = 25
/** A connection idle for longer is looked at once more before its use: see `take`. */
const STALE_MS = 1_000
/**
 * While there are connections, their name is looked up once in this time. The system's resolver tells no time to live; a name
 * that moves with one of a minute is so followed within that minute, and a name server hardly notices.
 */
const LOOK_AGAIN_MS = 10_000

/** Hears of each new connection that was tried, and how long that took. Undefined: it was made. */
export type OnDialled = (upstream: Upstream, failure: FailureCode | undefined, tookMs: number) => void

/** How many connections an upstream has in each state. */
export interface ConnectionCounts {
  idle: number
  busy: number
  connecting: number
}

/**
 * The connections to one endpoint. Idle ones are a stack for each address: the warmest is used first and the others come to
 * their end.
 */
export class Pool<E> implements PoolOf<E>, Http2Pool<E> {
  readonly events: UpstreamEvents<E>
  /** One of those that lead here: all that concerns the way is the same for them. */
  readonly #upstream: Upstream
  readonly #resolver: Resolver
  readonly #dialler: Dialler
  /** Made when HTTP/2 is wanted for the first time. */
  #http2: Http2Sessions<E> | undefined = undefined
  readonly #onDialled: OnDialled | undefined
  /** All HTTP/1 connections that were made and are not closed. */
  readonly #all = new Set<Pooled<E>>()
  /** By name of the upstream, how many connections are being made. */
  readonly #dialling = new Map<string, number>()
  /** Those that were logged in by a client and wait for it, or carry its exchange. */
  readonly #owned = new Set<Pooled<E>>()
  /** Upstreams of the current snapshot that lead here, by name. */
  #users: ReadonlyMap<string, Upstream>
  readonly #spots: Spot<E>[] = []
  /** Connections, idle and busy. */
  #count = 0
  nowMs = 0
  #tickMs: number
  #tickedAtMs = 0
  #lookAgainAtMs = 0
  /** Runs while there is a connection. */
  #clock: NodeJS.Timeout | undefined = undefined
  #isRetired = false

  constructor(upstream: Upstream, events: UpstreamEvents<E>, lookup?: Lookup, onDialled?: OnDialled) {
    const { target, proxy } = upstream
    this.#upstream = upstream
    this.events = events
    this.#onDialled = onDialled
    this.#resolver = new Resolver(proxy?.host ?? target.host, lookup, () => this.#leaveGone())
    this.#dialler = new Dialler(upstream, this.#resolver)
    this.#users = new Map([[upstream.name, upstream]])
    this.#tickMs = tickFor([upstream])
  }

  get idleCount(): number {
    return this.#spots.reduce((count, { idle }) => count + idle.length, 0)
  }

  get ownedCount(): number {
    return this.#owned.size
  }

  /** Addresses of which an account is kept. */
  get spotCount(): number {
    return this.#spots.length
  }

  /**
   * An idle connection that this upstream may use, at the address where fewest exchanges run, and there the one that was used
   * last. If `isStale`, give the event loop one turn before using it: a FIN that the kernel has received already is then seen
   * first (checked again by `isUsable`).
   */
  take(upstream: Upstream): Pooled<E> | undefined {
    let best: Pooled<E> | undefined
    for (const spot of this.#spots) {
      if (best !== undefined && spot.busy > best.spot!.busy) continue
      const found = this.#warmest(spot, upstream)
      if (found === undefined) continue
      if (best === undefined || spot.busy < best.spot!.busy || found.idleSinceMs > best.idleSinceMs) best = found
    }
    if (best === undefined) return undefined
    best.isStale = this.nowMs - best.idleSinceMs > STALE_MS
    best.user = upstream
    best.isBusy = true
    remove(best.spot!.idle, best)
    best.spot!.busy++
    return best
  }

  #warmest({ idle }: Spot<E>, upstream: Upstream): Pooled<E> | undefined {
    for (let i = idle.length - 1; i >= 0; i--) {
      const pooled = idle[i]!
      if (!pooled.connection.isUsable) pooled.connection.close()
      else if (pooled.suits(upstream, this.nowMs)) return pooled
    }
    return undefined
  }

  /** Makes a new connection, within the upstream's time for that. Returns how to cancel. */
  connect(upstream: Upstream, waiter: Waiter<E, ClientConnection<E>>): () => void {
    const dialled = new Map<object, Pooled<E>>()
    return this.#dial(upstream, {
      alpn: HTTP1_ALONE,
      newConnection: (address) => {
        const pooled = new Pooled<E>(this, upstream, address)
        dialled.set(pooled.connection, pooled)
        return pooled.connection
      },
      trying: (address) => waiter.trying(address),
      connected: (connection) => {
        this.#add(dialled.get(connection)!)
        waiter.connected(connection)
      },
      failed: (failure, cause) => waiter.failed(failure, cause),
    })
  }

  /** Makes a new connection, and tells what came of it. */
  #dial<C extends Connectable>(upstream: Upstream, reach: Reach<C>): () => void {
    const { name } = upstream
    const beganMs = monotonicMs()
    this.#dialling.set(name, (this.#dialling.get(name) ?? 0) + 1)
    let isOver = false
    const over = (): boolean => {
      const wasOver = isOver
      isOver = true
      if (wasOver) return true
      const left = this.#dialling.get(name)! - 1
      if (left === 0) this.#dialling.delete(name)
      else this.#dialling.set(name, left)
      return false
    }
    const giveUp = this.#dialler.reach<C>(upstream.connectTimeoutMs, {
      ...reach,
      connected: (connection) => {
        if (!over()) this.#onDialled?.(upstream, undefined, monotonicMs() - beganMs)
        reach.connected(connection)
      },
      failed: (failure, cause) => {
        if (!over()) this.#onDialled?.(upstream, failure, monotonicMs() - beganMs)
        reach.failed(failure, cause)
      },
    })
    return () => {
      over()
      giveUp()
    }
  }

  /** Adds what it has to the counts of each upstream, which `of` gives. */
  countConnections(of: (upstream: string) => ConnectionCounts): void {
    for (const { user, isBusy } of this.#all) of(user.name)[isBusy ? 'busy' : 'idle']++
    const { name: ofAll } = this.#current(this.#upstream)
    for (const isBusy of this.#http2?.states() ?? []) of(ofAll)[isBusy ? 'busy' : 'idle']++
    for (const [name, count] of this.#dialling) of(name).connecting += count
  }

  // ---- HTTP/2

  /** A place on a connection that is there, as `take`; an idle HTTP/1 connection where that is all that the upstream speaks. */
  takeOver(
    upstream: Upstream,
    version: Http2Version,
  ): { readonly connection: UpstreamConnection<E>; readonly isStale: boolean } | undefined {
    const session = this.#http2?.take()
    if (session !== undefined) {
      const isStale = session.busy === 0 && this.nowMs - session.idleSinceMs > STALE_MS
      return { connection: session.newStream(), isStale }
    }
    return version === 'either' && this.#http2?.speaksHttp1 === true ? this.take(upstream) : undefined
  }

  /** A place on a new connection, or on one that others have asked for. Returns how to cancel. */
  connectOver(upstream: Upstream, version: Http2Version, waiter: Waiter<E>): () => void {
    this.#http2 ??= new Http2Sessions(this)
    return this.#http2.connect(upstream, version, waiter)
  }

  /** A new connection, of which the handshake says what it speaks. */
  reach(upstream: Upstream, version: Http2Version, waiter: ReachWaiter<E>): () => void {
    const { scheme } = this.#upstream.target
    return this.#dial(upstream, {
      alpn: version === 'http2' ? HTTP2_ALONE : EITHER,
      newConnection: (address) => {
        const http1 = (): ClientConnection<E> => {
          const pooled = new Pooled<E>(this, upstream, address)
          this.#add(pooled)
          return pooled.connection
        }
        const http2 = new Http2ClientConnection<E>(this.#http2!, upstream.endpoint, address, scheme)
        return new Undecided<E>(http2, http1, scheme === 'http')
      },
      trying: (address) => waiter.trying(address),
      connected: (connection) => waiter.connected(connection),
      failed: (failure, cause) => waiter.failed(failure, cause),
    })
  }

  sessionOpened(session: Http2ClientConnection<E>): void {
    session.bornMs = session.idleSinceMs = this.nowMs
    this.#opened()
  }

  sessionClosed(): void {
    this.#count--
  }

  mayServe({ bornMs }: Http2ClientConnection<E>): boolean {
    return !this.#isRetired && this.nowMs - bornMs < this.#most('maxConnectionAgeMs')
  }

  mayStay(session: Http2ClientConnection<E>): boolean {
    const isFresh = this.nowMs - session.idleSinceMs < this.#most('keepAliveTimeoutMs')
    return isFresh && this.mayServe(session) && !this.#isGone(session)
  }

  /** It carries exchanges of all upstreams that lead here: the one that allows most counts. */
  #most(limit: 'keepAliveTimeoutMs' | 'maxConnectionAgeMs'): number {
    let most = 0
    for (const upstream of this.#users.values()) most = Math.max(most, upstream[limit])
    return most
  }

  // ---- accounts

  #add(pooled: Pooled<E>): void {
    const { address } = pooled
    let spot = this.#spots.find((each) => each.address.text === address.text)
    if (spot === undefined) {
      spot = { address, busy: 0, idle: [] }
      this.#spots.push(spot)
    }
    spot.busy++
    pooled.spot = spot
    pooled.isBusy = true
    pooled.bornMs = this.nowMs
    this.#all.add(pooled)
    this.#opened()
  }

  #opened(): void {
    if (++this.#count === 1) this.#lookAgainAtMs = this.nowMs + LOOK_AGAIN_MS
    if (!this.#isRetired) this.#clock ??= this.#startClock()
  }

  // ---- PoolOf

  keep(pooled: Pooled<E>): void {
    pooled.idleSinceMs = this.nowMs
    this.putBack(pooled)
  }

  putBack(pooled: Pooled<E>): void {
    const spot = pooled.spot!
    pooled.isBusy = false
    spot.busy--
    pooled.user = this.#current(pooled.user)
    if (this.#isRetired || !pooled.mayStay(this.nowMs) || this.#isGone(spot.address)) pooled.connection.close()
    else spot.idle.push(pooled)
  }

  /** It has no end for being idle, which would end the login; it counts as busy, and at most one client waits with it. */
  keepsForOwner(pooled: Pooled<E>): boolean {
    if (this.#isRetired || !this.#mayStayOwned(pooled)) return false
    this.#owned.add(pooled)
    return true
  }

  #mayStayOwned(pooled: Pooled<E>): boolean {
    return pooled.isYoung(this.#current(pooled.user), this.nowMs) && !this.#isGone(pooled.address)
  }

  closed(pooled: Pooled<E>): void {
    const { spot } = pooled
    this.#owned.delete(pooled)
    // It has never been connected.
    if (spot === undefined) return
    this.#all.delete(pooled)
    this.#count--
    if (pooled.isBusy) spot.busy--
    else remove(spot.idle, pooled)
    pooled.isBusy = false
  }

  // ---- time

  #startClock(): NodeJS.Timeout {
    this.#tickedAtMs = monotonicMs()
    return setInterval(() => this.#advance(), this.#tickMs).unref()
  }

  #stopClock(): void {
    clearInterval(this.#clock)
    this.#clock = undefined
  }

  #advance(): void {
    const atMs = monotonicMs()
    // After a stalled event loop, ticks are missing.
    this.nowMs += Math.max(this.#tickMs, atMs - this.#tickedAtMs)
    this.#tickedAtMs = atMs
    this.#closeIdle((pooled) => !pooled.mayStay(this.nowMs))
    this.#http2?.closeIdle()
    this.#http2?.lookAlive()
    for (const pooled of [...this.#owned])
      if (pooled.connection.isUsable && !this.#mayStayOwned(pooled)) pooled.connection.close()
    for (let i = this.#spots.length - 1; i >= 0; i--) {
      const { busy, idle } = this.#spots[i]!
      if (busy === 0 && idle.length === 0) this.#spots.splice(i, 1)
    }
    if (this.#count === 0) this.#stopClock()
    else if (this.nowMs >= this.#lookAgainAtMs) {
      this.#lookAgainAtMs = this.nowMs + LOOK_AGAIN_MS
      if (this.#upstream.connectTo === undefined) this.#resolver.lookAgain()
    }
  }

  #closeIdle(isOver: (pooled: Pooled<E>) => boolean): void {
    for (const { idle } of this.#spots) for (const pooled of idle.filter(isOver)) pooled.connection.close()
  }

  #leaveGone(): void {
    this.#closeIdle(({ spot }) => this.#isGone(spot!.address))
    this.#http2?.closeIdle()
  }

  #isGone({ host }: Pick<Address, 'host'>): boolean {
    return this.#upstream.connectTo === undefined && this.#resolver.isGone(host)
  }

  // ---- configuration

  /** What holds for the connections from now on, the idle ones too: that of the upstreams (one or more) that lead here. */
  publish(upstreams: readonly Upstream[]): void {
    this.#users = new Map(upstreams.map((upstream) => [upstream.name, upstream]))
    for (const { idle } of this.#spots) {
      for (const pooled of idle) pooled.user = this.#current(pooled.user)
    }
    this.#closeIdle((pooled) => !pooled.mayStay(this.nowMs))
    const tickMs = tickFor(upstreams)
    if (tickMs === this.#tickMs) return
    this.#tickMs = tickMs
    if (this.#clock === undefined) return
    this.#stopClock()
    this.#clock = this.#startClock()
  }

  /** It as it is configured now; where its name is gone, another that leads here. */
  #current(upstream: Upstream): Upstream {
    const found = this.#users.get(upstream.name)
    if (found !== undefined) return found
    const [first = upstream] = this.#users.values()
    return first
  }

  /** No snapshot names this endpoint any more: what is idle goes now, what is busy when its exchange is over. */
  retire(): void {
    this.#isRetired = true
    for (const pooled of [...this.#owned]) if (pooled.connection.isUsable) pooled.connection.close()
    this.#closeIdle(() => true)
    this.#http2?.retire()
    this.#stopClock()
  }
}

/** Half of the shortest time that somebody waits for, so that none is exceeded. */
function tickFor(upstreams: readonly Upstream[]): number {
  let tickMs = TICK_MS
  for (const { keepAliveTimeoutMs, maxConnectionAgeMs } of upstreams) {
    if (keepAliveTimeoutMs > 0) tickMs = Math.min(tickMs, keepAliveTimeoutMs / 2)
    tickMs = Math.min(tickMs, maxConnectionAgeMs / 2)
  }
  return Math.max(MIN_TICK_MS, Math.trunc(tickMs))
}

/** Nearly always the last one. */
function remove<T>(stack: T[], item: T): void {
  if (stack.at(-1) === item) stack.pop()
  else {
    const at = stack.lastIndexOf(item)
    if (at !== -1) stack.splice(at, 1)
  }
}
