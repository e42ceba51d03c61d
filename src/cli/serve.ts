import { setTimeout as wait } from 'node:timers/promises'
import type { Gateway } from '../gateway.ts'
import { announce, EVENTS } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import { type MainLogging, openLogging } from '../observe/logging.ts'
import { missingRoots } from '../runtime/system-roots.ts'
import { CRASH_DRAIN_MS } from '../serving.ts'
import { describeError, type ProcessEvents, takeProcessEvents } from './process-events.ts'

/** The parts of a gateway's life that `run` and `demo` share. */

/** What the second signal leaves for the last records, also where nobody reads them. */
const AT_ONCE_FLUSH_MS = 100

/** Gives `body` a log and the process's events; what was logged is out when this resolves with the exit code. */
export async function serviceCommand(
  body: (logging: MainLogging, processEvents: ProcessEvents) => Promise<number>,
): Promise<number> {
  const logging = openLogging()
  const processEvents = takeProcessEvents(logging)
  for (const { name, path } of missingRoots()) announce(logging.log, EVENTS.rootsMissing, { name, path })
  const atOnce = processEvents.stoppedAtOnce.then(async (code) => {
    await logging.flush(AT_ONCE_FLUSH_MS)
    return code
  })
  const toItsEnd = async (): Promise<number> => {
    let code = 1
    try {
      code = await body(logging, processEvents)
    } catch (error) {
      announce(logging.log, EVENTS.crashed, { origin: 'start or stop', ...describeError(error) })
    }
    if (!processEvents.isStoppedAtOnce()) await logging.flush()
    return processEvents.isStoppedAtOnce() ? atOnce : code
  }
  return await Promise.race([toItsEnd(), atOnce])
}

/** The address that is listened on, or undefined when that failed. `hurry`: see `Gateway.listen`. */
export async function listen(
  gateway: Pick<Gateway, 'listen'>,
  address: string,
  log: Log,
  hurry?: Promise<void>,
): Promise<string | undefined> {
  announce(log, EVENTS.binding, {}, address)
  const result = await gateway.listen(hurry)
  if (!result.ok) {
    announce(log, EVENTS.bindFailed, { address, error: result.error })
    return undefined
  }
  announce(log, EVENTS.listening, {}, result.address)
  return result.address
}

/**
 * At a stop: whoever balances load hears late of it, so for `server.shutdown_delay_ms` clients that come are served, and told with
 * each answer that the connection ends.
 */
export async function goOnForAWhile(
  gateway: Pick<Gateway, 'askToLeave' | 'shutdownDelayMs'>,
  events: ProcessEvents,
): Promise<void> {
  const delayMs = gateway.shutdownDelayMs()
  if (delayMs === 0 || events.hasCrashed()) return
  gateway.askToLeave()
  const isOver = new AbortController()
  await Promise.race([wait(delayMs, undefined, { signal: isOver.signal }).catch(() => {}), events.crashed])
  isOver.abort()
}

/** After a successor has taken over: what runs comes to its end, and a signal to stop is one to stop. */
export async function drainBehindSuccessor(
  gateway: Pick<Gateway, 'drain' | 'handOver'>,
  events: ProcessEvents,
  log: Log,
): Promise<number> {
  const left = gateway.handOver()
  const isStopped = await Promise.race([left.then(() => false), events.stopRequested.then(() => true)])
  return drain({ drain: () => (isStopped ? gateway.drain() : left) }, events, log)
}

/** Lets what runs come to its end, for `crashDrainMs` if we have crashed; the exit code of the process. */
export async function drain(
  gateway: Pick<Gateway, 'drain'>,
  events: ProcessEvents,
  log: Log,
  crashDrainMs = CRASH_DRAIN_MS,
): Promise<number> {
  const outOfTime = events.crashed.then(() => wait(crashDrainMs, 0))
  const cut = await Promise.race([gateway.drain(), outOfTime])
  // What was cut at once has ended as well, but nothing is complete.
  if (events.hasCrashed() || events.isStoppedAtOnce()) return 1
  if (cut > 0) announce(log, EVENTS.cut, { connections: cut })
  announce(log, EVENTS.stopped)
  return cut === 0 ? 0 : 1
}
