import type { Snapshot, Upstream } from '../config/snapshot.ts'
import type { UpstreamEvents } from '../http/upstream-connection.ts'
import { loadTls } from '../runtime/sockets.ts'
import { type ConnectionCounts, type OnDialled, Pool } from './pool.ts'

/** One pool for each endpoint; they outlive snapshots, so that a reload costs no connection. */
export class Pools<E> {
  readonly #events: UpstreamEvents<E>
  readonly #pools = new Map<string, Pool<E>>()
  /** Those of the current snapshot by endpoint. */
  #upstreams: ReadonlyMap<string, readonly Upstream[]> = new Map()

  readonly #onDialled: OnDialled | undefined

  constructor(events: UpstreamEvents<E>, onDialled?: OnDialled) {
    this.#events = events
    this.#onDialled = onDialled
  }

  of(upstream: Upstream): Pool<E> {
    let pool = this.#pools.get(upstream.endpoint)
    if (pool === undefined) {
      pool = new Pool(upstream, this.#events, undefined, this.#onDialled)
      pool.publish(this.#upstreams.get(upstream.endpoint) ?? [upstream])
      this.#pools.set(upstream.endpoint, pool)
    }
    return pool
  }

  /** Connections by the name of the upstream that used them last. */
  connections(): Map<string, ConnectionCounts> {
    const counts = new Map<string, ConnectionCounts>()
    const of = (name: string): ConnectionCounts => {
      let found = counts.get(name)
      if (found === undefined) counts.set(name, (found = { idle: 0, busy: 0, connecting: 0 }))
      return found
    }
    for (const pool of this.#pools.values()) pool.countConnections(of)
    return counts
  }

  /** Retires the pools of endpoints that the snapshot does not name; the others go by what it says from now on. */
  publish(snapshot: Snapshot): void {
    const upstreams = Map.groupBy(snapshot.upstreams, (upstream) => upstream.endpoint)
    this.#upstreams = upstreams
    // Now, and not while the first request waits.
    if (snapshot.upstreams.some(({ target }) => target.scheme === 'https')) loadTls()
    for (const [endpoint, pool] of this.#pools) {
      const users = upstreams.get(endpoint)
      if (users !== undefined) {
        pool.publish(users)
        continue
      }
      this.#pools.delete(endpoint)
      pool.retire()
    }
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.retire()
    this.#pools.clear()
  }
}
