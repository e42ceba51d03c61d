import { createSecureContext, type SecureContext } from 'node:tls'
import type { Upstream } from '../config/snapshot.ts'
import type { FailureCode } from '../failure.ts'
import { withoutFinalDot } from '../http/host.ts'
import type { UpstreamEvents } from '../http/upstream-connection.ts'
import { ClientConnection, type ConnectionHome } from '../http1/client-connection.ts'
import { Deadline } from '../runtime/deadline.ts'
import { connectToAny } from './connect.ts'
import { type Lookup, Resolver } from './resolve.ts'

/** The pool's clock: no connection needs a timer or a clock reading of its own. */
const TICK_MS = 500
/** Providers drop idle connections at about 30 s; ours are gone well before, so that a POST hardly ever meets a dying one. */
const MAX_IDLE_TICKS = 20_000 / TICK_MS
/** A connection idle for longer is looked at once more before its use: see `take`. */
const STALE_TICKS = 2

/**
 * The connections to one endpoint. Idle ones are a stack: the warmest is used first and the others come to their end.
 */
export class Pool<E> implements ConnectionHome<E> {
  readonly events: UpstreamEvents<E>
  readonly #upstream: Upstream
  readonly #resolver: Resolver
  #secureContext: SecureContext | undefined = undefined
  readonly #idle: ClientConnection<E>[] = []
  /** Those that were logged in by a client and wait for it, or carry its exchange. */
  readonly #owned = new Set<ClientConnection<E>>()
  #tick = 0
  #clock: NodeJS.Timeout | undefined = undefined
  #isRetired = false

  constructor(upstream: Upstream, events: UpstreamEvents<E>, lookup?: Lookup) {
    this.#upstream = upstream
    this.events = events
    this.#resolver = new Resolver(upstream.target.host, lookup)
  }

  get idleCount(): number {
    return this.#idle.length
  }

  get ownedCount(): number {
    return this.#owned.size
  }

  /**
   * The most recently used idle connection. If `isStale`, give the event loop one turn before using it: a FIN that the
   * kernel has received already is then seen first (checked again by `isUsable`).
   */
  take(): { connection: ClientConnection<E>; isStale: boolean } | undefined {
    for (;;) {
      const connection = this.#idle.pop()
      if (connection === undefined) return undefined
      if (connection.isUsable) return { connection, isStale: this.#tick - connection.idleSinceTick > STALE_TICKS }
      connection.close()
    }
  }

  /** Makes a new connection. Returns how to cancel. */
  connect(
    timeoutMs: number,
    connected: (connection: ClientConnection<E>) => void,
    failed: (failure: FailureCode) => void,
  ): () => void {
    const deadline = new Deadline(() => {
      giveUp()
      failed('connect_timeout')
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
    const stopWaiting = this.#resolver.resolve((addresses) => {
      deadline.close()
      if (isGivenUp) return
      if (addresses.length === 0) {
        failed('dns')
        return
      }
      cancel = connectToAny(addresses, {
        port: this.#upstream.target.port,
        serverName: this.#upstream.tls?.serverName ?? withoutFinalDot(this.#upstream.target.host),
        secureContext: this.#upstream.target.scheme === 'https' ? this.#context() : undefined,
        timeoutMs: Math.max(1, timeoutMs - (performance.now() - started)),
        newConnection: (address) => new ClientConnection(this, this.#upstream.endpoint, address),
        connected,
        failed,
      })
    })
    // Known addresses have been used already.
    cancel ??= stopWaiting
    return giveUp
  }

  #context(): SecureContext {
    const tls = this.#upstream.tls
    this.#secureContext ??= createSecureContext({
      minVersion: 'TLSv1.2',
      ...(tls?.ca !== undefined ? { ca: tls.ca } : {}),
      ...(tls?.cert !== undefined && tls.key !== undefined ? { cert: tls.cert, key: tls.key } : {}),
    })
    return this.#secureContext
  }

  // ---- ConnectionHome

  keep(connection: ClientConnection<E>, maxIdleSeconds: number | undefined): void {
    // A second before the upstream would drop it itself.
    const announced = maxIdleSeconds === undefined ? MAX_IDLE_TICKS : ((maxIdleSeconds - 1) * 1_000) / TICK_MS
    const ticks = Math.min(MAX_IDLE_TICKS, announced)
    connection.idleSinceTick = this.#tick
    connection.expiresAtTick = this.#tick + ticks
    this.putBack(connection)
  }

  putBack(connection: ClientConnection<E>): void {
    const isExpired = connection.expiresAtTick <= this.#tick
    if (this.#isRetired || isExpired || this.#resolver.isGone(connection.address)) {
      connection.close()
      return
    }
    this.#idle.push(connection)
    this.#clock ??= setInterval(() => this.#advance(), TICK_MS).unref()
  }

  keepsForOwner(connection: ClientConnection<E>): boolean {
    if (this.#isRetired) return false
    this.#owned.add(connection)
    return true
  }

  closed(connection: ClientConnection<E>): void {
    this.#owned.delete(connection)
    const at = this.#idle.lastIndexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
  }

  #advance(): void {
    this.#tick++
    for (const connection of this.#idle.filter((idle) => idle.expiresAtTick <= this.#tick)) connection.close()
    if (this.#idle.length === 0) {
      clearInterval(this.#clock)
      this.#clock = undefined
    }
  }

  /** No snapshot names this endpoint any more: what is idle goes now, what is busy when its exchange is over. */
  retire(): void {
    this.#isRetired = true
    for (const connection of [...this.#idle]) connection.close()
    for (const connection of [...this.#owned]) if (connection.isUsable) connection.close()
  }
}
