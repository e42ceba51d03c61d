import type { Snapshot } from './config/snapshot.ts'
import { clientAddress } from './exchange/client-address.ts'
import type { Exchange, Path } from './exchange/exchange.ts'
import { settled } from './exchange/meter.ts'
import { downstreamEvents, upstreamEvents } from './exchange/serve.ts'
import { FAILURES, type FailureCode } from './failure.ts'
import { createLedgerEnd, type LedgerWay } from './ledger/ledger.ts'
import { Clients } from './listener/clients.ts'
import { createMetering } from './metering.ts'
import type { PageMemory } from './metrics/series.ts'
import { startThreadMetrics, type ThreadMetrics } from './metrics/thread.ts'
import { announce, EVENTS, type EventKind } from './observe/events.ts'
import type { Log } from './observe/log.ts'
import { createNotices, onceAMinute } from './observe/once-a-minute.ts'
import type { RequestRecord } from './observe/record.ts'
import { adaptProcess } from './runtime/process-needs.ts'
import { createTextSet } from './runtime/text-set.ts'
import { Pools } from './upstream/pools.ts'

export interface ServingSinks {
  readonly log: Log
  readonly writeRecord: (record: RequestRecord, snapshot: Snapshot) => void
}

/** What serves clients on one thread: their connections, the path of their requests, and the pools of upstream connections. */
export interface Serving {
  readonly clients: Clients<Exchange>
  /** In force for every request from now on. */
  snapshot(): Snapshot
  /** Puts a new snapshot in force for every request from now on; exchanges that run keep theirs. */
  publish(snapshot: Snapshot): void
  /** Brings what is counted as it changes, and what is only looked at, to where others read it. */
  refreshMetrics(): void
  /** Of names that the configuration has not had for long. */
  forgetMetrics(label: 'upstream' | 'api_key', values: readonly string[]): void
  /** A way to the ledger. */
  takeLedger(way: LedgerWay): void
  /** Lets go of what is idle towards upstreams. */
  close(): void
  /** Behind the last exchange: resolves when each has its record and its row is handed over. What was counted stays. */
  end(): Promise<void>
}

export interface ServingOptions {
  /** Of a worker: see `GAUGES`. */
  readonly gauges?: Int32Array
  /** Of a worker: see `Path`. */
  readonly catchUp?: () => void
  /** Of a worker; 0 is the main thread. */
  readonly worker?: number
  /** Where others read what is counted here: see `Series`. Without it, nothing is counted. */
  readonly onPage?: ((memory: PageMemory) => void) | undefined
  /** Where several threads serve, one for all. */
  readonly memory?: ServingMemory
}

const NOTICES = { descriptors: 0, proxyHeader: 1, handshake: 2 } as const

/** What all threads that serve share. */
export interface ServingMemory {
  /** For what they say together once a minute. */
  readonly notices: SharedArrayBuffer
  /** Names of models: those that the metrics have, and those whose missing price was told. */
  readonly models: SharedArrayBuffer
  readonly unpriced: SharedArrayBuffer
}

/** Models come from outside, and shall fill neither the metrics nor the log. */
const MAX_MODELS = 1_000

export function createServingMemory(): ServingMemory {
  return {
    notices: createNotices(Object.keys(NOTICES).length),
    models: createTextSet(MAX_MODELS),
    unpriced: createTextSet(MAX_MODELS),
  }
}

/** After an exception that nobody caught: what runs gets so long to end. */
export const CRASH_DRAIN_MS = 5000

export function createServing(
  snapshot: Snapshot,
  sinks: ServingSinks,
  { gauges, catchUp, worker = 0, onPage, memory = createServingMemory() }: ServingOptions = {},
): Serving {
  const { notices } = memory
  const reportBug = (error: unknown): void => {
    announce(sinks.log, EVENTS.bug, { error: error instanceof Error ? error.stack : String(error) })
  }
  const report = (kind: EventKind, exchange: Exchange, failure: FailureCode): void => {
    announce(sinks.log, kind, {
      client_ip: clientAddress(exchange),
      error: failure,
      reason: FAILURES[failure].message,
      cause: exchange.cause,
    })
  }
  // Each exchange that it costs has its own record.
  const reportDescriptors = onceAMinute(
    (exchange: Exchange) => report(EVENTS.outOfDescriptors, exchange, 'emfile'),
    notices,
    NOTICES.descriptors,
  )
  const pools = new Pools<Exchange>(upstreamEvents(reportBug), (upstream, failure, tookMs) => {
    path.traffic?.upstream(upstream.name).connected(failure ?? 'ok', tookMs / 1000)
  })
  pools.publish(snapshot)
  const metering = createMetering(sinks.log, memory.unpriced)
  metering.publish(snapshot)
  const ledger = createLedgerEnd()
  const path: Path = {
    snapshot,
    catchUp,
    pools,
    writeRecord(record, from) {
      sinks.writeRecord(record, from)
      ledger.offer(record, from.keys, Date.now())
    },
    reportRefusal: (exchange, failure) => {
      if (failure === 'emfile') reportDescriptors(exchange)
      else report(EVENTS.suspicious, exchange, failure)
    },
    reportBug,
    traffic: undefined,
    metering,
  }
  let metrics: ThreadMetrics | undefined
  /** From when somebody wants them on, to the end. */
  const startMetrics = (): void => {
    if (metrics !== undefined || onPage === undefined || path.snapshot.admin === undefined) return
    metrics = startThreadMetrics(worker, onPage, memory.models)
    path.traffic = metrics.traffic
  }
  startMetrics()
  adaptProcess(needsRoots(snapshot))
  const told = {
    proxyHeaderFailed: reportProxyHeaders(sinks.log, notices),
    handshakeFailed: reportHandshakes(sinks.log, notices),
  }
  const clients = new Clients(snapshot.server, downstreamEvents(path), told, gauges)

  return {
    clients,
    snapshot: () => path.snapshot,
    publish(next) {
      adaptProcess(needsRoots(next))
      path.snapshot = next
      metering.publish(next)
      startMetrics()
      clients.publish(next.server)
      pools.publish(next)
    },
    refreshMetrics: () => metrics?.refresh(pools.connections()),
    forgetMetrics: (label, values) => metrics?.traffic.forget(label, values),
    close: () => pools.close(),
    takeLedger: ledger.take,
    async end() {
      pools.close()
      metrics?.close()
      // The last connection tells that it is gone before its exchange hears of it.
      await Promise.resolve()
      await settled(metering)
      ledger.close()
    },
  }
}

/** Whoever scans the internet makes one fail every minute. */
function reportHandshakes(
  log: Log,
  notices: SharedArrayBuffer,
): (clientIp: string | undefined, cause: string | undefined) => void {
  const say = onceAMinute(
    (handshake: { client_ip: string | undefined; cause: string | undefined }, count) =>
      announce(log, EVENTS.handshakeFailed, { ...handshake, count }),
    notices,
    NOTICES.handshake,
  )
  return (clientIp, cause) => say({ client_ip: clientIp, cause })
}

/** Whether certificates are checked against the roots of the machine. */
function needsRoots({ upstreams }: Snapshot): boolean {
  return upstreams.some(({ target, tls }) => target.scheme === 'https' && tls?.ca === undefined)
}

/** A balancer that is set up wrongly has thousands of connections: said once a minute, with how many there were. */
function reportProxyHeaders(log: Log, notices: SharedArrayBuffer): (peerIp: string | undefined, error: string) => void {
  const say = onceAMinute(
    (fault: { peer_ip: string | undefined; error: string }, count) =>
      announce(log, EVENTS.proxyHeader, { ...fault, count }),
    notices,
    NOTICES.proxyHeader,
  )
  return (peerIp, error) => say({ peer_ip: peerIp, error })
}
