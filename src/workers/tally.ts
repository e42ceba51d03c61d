import type { Outcome } from '../failure.ts'

/**
 * What a thread has counted, in memory that all threads see. One thread writes, with plain stores, and one reads: counting
 * costs an increment of an array's element, and a sum may be some microseconds old. Doubles, since 32 bits of requests are
 * over after three days of 16 000 a second; on the machines that Node runs on, an aligned one is never read half written.
 */

/**
 * Counters only grow. Gauges say what is, and can fall. What the thread that accepts goes by, connections and heartbeats, stands in `GAUGES`
 * of the listener. Only records and what the log left out are counted so far.
 */
export const SLOT = {
  /** Counters, requests that have ended, by how they did: see `Outcome`. */
  requestsComplete: 0,
  requestsClientAbort: 1,
  requestsUpstreamAbort: 2,
  requestsTimeout: 3,
  requestsRefused: 4,
  /** Counter: exchanges that were tried a second time. */
  retries: 5,

  /** Counter: connections of clients that were taken. */
  connectionsAccepted: 6,
  /** Counter: those that were answered with 503 since there were too many. */
  connectionsRefused: 7,
  /** Counter: those that have ended; what was accepted and has not ended is open. */
  connectionsClosed: 8,

  /** Counters: attempts to connect to an upstream, by what came of them. */
  connectsMade: 9,
  connectsRefused: 10,
  connectsTimedOut: 11,
  /** The name could not be resolved. */
  connectsUnresolved: 12,
  /** TLS failed, or the certificate was wrong. */
  connectsTls: 13,
  /** Anything else: unreachable, no descriptor, a proxy that would not. */
  connectsFailed: 14,
  /** Gauge: connections to upstreams that wait for an exchange. */
  upstreamsIdle: 15,
  /** Gauge: connections to upstreams that have one. */
  upstreamsBusy: 16,

  /** Counter: request records that the log was given, those that it then dropped included. */
  records: 17,
  /** Counter: lines that the log left out, records and events. */
  linesDropped: 18,
} as const

export type Slot = (typeof SLOT)[keyof typeof SLOT]

const SLOTS = Object.keys(SLOT).length

const GAUGES: ReadonlySet<number> = new Set([SLOT.upstreamsIdle, SLOT.upstreamsBusy])

/** The slot of requests that ended so. */
export const OUTCOME_SLOTS: Readonly<Record<Outcome, Slot>> = {
  complete: SLOT.requestsComplete,
  client_abort: SLOT.requestsClientAbort,
  upstream_abort: SLOT.requestsUpstreamAbort,
  timeout: SLOT.requestsTimeout,
  refused: SLOT.requestsRefused,
}

/** The memory of one tally, all zeros: 8 bytes a slot. */
export function createTally(): SharedArrayBuffer {
  return new SharedArrayBuffer(SLOTS * Float64Array.BYTES_PER_ELEMENT)
}

export class Tally {
  readonly #counts: Float64Array

  /** `shared`: of `createTally`. One thread writes. */
  constructor(shared: SharedArrayBuffer = createTally()) {
    this.#counts = new Float64Array(shared)
  }

  add(slot: Slot, count: number): void {
    this.#counts[slot]! += count
  }

  set(slot: Slot, value: number): void {
    this.#counts[slot] = value
  }

  get(slot: Slot): number {
    return this.#counts[slot]!
  }
}

/** Over all threads. Tallies of threads that have ended belong to it, as one: see `retire`. */
export function sum(tallies: Iterable<Tally>, slot: Slot): number {
  let total = 0
  for (const tally of tallies) total += tally.get(slot)
  return total
}

/** Takes over what a thread has counted that has ended, so that no sum goes back. What it had open is gone: gauges are left out. */
export function retire(ended: Tally, retired: Tally): void {
  for (const slot of Object.values(SLOT)) {
    if (!GAUGES.has(slot)) retired.add(slot, ended.get(slot))
  }
}
