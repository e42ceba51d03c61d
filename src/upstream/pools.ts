import type { Snapshot, Upstream } from '../config/snapshot.ts'
import type { UpstreamEvents } from '../http/upstream-connection.ts'
import { Pool } from './pool.ts'

/** One pool for each endpoint; they outlive snapshots, so that a reload costs no connection. */
export class Pools<E> {
  readonly #events: UpstreamEvents<E>
  readonly #pools = new Map<string, Pool<E>>()

  constructor(events: UpstreamEvents<E>) {
    this.#events = events
  }

  of(upstream: Upstream): Pool<E> {
    let pool = this.#pools.get(upstream.endpoint)
    if (pool === undefined) {
      pool = new Pool(upstream, this.#events)
      this.#pools.set(upstream.endpoint, pool)
    }
    return pool
  }

  /** Retires the pools of endpoints that the snapshot does not name. */
  publish(snapshot: Snapshot): void {
    const named = new Set(snapshot.upstreams.map((upstream) => upstream.endpoint))
    for (const [endpoint, pool] of this.#pools) {
      if (named.has(endpoint)) continue
      this.#pools.delete(endpoint)
      pool.retire()
    }
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.retire()
    this.#pools.clear()
  }
}
