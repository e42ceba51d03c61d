import type { Address, Upstream } from '../config/snapshot.ts'
import type { UpstreamEvents } from '../http/upstream-connection.ts'
import { ClientConnection } from '../http1/client-connection.ts'
import type { ConnectionHome } from '../http1/connection-home.ts'

/** One address of an endpoint, and its connections. */
export interface Spot<E> {
  readonly address: Address
  /** How many of them carry an exchange. */
  busy: number
  /** The others, the one that was used last at the end. */
  readonly idle: Pooled<E>[]
}

/** What a pool does when something becomes of a connection. */
export interface PoolOf<E> {
  readonly events: UpstreamEvents<E>
  keep(pooled: Pooled<E>): void
  putBack(pooled: Pooled<E>): void
  keepsForOwner(pooled: Pooled<E>): boolean
  closed(pooled: Pooled<E>): void
}

/** It differs from one connection to the next, so that those which were made together do not end together. */
const AGE_JITTER = 0.1

/** A connection, with what its pool notes about it. Times are those of the pool's clock. */
export class Pooled<E> implements ConnectionHome<E> {
  readonly connection: ClientConnection<E>
  readonly address: Address
  readonly events: UpstreamEvents<E>
  /** Undefined until it is connected. */
  spot: Spot<E> | undefined = undefined
  /** Whose exchange it carries, or carried last: what holds for it while it is idle. */
  user: Upstream
  isBusy = false
  bornMs = 0
  idleSinceMs = 0
  /** A second before the upstream would drop it, as it has announced. */
  announcedMs = Number.POSITIVE_INFINITY
  /** Idle for so long that it is worth another look: see `Pool.take`. */
  isStale = false
  readonly #ageFactor = 1 - AGE_JITTER + 2 * AGE_JITTER * Math.random()
  readonly #pool: PoolOf<E>

  constructor(pool: PoolOf<E>, user: Upstream, address: Address) {
    this.#pool = pool
    this.events = pool.events
    this.user = user
    this.address = address
    this.connection = new ClientConnection(this, user.endpoint, address.text)
  }

  /** Whether it may serve another exchange of this upstream. */
  suits(upstream: Upstream, nowMs: number): boolean {
    return nowMs - this.idleSinceMs < upstream.keepAliveTimeoutMs && this.isYoung(upstream, nowMs)
  }

  /** Whether it may stay idle. */
  mayStay(nowMs: number): boolean {
    return nowMs - this.idleSinceMs < this.announcedMs && this.suits(this.user, nowMs)
  }

  /** Whether its age allows another exchange. */
  isYoung(upstream: Upstream, nowMs: number): boolean {
    return nowMs - this.bornMs < upstream.maxConnectionAgeMs * this.#ageFactor
  }

  // ---- ConnectionHome

  keep(maxIdleSeconds: number | undefined): void {
    this.announcedMs = maxIdleSeconds === undefined ? Number.POSITIVE_INFINITY : (maxIdleSeconds - 1) * 1_000
    this.#pool.keep(this)
  }

  putBack(): void {
    this.#pool.putBack(this)
  }

  keepsForOwner(): boolean {
    return this.#pool.keepsForOwner(this)
  }

  closed(): void {
    this.#pool.closed(this)
  }
}
