import type { Snapshot } from './config/snapshot.ts'
import { clientAddress } from './exchange/client-address.ts'
import type { Exchange, Path } from './exchange/exchange.ts'
import { downstreamEvents, upstreamEvents } from './exchange/serve.ts'
import { FAILURES, type FailureCode } from './failure.ts'
import { Clients } from './listener/clients.ts'
import type { PageMemory } from './metrics/series.ts'
import { startThreadMetrics, type ThreadMetrics } from './metrics/thread.ts'
import { announce, EVENTS, type EventKind } from './observe/events.ts'
import type { Log } from './observe/log.ts'
import { createNotices, onceAMinute } from './observe/once-a-minute.ts'
import type { RequestRecord } from './observe/record.ts'
import { adaptProcess } from './runtime/process-needs.ts'
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
  /** Lets go of what is idle towards upstreams. */
  close(): void
  /** Behind the last exchange: what is counted stays, and nothing is watched any more. */
  closeMetrics(): void
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
  /** `createServingNotices`; where several threads serve, one for all. */
  readonly notices?: SharedArrayBuffer
}

const NOTICES = { descriptors: 0, proxyHeader: 1, handshake: 2 } as const

/** For what all threads that serve say together once a minute. */
export function createServingNotices(): SharedArrayBuffer {
  return createNotices(Object.keys(NOTICES).length)
}

/** After an exception that nobody caught: what runs gets so long to end. */
export const CRASH_DRAIN_MS = 5000

export function createServing(
  snapshot: Snapshot,
  sinks: ServingSinks,
  { gauges, catchUp, worker = 0, onPage, notices = createServingNotices() }: ServingOptions = {},
): Serving {
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
  const path: Path = {
    snapshot,
    catchUp,
    pools,
    writeRecord: sinks.writeRecord,
    reportRefusal: (exchange, failure) => {
      if (failure === 'emfile') reportDescriptors(exchange)
      else report(EVENTS.suspicious, exchange, failure)
    },
    reportBug,
    traffic: undefined,
  }
  let metrics: ThreadMetrics | undefined
  /** From when somebody wants them on, to the end. */
  const startMetrics = (): void => {
    if (metrics !== undefined || onPage === undefined || path.snapshot.admin === undefined) return
    metrics = startThreadMetrics(worker, onPage)
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
      startMetrics()
      clients.publish(next.server)
      pools.publish(next)
    },
    refreshMetrics: () => metrics?.refresh(pools.connections()),
    forgetMetrics: (label, values) => metrics?.traffic.forget(label, values),
    close: () => pools.close(),
    closeMetrics: () => metrics?.close(),
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
