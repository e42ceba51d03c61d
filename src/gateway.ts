import type { Snapshot } from './config/snapshot.ts'
import { clientAddress } from './exchange/client-address.ts'
import type { Exchange, Path } from './exchange/exchange.ts'
import { downstreamEvents, upstreamEvents } from './exchange/serve.ts'
import { FAILURES, type FailureCode } from './failure.ts'
import { type BindResult, Listener } from './listener/listener.ts'
import { type Moved, Place } from './listener/place.ts'
import { announce, EVENTS, type EventKind } from './observe/events.ts'
import type { Log } from './observe/log.ts'
import type { RequestRecord } from './observe/record.ts'
import { tellWhatIsWaitedFor } from './observe/waiting.ts'
import { adaptProcess } from './runtime/process-needs.ts'
import { Pools } from './upstream/pools.ts'

export interface GatewaySinks {
  readonly log: Log
  readonly writeRecord: (record: RequestRecord, snapshot: Snapshot) => void
}

export interface Gateway {
  /** Binds and accepts. The address is the real one, `127.0.0.1:8080`, also where port 0 was asked for. */
  listen(): Promise<BindResult>
  /** Puts a new snapshot in force for every request from now on; exchanges that run keep theirs. */
  publish(snapshot: Snapshot): Promise<Moved>
  /** Stops accepting and lets every exchange finish. Resolves with what `server.shutdown_timeout_ms` cut: how many connections. */
  drain(): Promise<number>
  /** Connections that a stop would wait for, or waits for. */
  busyCount(): number
  /** Ends at once what still runs; each exchange leaves its record. */
  cut(): void
}

/** Puts the rooms together: one listener, one set of pools, one path between them. */
export function createGateway(snapshot: Snapshot, sinks: GatewaySinks): Gateway {
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
  const reportDescriptors = onceAMinute((exchange: Exchange) => report(EVENTS.outOfDescriptors, exchange, 'emfile'))
  const pools = new Pools<Exchange>(upstreamEvents(reportBug))
  pools.publish(snapshot)
  const path: Path = {
    snapshot,
    pools,
    writeRecord: sinks.writeRecord,
    reportRefusal: (exchange, failure) => {
      if (failure === 'emfile') reportDescriptors(exchange)
      else report(EVENTS.suspicious, exchange, failure)
    },
    reportBug,
  }
  adaptProcess(needsRoots(snapshot))
  const listener = new Listener(snapshot.server, downstreamEvents(path), {
    // Out of descriptors, libuv hangs up on the client by itself and tells nobody.
    acceptFailed: onceAMinute((error: Error) => announce(sinks.log, EVENTS.acceptFailed, { error: error.message })),
    proxyHeaderFailed: reportProxyHeaders(sinks.log),
    handshakeFailed: reportHandshakes(sinks.log),
  })
  const place = new Place(listener, snapshot.server.bindAddress, {
    onLost: (address, error) => announce(sinks.log, EVENTS.notListening, { address, error }),
    onFoundAgain: (address) => announce(sinks.log, EVENTS.listening, {}, address),
  })

  return {
    listen: () => listener.bind(snapshot.server.bindAddress),

    publish(next) {
      adaptProcess(needsRoots(next))
      path.snapshot = next
      listener.publish(next.server)
      pools.publish(next)
      return place.move(next.server.bindAddress)
    },

    async drain() {
      await place.stop()
      const { shutdownTimeoutMs } = path.snapshot.server
      let cut = 0
      return new Promise((resolve) => {
        const limit =
          shutdownTimeoutMs === undefined
            ? undefined
            : setTimeout(() => {
                cut = listener.busyCount
                // The records of what is cut come before the end that this is.
                listener.destroy()
                resolve(cut)
              }, shutdownTimeoutMs)
        const stopTelling = tellWhatIsWaitedFor(sinks.log, shutdownTimeoutMs, () => listener.busyCount)
        listener.drain(() => {
          clearTimeout(limit)
          stopTelling()
          pools.close()
          resolve(cut)
        })
      })
    },

    busyCount: () => listener.busyCount,

    cut: () => listener.destroy(),
  }
}

/** Whether certificates are checked against the roots of the machine. */
function needsRoots({ upstreams }: Snapshot): boolean {
  return upstreams.some(({ target, tls }) => target.scheme === 'https' && tls?.ca === undefined)
}

/** A balancer that is set up wrongly has thousands of connections: said once a minute, with how many there were. */
function reportProxyHeaders(log: Log): (peerIp: string | undefined, error: string) => void {
  let count = 0
  const say = onceAMinute((fault: { peer_ip: string | undefined; error: string }) => {
    announce(log, EVENTS.proxyHeader, { ...fault, count })
    count = 0
  })
  return (peerIp, error) => {
    count++
    say({ peer_ip: peerIp, error })
  }
}

/** Whoever scans the internet makes one fail every minute. */
function reportHandshakes(log: Log): (clientIp: string | undefined, cause: string | undefined) => void {
  let count = 0
  const say = onceAMinute((handshake: { client_ip: string | undefined; cause: string | undefined }) => {
    announce(log, EVENTS.handshakeFailed, { ...handshake, count })
    count = 0
  })
  return (clientIp, cause) => {
    count++
    say({ client_ip: clientIp, cause })
  }
}

/** What would be said again and again while it lasts. */
function onceAMinute<What>(say: (what: What) => void): (what: What) => void {
  let silentUntil = 0
  return (what) => {
    if (performance.now() < silentUntil) return
    silentUntil = performance.now() + 60_000
    say(what)
  }
}
