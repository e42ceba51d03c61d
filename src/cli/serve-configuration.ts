import { flushCompileCache } from 'node:module'
import { assemble } from '../config/assemble.ts'
import { defaultSettings, type LoadFailure, loadSettings } from '../config/load.ts'
import type { Settings } from '../config/settings.ts'
import type { BindAddress } from '../config/snapshot.ts'
import type { SourceContent } from '../config/source.ts'
import { formatProblem, problemLines } from '../config/text/problem.ts'
import { stateAfterStart } from '../config/watch/state.ts'
import type { WatchThread } from '../config/watch/thread.ts'
import { createGateway } from '../gateway.ts'
import { announce, EVENTS } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import type { MainLogging } from '../observe/logging.ts'
import { takeHandedSockets } from '../runtime/handed-sockets.ts'
import { announceChangedFields } from './changed-fields.ts'
import { warnOfFewDescriptors } from './descriptors.ts'
import type { ProcessEvents } from './process-events.ts'
import { createReloader, logWarnings, numbered } from './reload.ts'
import { drain, drainBehindSuccessor, goOnForAWhile, listen, serviceCommand } from './serve.ts'
import { createUpgrade, namedSockets, obstacleToUpgrades, reportTo } from './upgrade.ts'
import { notifySystemd, removePidFile, writePidFile } from './who-serves.ts'

export interface ServeOptions {
  /** Without a valid file there is no gateway. */
  readonly isRequired: boolean
  /** Counts instead of the file's, for as long as the process lives. */
  readonly bindAddress: BindAddress | undefined
  readonly pidFile: string | undefined
}

/** A gateway's life: what the file says, and then what becomes of it; the exit code of the process. */
export function serveConfiguration(path: string, options: ServeOptions, origin: Origin): Promise<number> {
  return serviceCommand((logging, processEvents) => live(path, options, origin, logging, processEvents))
}

/** A file that is watched, or what came through a pipe, once and for all. */
export type Origin =
  | { readonly watching: WatchThread; readonly piped: undefined }
  | { readonly watching: undefined; readonly piped: SourceContent }

async function live(
  path: string,
  { isRequired, bindAddress, pidFile }: ServeOptions,
  { watching, piped }: Origin,
  logging: MainLogging,
  processEvents: ProcessEvents,
): Promise<number> {
  const { log, writeRecord, workerLines, tally } = logging
  const handed = takeHandedSockets(process.env)
  const report = reportTo(handed.reportFd)
  announce(log, EVENTS.starting, { path })
  tellProxyVariables(log, process.env)
  logging.flushNow()

  const loaded = loadSettings(path, process.env, piped)
  if (loaded.ok) logWarnings(log, problemLines(loaded.warnings))
  // Nothing better will ever come through a pipe; and a predecessor goes on with what is fine.
  else if (isRequired || piped !== undefined || handed.reportFd !== undefined) {
    for (const problem of loaded.problems) process.stderr.write(`${formatProblem(problem)}\n`)
    report.failed(`the configuration is not valid: ${loaded.error}`)
    return 1
  } else if (bindAddress === undefined && typeof loaded.bindAddress === 'string') {
    announce(log, EVENTS.bindFailed, { address: loaded.bindAddress, error: loaded.error })
    return 1
  }
  const settings = loaded.ok ? loaded.settings : fallBack(path, loaded, logging)
  const snapshot = numbered(assemble(settings), 1, bindAddress)
  const serverSocket = handed.sockets.find(({ name }) => name === 'server')
  const gateway = createGateway(snapshot, { log, writeRecord, workerLines, tally }, settings, serverSocket)
  processEvents.onStopAtOnce(
    () => gateway.cut(),
    () => gateway.busyCount(),
  )
  await watching?.isUp()
  if (loaded.ok) {
    announce(log, EVENTS.loaded, { path, status: 'applied' })
    announceChangedFields(log, snapshot)
    announce(log, EVENTS.initialized, { path })
  }
  warnOfFewDescriptors(log, snapshot.server)
  const address = await listen(gateway, snapshot.server.bindAddress.text, log, processEvents.stopRequested)
  const pidFileError = address === undefined || pidFile === undefined ? undefined : writePidFile(pidFile)
  if (pidFileError !== undefined) announce(log, EVENTS.pidFileFailed, { path: pidFile, error: pidFileError })
  if (address === undefined || pidFileError !== undefined) {
    report.failed('it cannot listen, or not write its pid file: its log says why')
    return 1
  }
  report.listening()
  notifySystemd(process.env)

  const { generation, server } = snapshot
  const { maxConnections, workers } = server
  const upgrade = createUpgrade({
    log,
    sockets: () => namedSockets({ server: gateway.handover() }),
    obstacle: obstacleToUpgrades(piped !== undefined),
  })
  const reloader = createReloader({
    ...{ gateway, log, path, address, bindAddress, generation, maxConnections, workers },
    mayGoOn: upgrade.settled,
  })
  processEvents.onUpgrade(() => void reloader.idle().then(upgrade.begin))
  if (watching === undefined) {
    announce(log, EVENTS.notWatched, { path })
    processEvents.onHangup(() => announce(log, EVENTS.notReadAgain, { path }))
  } else {
    watching.watch(stateAfterStart(loaded), {
      onEvent: reloader.onEvent,
      onDeath: (death) => announce(log, EVENTS.configurationThreadDied, { path, ...death }),
    })
    processEvents.onHangup(() => watching.reloadNow())
  }
  // The cache of compiled code is else written at a clean exit only, and the next start may come after a kill.
  setImmediate(() => flushCompileCache())

  const isUpgraded = await Promise.race([
    processEvents.stopRequested.then(() => false),
    upgrade.completed.then(() => true),
  ])
  upgrade.close()
  watching?.close()
  await reloader.close()
  if (pidFile !== undefined && !isUpgraded) removePidFile(pidFile)
  if (isUpgraded) return drainBehindSuccessor(gateway, processEvents, log)
  await goOnForAWhile(gateway, processEvents)
  return drain(gateway, processEvents, log)
}

/** Others obey them, so that somebody may count on it. Their values may hold a password. */
function tellProxyVariables(log: Log, env: NodeJS.ProcessEnv): void {
  const names = PROXY_VARIABLES.filter((name) => env[name] !== undefined && env[name] !== '')
  if (names.length > 0) announce(log, EVENTS.proxyVariables, { names: names.join(' ') })
}

const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy']

function fallBack(path: string, failure: LoadFailure, { log }: MainLogging): Settings {
  const { error, cause } = failure
  announce(log, EVENTS.defaultConfiguration, { path, error, status: 'default', cause })
  return defaultSettings(failure)
}
