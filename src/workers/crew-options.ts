/** What a crew needs of the gateway, and what the gateway hears of it. */

import type { Ledger } from '../ledger/ledger.ts'
import type { Collected } from '../metrics/collected.ts'
import type { Log } from '../observe/log.ts'
import type { WorkerWay } from '../observe/worker-lines.ts'
import type { ServingMemory } from '../serving.ts'
import type { Arrival } from './member.ts'

export interface CrewOptions {
  readonly log: Log
  /** For each worker; undefined: there can be none. */
  readonly workerLines: (() => WorkerWay) | undefined
  readonly collected: Collected
  readonly memory: ServingMemory
  readonly ledger: Pick<Ledger, 'join'>
  readonly maxConnections: () => number
  /** Connections within the limit that are none of the crew's. */
  readonly placesElsewhere: () => number
  /** A connection has come past the limit. */
  readonly onOverLimit: () => void
  /** One of them takes connections. */
  readonly onUp: () => void
  /** There can be no crew. It takes nothing from here on; `resize(0)` gives back whoever waits. */
  readonly onUnavailable: (reason: string) => void
  /** Another process listens, and no worker can take this one any more: it is the caller's. */
  readonly onStray: (arrival: Arrival) => void
  /** A connection was lost, as there was no descriptor for it. */
  readonly onLost: (error: string) => void
}
