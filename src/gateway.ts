import type { Settings } from './config/settings.ts'
import type { Snapshot } from './config/snapshot.ts'
import { type BindResult, Door } from './listener/door.ts'
import { type Moved, Place } from './listener/place.ts'
import { announce, EVENTS } from './observe/events.ts'
import { onceAMinute } from './observe/once-a-minute.ts'
import { tellWhatIsWaitedFor } from './observe/waiting.ts'
import type { WorkerLines } from './observe/worker-lines.ts'
import { createServing, type ServingSinks } from './serving.ts'
import { Crew } from './workers/crew.ts'

export interface GatewaySinks extends ServingSinks {
  /** A way for the lines of one more thread; without it one thread serves, whatever the configuration says. */
  readonly workerLines?: () => WorkerLines
}

export interface Gateway {
  /** Binds and accepts. The address is the real one, `127.0.0.1:8080`, also where port 0 was asked for. */
  listen(): Promise<BindResult>
  /**
   * Puts a new snapshot in force for every request from now on, on every thread; exchanges that run keep theirs.
   *
   * @param settings what it was made of, for other threads
   */
  publish(snapshot: Snapshot, settings?: Settings): Promise<Moved>
  /** Stops accepting and lets every exchange finish. Resolves with what `server.shutdown_timeout_ms` cut: how many connections. */
  drain(): Promise<number>
  /** Connections that a stop would wait for, or waits for. */
  busyCount(): number
  /** Ends at once what still runs; each exchange has left its record when this resolves. */
  cut(): Promise<void>
}

/** What the second signal leaves to workers for their last records, and what the end of a stop does. */
const CUT_MS = { atOnce: 100, timeout: 1000 } as const

/**
 * Puts the rooms together: one door, and behind it either this thread, which serves by itself, or a crew of others.
 *
 * @param settings what the snapshot was made of; without them one thread serves
 */
export function createGateway(snapshot: Snapshot, sinks: GatewaySinks, settings?: Settings): Gateway {
  const { log, workerLines } = sinks
  const local = createServing(snapshot, sinks)
  const crew = new Crew({
    log,
    workerLines,
    maxConnections: () => local.snapshot().server.maxConnections,
    placesElsewhere: () => local.clients.places,
    onUp: () => serveThere(),
    onUnavailable(reason) {
      announce(log, EVENTS.oneWorker, { reason })
      serveHere()
    },
    // Out of descriptors, as below.
    onLost: (error) => acceptFailed(new Error(error)),
  })
  /** Connections go to the crew. */
  let isForCrew = false
  // Out of descriptors, libuv hangs up on the client by itself and tells nobody.
  const acceptFailed = onceAMinute((error: Error) => announce(log, EVENTS.acceptFailed, { error: error.message }))
  const door = new Door(snapshot.server, {
    accept(accepted, isUnix) {
      if (isForCrew) crew.accept(accepted, isUnix)
      else local.clients.accept(accepted, isUnix, () => crew.places)
    },
    acceptFailed,
  })
  const place = new Place(door, snapshot.server.bindAddress, {
    onLost: (address, error) => announce(log, EVENTS.notListening, { address, error }),
    onFoundAgain: (address) => announce(log, EVENTS.listening, {}, address),
  })

  function wantedWorkers(): number {
    return workerLines === undefined || !crew.isAvailable ? 1 : local.snapshot().server.workers
  }

  /** This thread serves again; those that wait for a worker are its clients. */
  function serveHere(): void {
    isForCrew = false
    local.clients.resume()
    for (const { accepted, isUnix } of crew.resize(0)) local.clients.accept(accepted, isUnix, () => crew.places)
  }

  function serveThere(): void {
    if (isForCrew || wantedWorkers() < 2) return
    isForCrew = true
    local.clients.retire(() => local.close())
  }

  return {
    async listen() {
      const workers = wantedWorkers()
      if (workers > 1 && settings !== undefined) {
        isForCrew = true
        crew.publish(settings, snapshot.generation)
        crew.resize(workers)
      }
      const result = await door.bind(snapshot.server.bindAddress)
      // Whoever comes meanwhile waits.
      if (result.ok) await crew.isUp()
      else crew.resize(0)
      return result
    },

    publish(next, nextSettings) {
      local.publish(next)
      door.publish(next.server)
      if (nextSettings !== undefined) crew.publish(nextSettings, next.generation)
      const workers = wantedWorkers()
      if (workers < 2) serveHere()
      // Until one of them is up, this thread goes on.
      else if (nextSettings !== undefined) crew.resize(workers)
      return place.move(next.server.bindAddress)
    },

    async drain() {
      await place.stop()
      door.unbind()
      const { shutdownTimeoutMs } = local.snapshot().server
      const busyCount = (): number => local.clients.busyCount + crew.busyCount
      let cut = 0
      const ended = Promise.all([
        new Promise<void>((resolve) => local.clients.drain(resolve)).then(() => local.close()),
        crew.drain(),
      ])
      const timeout = Promise.withResolvers<void>()
      const limit =
        shutdownTimeoutMs === undefined
          ? undefined
          : setTimeout(() => {
              cut = busyCount()
              // The records of what is cut come before the end that this is.
              local.clients.destroy()
              void crew.cut(CUT_MS.timeout).then(timeout.resolve)
            }, shutdownTimeoutMs)
      await crew.isDraining()
      const stopTelling = tellWhatIsWaitedFor(log, shutdownTimeoutMs, busyCount)
      await Promise.race([ended, timeout.promise])
      clearTimeout(limit)
      stopTelling()
      return cut
    },

    busyCount: () => local.clients.busyCount + crew.busyCount,

    cut() {
      local.clients.destroy()
      return crew.cut(CUT_MS.atOnce)
    },
  }
}
