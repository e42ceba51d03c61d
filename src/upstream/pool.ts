import type { SecureContext } from 'node:tls'
import type { Address, Upstream } from '../config/snapshot.ts'
import { withoutFinalDot } from '../http/host.ts'
import type { UpstreamEvents } from '../http/upstream-connection.ts'
import { monotonicMs } from '../runtime/clock.ts'
import { Deadline } from '../runtime/deadline.ts'
import { loadTls } from '../runtime/sockets.ts'
import { connectToAny, type Waiter } from './connect.ts'
import { inTurn } from './in-turn.ts'
import { Pooled, type PoolOf, type Spot } from './pooled.ts'
import { type Lookup, Resolver } from './resolve.ts'
import { Sessions } from './sessions.ts'
import type { Tunnel } from './tunnel.ts'

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

/**
 * The connections to one endpoint. Idle ones are a stack for each address: the warmest is used first and the others come to
 * their end.
 */
export class Pool<E> implements PoolOf<E> {
  readonly events: UpstreamEvents<E>
  /** One of those that lead here: all that concerns the way is the same for them. */
  readonly #upstream: Upstream
  readonly #resolver: Resolver
  readonly #port: number
  readonly #tunnel: Tunnel | undefined
  #secureContext: SecureContext | undefined = undefined
  readonly #sessions = new Sessions()
  /** Those that were logged in by a client and wait for it, or carry its exchange. */
  readonly #owned = new Set<Pooled<E>>()
  /** Upstreams of the current snapshot that lead here, by name. */
  #users: ReadonlyMap<string, Upstream>
  readonly #spots: Spot<E>[] = []
  /** Connections, idle and busy. */
  #count = 0
  #turn = 0
  #nowMs = 0
  #tickMs: number
  #tickedAtMs = 0
  #lookAgainAtMs = 0
  /** Runs while there is a connection. */
  #clock: NodeJS.Timeout | undefined = undefined
  #isRetired = false

  constructor(upstream: Upstream, events: UpstreamEvents<E>, lookup?: Lookup) {
    const { target, proxy } = upstream
    this.#upstream = upstream
    this.events = events
    this.#resolver = new Resolver(proxy?.host ?? target.host, lookup, () => this.#leaveGone())
    this.#port = proxy?.port ?? target.port
    this.#tunnel = proxy && { authority: authorityOf(upstream), authorization: proxy.authorization }
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
    best.isStale = this.#nowMs - best.idleSinceMs > STALE_MS
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
      else if (pooled.suits(upstream, this.#nowMs)) return pooled
    }
    return undefined
  }

  /** Makes a new connection, within the upstream's time for that. Returns how to cancel. */
  connect(upstream: Upstream, waiter: Waiter<E>): () => void {
    const timeoutMs = upstream.connectTimeoutMs
    const deadline = new Deadline(() => {
      giveUp()
      waiter.failed('connect_timeout', undefined)
    })
    deadline.arm(timeoutMs)
    const started = performance.now()
    /** Of the look-up, then of the connecting; whatever was called back is over. */
    let cancel: (() => void) | undefined
    let isGivenUp = false
    const giveUp = (): void => {
      isGivenUp = true
      deadline.close()
      cancel?.()
    }
    const stopWaiting = this.#find((addresses, cause) => {
      deadline.close()
      if (isGivenUp) return
      if (addresses.length === 0) {
        waiter.failed(this.#tunnel === undefined ? 'dns' : 'proxy_unreachable', cause)
        return
      }
      const leftMs = Math.max(1, timeoutMs - (performance.now() - started))
      cancel = this.#dial(inTurn(addresses, this.#turn++), upstream, leftMs, waiter)
    })
    // Known addresses have been used already.
    cancel ??= stopWaiting
    return giveUp
  }

  #find(use: (addresses: readonly Address[], cause: string | undefined) => void): () => void {
    const { connectTo } = this.#upstream
    if (connectTo === undefined) {
      return this.#resolver.resolve((hosts, cause) =>
        use(
          hosts.map((host) => addressOf(host, this.#port)),
          cause,
        ),
      )
    }
    use(connectTo, undefined)
    return () => {}
  }

  #dial(addresses: readonly Address[], upstream: Upstream, timeoutMs: number, waiter: Waiter<E>): () => void {
    const { target, tls } = this.#upstream
    const dialled = new Map<object, Pooled<E>>()
    return connectToAny<E>(addresses, {
      serverName: tls?.serverName ?? withoutFinalDot(target.host),
      secureContext: target.scheme === 'https' ? this.#context() : undefined,
      sessions: this.#sessions,
      tunnel: this.#tunnel,
      timeoutMs,
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

  #context(): SecureContext {
    const tls = this.#upstream.tls
    this.#secureContext ??= loadTls().createSecureContext({
      minVersion: 'TLSv1.2',
      // Whoever is named is trusted, also an authority below the root, or the server itself.
      ...(tls?.ca !== undefined ? { ca: tls.ca, allowPartialTrustChain: true } : {}),
      ...(tls?.cert !== undefined && tls.key !== undefined ? { cert: tls.cert, key: tls.key } : {}),
    })
    return this.#secureContext
  }

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
    pooled.bornMs = this.#nowMs
    if (++this.#count === 1) this.#lookAgainAtMs = this.#nowMs + LOOK_AGAIN_MS
    if (!this.#isRetired) this.#clock ??= this.#startClock()
  }

  // ---- PoolOf

  keep(pooled: Pooled<E>): void {
    pooled.idleSinceMs = this.#nowMs
    this.putBack(pooled)
  }

  putBack(pooled: Pooled<E>): void {
    const spot = pooled.spot!
    pooled.isBusy = false
    spot.busy--
    pooled.user = this.#users.get(pooled.user.name) ?? pooled.user
    if (this.#isRetired || !pooled.mayStay(this.#nowMs) || this.#isGone(spot.address)) pooled.connection.close()
    else spot.idle.push(pooled)
  }

  /** It has no end for being idle, which would end the login; it counts as busy, and at most one client waits with it. */
  keepsForOwner(pooled: Pooled<E>): boolean {
    if (this.#isRetired || !this.#mayStayOwned(pooled)) return false
    this.#owned.add(pooled)
    return true
  }

  #mayStayOwned(pooled: Pooled<E>): boolean {
    return (
      pooled.isYoung(this.#users.get(pooled.user.name) ?? pooled.user, this.#nowMs) && !this.#isGone(pooled.address)
    )
  }

  closed(pooled: Pooled<E>): void {
    const { spot } = pooled
    this.#owned.delete(pooled)
    // It has never been connected.
    if (spot === undefined) return
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
    this.#nowMs += Math.max(this.#tickMs, atMs - this.#tickedAtMs)
    this.#tickedAtMs = atMs
    this.#closeIdle((pooled) => !pooled.mayStay(this.#nowMs))
    for (const pooled of [...this.#owned])
      if (pooled.connection.isUsable && !this.#mayStayOwned(pooled)) pooled.connection.close()
    for (let i = this.#spots.length - 1; i >= 0; i--) {
      const { busy, idle } = this.#spots[i]!
      if (busy === 0 && idle.length === 0) this.#spots.splice(i, 1)
    }
    if (this.#count === 0) this.#stopClock()
    else if (this.#nowMs >= this.#lookAgainAtMs) {
      this.#lookAgainAtMs = this.#nowMs + LOOK_AGAIN_MS
      if (this.#upstream.connectTo === undefined) this.#resolver.lookAgain()
    }
  }

  #closeIdle(isOver: (pooled: Pooled<E>) => boolean): void {
    for (const { idle } of this.#spots) for (const pooled of idle.filter(isOver)) pooled.connection.close()
  }

  #leaveGone(): void {
    this.#closeIdle(({ spot }) => this.#isGone(spot!.address))
  }

  #isGone({ host }: Address): boolean {
    return this.#upstream.connectTo === undefined && this.#resolver.isGone(host)
  }

  // ---- configuration

  /** What holds for the connections from now on, the idle ones too: that of the upstreams (one or more) that lead here. */
  publish(upstreams: readonly Upstream[]): void {
    this.#users = new Map(upstreams.map((upstream) => [upstream.name, upstream]))
    for (const { idle } of this.#spots) {
      for (const pooled of idle) pooled.user = this.#users.get(pooled.user.name) ?? upstreams[0] ?? pooled.user
    }
    this.#closeIdle((pooled) => !pooled.mayStay(this.#nowMs))
    const tickMs = tickFor(upstreams)
    if (tickMs === this.#tickMs) return
    this.#tickMs = tickMs
    if (this.#clock === undefined) return
    this.#stopClock()
    this.#clock = this.#startClock()
  }

  /** No snapshot names this endpoint any more: what is idle goes now, what is busy when its exchange is over. */
  retire(): void {
    this.#isRetired = true
    for (const pooled of [...this.#owned]) if (pooled.connection.isUsable) pooled.connection.close()
    this.#closeIdle(() => true)
    this.#stopClock()
  }
}

function addressOf(host: string, port: number): Address {
  return { host, port, path: '', text: `${host.includes(':') ? `[${host}]` : host}:${port}` }
}

/** Host and port of the target, as CONNECT wants them (RFC 9112 section 3.2.3). */
function authorityOf({ target }: Upstream): string {
  return addressOf(withoutFinalDot(target.host), target.port).text
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
