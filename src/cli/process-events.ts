import { announce, EVENTS } from '../observe/events.ts'
import type { Logging } from '../observe/logging.ts'
import { wasHungUpEarly } from './early-signals.ts'

/**
 * What the outside tells the process. SIGTERM and SIGINT ask for a stop and, a second time, for an exit at once, which has the
 * time to write the records of what it cuts and no more; SIGHUP asks for a reload, SIGUSR2 for an upgrade; while there is nothing to upgrade it asks for nothing, which without a handler would kill. (Node ignores SIGPIPE by itself, and the start
 * script keeps SIGUSR1 from opening a debugger.)
 *
 * An exception that nobody caught is a bug, and what it left half done is unknown. Going on could serve one client's bytes
 * to another, exiting at once would cut streams that are fine: so it is logged, no new connection is accepted, what runs
 * gets CRASH_DRAIN_MS to end, and the process exits with 1 for its supervisor to start a new one.
 */

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const
type StopSignal = keyof typeof EXIT_CODES

export interface ProcessEvents {
  /** Resolves when the process has to end, whatever the reason. */
  readonly stopRequested: Promise<void>
  /** Resolves at the first exception that nobody caught. */
  readonly crashed: Promise<void>
  hasCrashed(): boolean
  /** Resolves with the exit code at the second signal. */
  readonly stoppedAtOnce: Promise<number>
  isStoppedAtOnce(): boolean
  /** For SIGHUP. One that came before there was anything to reload is answered now. */
  onHangup(reload: () => void): void
  /** For SIGUSR2. */
  onUpgrade(begin: () => void): void
  /** For the second signal: ends what runs, so that it leaves its records, and says before how much that is. */
  onStopAtOnce(cut: () => Promise<void> | void, busyCount?: () => number): void
}

/** Takes over the signals of this process; once, and before its socket listens. */
export function takeProcessEvents({ log }: Pick<Logging, 'log'>): ProcessEvents {
  const signal = Promise.withResolvers<void>()
  const crash = Promise.withResolvers<void>()
  const atOnce = Promise.withResolvers<number>()
  let wasSignalled = false
  let hasCrashed = false
  let isStoppedAtOnce = false
  let wasHungUp = wasHungUpEarly()
  let reload: (() => void) | undefined
  let beginUpgrade = (): void => {}
  let cut = (): Promise<void> | void => {}
  let countBusy: (() => number) | undefined
  const events: ProcessEvents = {
    stopRequested: Promise.race([signal.promise, crash.promise]),
    crashed: crash.promise,
    hasCrashed: () => hasCrashed,
    stoppedAtOnce: atOnce.promise,
    isStoppedAtOnce: () => isStoppedAtOnce,
    onHangup(listener) {
      reload = listener
      if (wasHungUp) listener()
    },
    onUpgrade(begin) {
      beginUpgrade = begin
    },
    onStopAtOnce(listener, busyCount) {
      cut = listener
      countBusy = busyCount
    },
  }

  function stop(name: StopSignal): void {
    if (isStoppedAtOnce) return
    if (wasSignalled) announce(log, EVENTS.stoppingAtOnce, { connections: countBusy?.() }, name)
    else {
      announce(log, EVENTS.stopping, {}, name)
      wasSignalled = true
      signal.resolve()
      return
    }
    isStoppedAtOnce = true
    // What is cut on other threads leaves its records a moment later.
    const { promise, resolve } = Promise.withResolvers<void>()
    void promise.finally(() => atOnce.resolve(EXIT_CODES[name]))
    try {
      resolve(cut())
    } finally {
      resolve()
    }
  }

  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  process.on('SIGHUP', () => {
    wasHungUp = true
    reload?.()
  })
  process.on('SIGUSR2', () => beginUpgrade())
  // Node would write it to stderr in a format of its own.
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    const { name, message } = warning
    announce(log, EVENTS.runtimeWarning, { name, code: (warning as NodeJS.ErrnoException).code, error: message })
  })
  // Rejections that nobody handled arrive here as well: Node raises them, with `origin` saying so.
  process.on('uncaughtException', (error: unknown, origin) => {
    announce(log, EVENTS.crashed, { origin, ...describeError(error) })
    hasCrashed = true
    crash.resolve()
  })
  return events
}

/** The fields `error` and `stack` of whatever was thrown. */
export function describeError(error: unknown): { error: string; stack: string | undefined } {
  return error instanceof Error
    ? { error: error.message, stack: error.stack }
    : { error: String(error), stack: undefined }
}
