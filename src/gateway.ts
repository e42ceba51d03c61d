import type net from 'node:net'
import type { Settings } from './config/settings.ts'
import type { Snapshot } from './config/snapshot.ts'
import type { LedgerRows } from './ledger/counts.ts'
import { createLedger, type Ledger } from './ledger/ledger.ts'
import { type BindResult, Door } from './listener/door.ts'
import { type Moved, Place } from './listener/place.ts'
import { Collected } from './metrics/collected.ts'
import { createForgetting } from './metrics/forgetting.ts'
import type { Facts } from './metrics/gateway-families.ts'
import { announce, EVENTS } from './observe/events.ts'
import type { Log } from './observe/log.ts'
import { onceAMinute } from './observe/once-a-minute.ts'
import { tellWhatIsWaitedFor } from './observe/waiting.ts'
import type { WorkerWay } from './observe/worker-lines.ts'
import type { HandedSocket, SharedSocket } from './runtime/handed-sockets.ts'
import { createServing, createServingMemory, type Serving, type ServingSinks } from './serving.ts'
import { Crew } from './workers/crew.ts'
import type { Arrival } from './workers/member.ts'
import { SLOT, type Tally } from './workers/tally.ts'

export interface GatewaySinks extends ServingSinks {
  /** Of this thread's records. */
  readonly tally?: Tally
  /** A way for the lines of one more thread; without it one thread serves, whatever the configuration says. */
  readonly workerLines?: () => WorkerWay
}

export interface Gateway {
  /** Resolves when clients would be served at once, when it is known that there is nothing to wait for, or when `hurry` does. */
  isUp(hurry?: Promise<void>): Promise<void>
  /**
   * Binds and accepts. The address is the real one, `127.0.0.1:8080`, also where port 0 was asked for.
   *
   * @param hurry when it resolves, no worker is waited for any more
   */
  listen(hurry?: Promise<void>): Promise<BindResult>
  /**
   * Puts a new snapshot in force for every request from now on, on every thread; exchanges that run keep theirs.
   *
   * @param settings what it was made of, for other threads
   */
  publish(snapshot: Snapshot, settings?: Settings): Promise<Moved>
  /** From now on every answer says that its connection closes; who comes is served all the same. */
  askToLeave(): void
  /** How long a stop goes on accepting. */
  shutdownDelayMs(): number
  /** The socket that is listened on, for another process. */
  handover(): SharedSocket | undefined
  /** Another process listens on the same socket: the same as `drain`, but idle clients have a moment for a request on its way. */
  handOver(): Promise<number>
  /** Stops accepting and lets every exchange finish. Resolves with what `server.shutdown_timeout_ms` cut: how many connections. */
  drain(): Promise<number>
  /** Connections that a stop would wait for, or waits for. */
  busyCount(): number
  /** What all threads have counted since `admin` was set for the first time. */
  readonly collected: Collected
  /** Brings what only counts at a look up to date, on every thread: within a tenth of a second, or as far as it got. */
  refreshMetrics(): Promise<void>
  /** What the gateway itself knows. */
  facts(): Facts
  /** Ends at once what still runs; each exchange has left its record when this resolves. */
  cut(): Promise<void>
}

/** What the second signal leaves to workers for their last records, and what the end of a stop does. */
const CUT_MS = { atOnce: 100, timeout: 1000 } as const

/**
 * Puts the rooms together: one door, and behind it either this thread, which serves by itself, or a crew of others.
 *
 * @param settings what the snapshot was made of; without them one thread serves
 * @param handed a socket to listen on, from whoever started this process
 */
export function createGateway(
  snapshot: Snapshot,
  sinks: GatewaySinks,
  settings?: Settings,
  handed?: HandedSocket,
): Gateway {
  const { log } = sinks
  // Out of descriptors, libuv hangs up on the client by itself and tells nobody.
  const acceptFailed = onceAMinute((error: Error) => announce(log, EVENTS.acceptFailed, { error: error.message }))
  const threads = createThreads(snapshot, sinks, acceptFailed)
  const { local, crew, collected, facts, accept, begin, change } = threads
  let stopping: Promise<number> | undefined
  const leaving: Leaving = { sinceMs: undefined, supersede: () => {} }
  const door = new Door(snapshot.server, { accept, acceptFailed }, handed)
  const place = new Place(door, snapshot.server.bindAddress, {
    onLost: (address, error) => announce(log, EVENTS.notListening, { address, error }),
    onFoundAgain: (address) => announce(log, EVENTS.listening, {}, address),
  })
  const busyCount = (): number => local.clients.busyCount + crew.busyCount
  // First of all: they come up on other cores while the rest is made ready.
  if (settings !== undefined) begin(settings, snapshot.generation)

  const isUp = (hurry?: Promise<void>): Promise<void> =>
    hurry === undefined ? crew.isUp() : Promise.race([crew.isUp(), hurry])

  return {
    isUp,

    async listen(hurry) {
      const result = await door.bind(snapshot.server.bindAddress)
      // Whoever comes meanwhile waits.
      if (result.ok) await isUp(hurry)
      else crew.resize(0)
      return result
    },

    publish(next, nextSettings) {
      door.publish(next.server)
      change(next, nextSettings)
      return place.move(next.server.bindAddress)
    },

    drain() {
      stopping = place.stop().then(() => {
        door.unbind()
        return drainAll(threads, leaving, log, 'drain')
      })
      return stopping
    },

    askToLeave() {
      local.clients.askToLeave()
      crew.askToLeave()
    },

    shutdownDelayMs: () => local.snapshot().server.shutdownDelayMs,
    handover: () => door.handover,

    async handOver() {
      await place.stop()
      door.handOver()
      // Whoever has just been accepted gets a place.
      await new Promise(setImmediate)
      // A stop may have come meanwhile.
      return stopping ?? drainAll(threads, leaving, log, 'retire')
    },

    busyCount,
    collected,
    facts,

    refreshMetrics() {
      local.refreshMetrics()
      return crew.metrics.refresh()
    },

    async cut() {
      local.clients.destroy()
      await crew.cut(CUT_MS.atOnce)
      await local.end()
      await threads.ledger.close(CUT_MS.atOnce)
    },
  }
}

/** The threads that serve: this one or those of the crew, and for a while both, when there are to be more or fewer. */
function createThreads(snapshot: Snapshot, sinks: GatewaySinks, onLost: (error: Error) => void) {
  const { log, workerLines } = sinks
  const memory = createServingMemory()
  const collected = new Collected()
  const pages = collected.join()
  const local = createServing(snapshot, sinks, { memory, onPage: (memory) => pages.take(memory) })
  const ledger = ledgerOf(snapshot, log, local)
  const connections = { accepted: 0, refused: 0 }
  const onOverLimit = (): void => void connections.refused++
  /** Connections go to the crew. */
  let isForCrew = false
  const crew = new Crew({
    log,
    workerLines,
    collected,
    ledger,
    memory,
    onOverLimit,
    maxConnections: () => local.snapshot().server.maxConnections,
    placesElsewhere: () => local.clients.places,
    onUp() {
      // Until now, this thread went on.
      if (isForCrew || wantedWorkers() < 2) return
      isForCrew = true
      local.clients.retire(() => local.close())
    },
    onUnavailable(reason) {
      announce(log, EVENTS.oneWorker, { reason })
      serveHere()
    },
    onStray: serveOne,
    onLost: (error) => onLost(new Error(error)),
  })

  const forgetting = forgettingOf(collected, local, crew)

  function wantedWorkers(): number {
    return workerLines === undefined || !crew.isAvailable ? 1 : local.snapshot().server.workers
  }

  /** This thread serves again; those that wait for a worker are its clients. */
  function serveHere(): void {
    isForCrew = false
    local.clients.resume()
    for (const arrival of crew.resize(0)) serveOne({ ...arrival, isOverLimit: false })
  }

  function serveOne({ accepted, isUnix, isOverLimit }: Pick<Arrival, 'accepted' | 'isUnix' | 'isOverLimit'>): void {
    if (isOverLimit) local.clients.takeOver(accepted, isUnix)
    else local.clients.accept(accepted, isUnix, () => crew.places, onOverLimit)
  }

  return {
    ...{ local, crew, collected, forgetting, ledger },
    facts: () => factsOf(local, crew, connections, isForCrew ? crew.count : 1, sinks.tally, ledger.rows()),

    accept(accepted: net.Socket, isUnix: boolean): void {
      connections.accepted++
      if (isForCrew) crew.accept(accepted, isUnix)
      else serveOne({ accepted, isUnix, isOverLimit: false })
    },

    begin(settings: Settings, generation: number): void {
      if (wantedWorkers() < 2) return
      isForCrew = true
      crew.publish(settings, generation)
      crew.resize(wantedWorkers())
    },

    change(next: Snapshot, settings: Settings | undefined): void {
      local.publish(next)
      forgetting.publish(next)
      ledger.publish(next)
      if (settings !== undefined) crew.publish(settings, next.generation)
      if (wantedWorkers() < 2) serveHere()
      else if (settings !== undefined) crew.resize(wantedWorkers())
    },
  }
}

function forgettingOf(collected: Collected, local: Serving, crew: Crew) {
  return createForgetting(collected, (label, values) => {
    local.forgetMetrics(label, values)
    crew.metrics.forget(label, values)
  })
}

/** With this thread as one that may serve. */
function ledgerOf(snapshot: Snapshot, log: Log, local: Serving): Ledger {
  const ledger = createLedger(log)
  ledger.publish(snapshot)
  ledger.join((way) => local.takeLedger(way))
  return ledger
}

/** A stop or a hand-over. */
interface Leaving {
  /** When the first of them began. */
  sinceMs: number | undefined
  /** Ends what that one waits for. */
  supersede: () => void
}

type Threads = ReturnType<typeof createThreads>

function factsOf(
  local: Serving,
  crew: Crew,
  connections: { readonly accepted: number; readonly refused: number },
  workers: number,
  tally: Tally | undefined,
  ledger: LedgerRows | undefined,
): Facts {
  const { written, dropped } = crew.metrics.records
  const { generation, server } = local.snapshot()
  const idle = local.clients.yieldingCount + crew.yieldingCount
  // A worker tells of its idle ones a moment after a place was given.
  const busy = Math.max(0, local.clients.places + crew.places - idle)
  return {
    workers,
    workerRestarts: crew.metrics.deaths,
    clients: { ...connections, busy, idle, limit: server.maxConnections },
    records: {
      written: written + (tally?.get(SLOT.records) ?? 0),
      dropped: dropped + (tally?.get(SLOT.recordsDropped) ?? 0),
    },
    generation,
    ledger,
  }
}

/**
 * Lets every exchange of all threads finish. Resolves with how many connections `server.shutdown_timeout_ms` cut. A stop in the middle
 * of a hand-over goes on in its place, with what is left of its time: the promise of before is nobody's.
 */
async function drainAll(threads: Threads, leaving: Leaving, log: Log, how: 'drain' | 'retire'): Promise<number> {
  const { local, crew, forgetting, ledger } = threads
  const { shutdownTimeoutMs } = local.snapshot().server
  leaving.supersede()
  leaving.sinceMs ??= performance.now()
  const busyCount = (): number => local.clients.busyCount + crew.busyCount
  local.clients[how](() => {})
  // What workers cannot take any more comes back here: so this thread is the last one.
  const ended = crew.drain(how).then(() => new Promise<void>((resolve) => local.clients[how](resolve)))
  const timeout = Promise.withResolvers<void>()
  let cut = 0
  const limit =
    shutdownTimeoutMs === undefined
      ? undefined
      : setTimeout(
          () => {
            cut = busyCount()
            // The records of what is cut come before the end that this is.
            local.clients.destroy()
            void crew.cut(CUT_MS.timeout).then(timeout.resolve)
          },
          Math.max(0, leaving.sinceMs + shutdownTimeoutMs - performance.now()),
        )
  let stopTelling = (): void => {}
  let isSuperseded = false
  leaving.supersede = () => {
    isSuperseded = true
    clearTimeout(limit)
    stopTelling()
  }
  await crew.isDraining()
  if (!isSuperseded) stopTelling = tellWhatIsWaitedFor(log, shutdownTimeoutMs, busyCount)
  await Promise.race([ended, timeout.promise])
  clearTimeout(limit)
  stopTelling()
  forgetting.close()
  await local.end()
  await ledger.close()
  return cut
}
