import type { Snapshot } from './config/snapshot.ts'
import type { Exchange, Path } from './exchange/exchange.ts'
import { downstreamEvents, upstreamEvents } from './exchange/serve.ts'
import { FAILURES } from './failure.ts'
import { type BindResult, Listener } from './listener/listener.ts'
import { announce, EVENTS } from './observe/events.ts'
import type { Log } from './observe/log.ts'
import type { RequestRecord } from './observe/record.ts'
import { Pools } from './upstream/pools.ts'

export interface GatewaySinks {
  readonly log: Log
  readonly writeRecord: (record: RequestRecord, snapshot: Snapshot) => void
}

export type Rebound = { rebound: 'no' } | { rebound: 'yes'; address: string } | { rebound: 'failed'; error: string }

export interface Gateway {
  /** Binds and accepts. The address is the real one, `127.0.0.1:8080`, also where port 0 was asked for. */
  listen(): Promise<BindResult>
  /** Puts a new snapshot in force for every request from now on; exchanges that run keep theirs. */
  publish(snapshot: Snapshot): Promise<Rebound>
  /** Stops accepting and lets every exchange finish. False: `server.shutdown_timeout_ms` cut what still ran. */
  drain(): Promise<boolean>
  /** Ends at once what still runs; each exchange leaves its record. */
  cut(): void
}

/** Puts the rooms together: one listener, one set of pools, one path between them. */
export function createGateway(snapshot: Snapshot, sinks: GatewaySinks): Gateway {
  const reportBug = (error: unknown): void => {
    announce(sinks.log, EVENTS.bug, { error: error instanceof Error ? error.stack : String(error) })
  }
  const pools = new Pools<Exchange>(upstreamEvents(reportBug))
  const path: Path = {
    snapshot,
    pools,
    writeRecord: sinks.writeRecord,
    reportRefusal: (exchange, failure) => {
      const kind = failure === 'emfile' ? EVENTS.outOfDescriptors : EVENTS.suspicious
      announce(sinks.log, kind, {
        client_ip: exchange.downstream.clientIp,
        error: failure,
        reason: FAILURES[failure].message,
      })
    },
    reportBug,
  }
  const listener = new Listener(snapshot.server, downstreamEvents(path), reportAcceptFailures(sinks.log))
  /** What is listened on: not what the snapshot says where that could not be bound. */
  let bound = snapshot.server.bindAddress

  return {
    listen: () => listener.bind(snapshot.server.bindAddress),

    async publish(next) {
      path.snapshot = next
      listener.publish(next.server)
      pools.publish(next)
      const wanted = next.server.bindAddress
      if (wanted.host === bound.host && wanted.port === bound.port) return { rebound: 'no' }
      const result = await rebind(listener, bound, wanted)
      if (result.rebound === 'yes') bound = wanted
      return result
    },

    drain() {
      const { shutdownTimeoutMs } = path.snapshot.server
      return new Promise((resolve) => {
        const limit =
          shutdownTimeoutMs === undefined
            ? undefined
            : setTimeout(() => {
                // The records of what is cut come first.
                listener.destroy()
                resolve(false)
              }, shutdownTimeoutMs)
        listener.drain(() => {
          clearTimeout(limit)
          pools.close()
          resolve(true)
        })
      })
    },

    cut: () => listener.destroy(),
  }
}

type Address = Snapshot['server']['bindAddress']

/** The new socket first. Where the two overlap that cannot work: then the old one is closed, and bound again if need be. */
async function rebind(listener: Listener<Exchange>, previous: Address, wanted: Address): Promise<Rebound> {
  const isBlocked = overlap(previous, wanted)
  if (isBlocked) listener.unbind()
  const result = await listener.bind(wanted)
  if (result.ok) return { rebound: 'yes', address: result.address }
  if (isBlocked) await listener.bind(previous)
  return { rebound: 'failed', error: result.error }
}

function overlap(a: Address, b: Address): boolean {
  return a.port === b.port && a.port !== 0 && (isWildcard(a.host) || isWildcard(b.host))
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** Said once a minute. (Out of descriptors, libuv hangs up on the client by itself and tells nobody.) */
function reportAcceptFailures(log: Log): (error: Error) => void {
  let silentUntil = 0
  return (error) => {
    if (performance.now() < silentUntil) return
    silentUntil = performance.now() + 60_000
    announce(log, EVENTS.acceptFailed, { error: error.message })
  }
}
