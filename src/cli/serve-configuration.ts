import { flushCompileCache } from 'node:module'
import { assemble } from '../config/assemble.ts'
import { defaultSettings, type LoadedSettings, type LoadFailure, loadSettings } from '../config/load.ts'
import type { Settings } from '../config/settings.ts'
import type { BindAddress, Snapshot } from '../config/snapshot.ts'
import type { SourceContent } from '../config/source.ts'
import { formatProblem, problemLines } from '../config/text/problem.ts'
import { stateAfterStart } from '../config/watch/state.ts'
import type { WatchThread } from '../config/watch/thread.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { announce, EVENTS } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import type { MainLogging } from '../observe/logging.ts'
import { type HandedSocket, type HandedSockets, type SocketName, takeHandedSockets } from '../runtime/handed-sockets.ts'
import { announceChangedFields } from './changed-fields.ts'
import { ConfigurationState } from './configuration-state.ts'
import { warnOfFewDescriptors } from './descriptors.ts'
import { Operations } from './operations.ts'
import type { ProcessEvents } from './process-events.ts'
import { createReloader, logWarnings, numbered, type Reloader } from './reload.ts'
import { drain, drainBehindSuccessor, goOnForAWhile, listen, serviceCommand } from './serve.ts'
import { createUpgrade, namedSockets, obstacleToUpgrades, type Report, reportTo } from './upgrade.ts'
import { notifySystemd, preparePidFile, removePidFile, takeBackPidFile } from './who-serves.ts'

export interface ServeOptions {
  /** Without a valid file there is no gateway. */
  readonly isRequired: boolean
  /** Counts instead of the file's, for as long as the process lives. */
  readonly bindAddress: BindAddress | undefined
  readonly pidFile: string | undefined
}

/** A gateway's life: what the file says, and then what becomes of it; the exit code of the process. */
export function serveConfiguration(path: string, options: ServeOptions, origin: Origin): Promise<number> {
  return serviceCommand((logging, processEvents) => {
    const { log } = logging
    const handed = takeHandedSockets(process.env)
    announce(log, EVENTS.starting, { path })
    tellProxyVariables(log, process.env)
    logging.flushNow()
    return live({ path, options, origin, logging, processEvents, handed, report: reportTo(handed.reportFd) })
  })
}

/** A file that is watched, or what came through a pipe, once and for all. */
export type Origin =
  | { readonly watching: WatchThread; readonly piped: undefined }
  | { readonly watching: undefined; readonly piped: SourceContent }

/** All that a life needs of its surroundings. */
interface Surroundings {
  readonly path: string
  readonly options: ServeOptions
  readonly origin: Origin
  readonly logging: MainLogging
  readonly processEvents: ProcessEvents
  readonly handed: HandedSockets
  /** To a predecessor, if there is one. */
  readonly report: Report
}

async function live(surroundings: Surroundings): Promise<number> {
  const { path, options, origin, logging, processEvents, handed } = surroundings
  const { log, writeRecord, workerLines, tally } = logging
  const { watching, piped } = origin
  const loaded = load(surroundings)
  if (typeof loaded === 'number') return loaded
  const settings = loaded.ok ? loaded.settings : fallBack(path, loaded, logging)
  let snapshot = numbered(assemble(settings), 1, options.bindAddress)
  const socketOf = (name: SocketName): HandedSocket | undefined => handed.sockets.find((socket) => socket.name === name)
  const gateway = createGateway(snapshot, { log, writeRecord, workerLines, tally }, settings, socketOf('server'))
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

  const configuration = new ConfigurationState(path, loaded.ok ? undefined : loaded.error)
  let address: string | undefined
  let isLeaving = false
  const operations = new Operations(
    log,
    {
      gateway,
      configuration,
      snapshot: () => snapshot,
      notReady: () => [
        // Behind a predecessor somebody serves all the while.
        ...(address === undefined && handed.reportFd === undefined ? ['starting'] : []),
        ...(isLeaving ? ['draining'] : []),
        ...(snapshot.isDefault ? ['default configuration'] : []),
      ],
      listeners: () => ({ server: address ?? '', admin: operations.address }),
    },
    socketOf('admin'),
  )
  address = await open(surroundings, gateway, operations, snapshot)
  if (address === undefined) {
    await gateway.cut()
    return 1
  }

  const { generation, server } = snapshot
  const { maxConnections, workers } = server
  const upgrade = createUpgrade({
    log,
    sockets: () => namedSockets({ server: gateway.handover(), admin: operations.handover }),
    obstacle: obstacleToUpgrades(piped !== undefined),
    onFailed(successor) {
      if (options.pidFile !== undefined) takeBackPidFile(options.pidFile, successor)
    },
  })
  const reloader = createReloader({
    ...{ gateway, log, path, address, bindAddress: options.bindAddress, generation, maxConnections, workers },
    mayGoOn: upgrade.settled,
    onPublished(next, listeningOn) {
      snapshot = next
      address = listeningOn
      return operations.publish(next.admin)
    },
  })
  processEvents.onUpgrade(() => void reloader.idle().then(upgrade.begin))
  follow(surroundings, loaded, configuration, reloader)
  // The cache of compiled code is else written at a clean exit only, and the next start may come after a kill.
  setImmediate(() => flushCompileCache())

  await Promise.race([processEvents.stopRequested, upgrade.completed])
  // What a successor has said by now is heard first: it may be about to serve, or do so.
  await new Promise(setImmediate)
  const successor = upgrade.close()
  isLeaving = successor === undefined
  watching?.close()
  await reloader.close()
  return leave(surroundings, gateway, operations, successor)
}

/** Where clients come in from now on; undefined: nowhere, and whoever has to know of that does. */
async function open(
  { options: { pidFile: path }, logging, processEvents, handed, report }: Surroundings,
  gateway: Gateway,
  operations: Operations,
  { admin, server }: Snapshot,
): Promise<string | undefined> {
  const { log } = logging
  const isSuccessor = handed.reportFd !== undefined
  const pidFile = path === undefined ? undefined : preparePidFile(path)
  let address: string | undefined
  const hurry = isSuccessor ? gateway.isUp(processEvents.stopRequested) : processEvents.stopRequested
  // Whoever is taken before this process is sure to serve would be lost if it did not; a predecessor serves meanwhile.
  if (isSuccessor) await hurry
  if (isFine(pidFile?.error, path, log) && (await operations.start(admin)))
    address = await listen(gateway, server.bindAddress.text, log, hurry)
  if (address === undefined || !isFine(pidFile?.put(), path, log)) {
    pidFile?.drop()
    // A successor is killed for what it reports.
    logging.flushNow()
    report.failed('it cannot listen, or not write its pid file: its log says why')
    return undefined
  }
  report.listening()
  // Of a successor, its predecessor tells.
  if (!isSuccessor) void notifySystemd(process.env)
  return address
}

/** To the end of what runs. */
async function leave(
  { options, logging: { log }, processEvents }: Surroundings,
  gateway: Gateway,
  operations: Operations,
  successor: number | undefined,
): Promise<number> {
  try {
    if (successor !== undefined) {
      // To systemd the end of the process that it knows is the end of the service, and of its other processes.
      const told = notifySystemd(process.env, successor)
      const hasLeft = Promise.race([operations.handOver(), processEvents.stopRequested])
      const code = await drainBehindSuccessor(gateway, processEvents, log)
      await Promise.all([hasLeft, told])
      return code
    }
    if (options.pidFile !== undefined) removePidFile(options.pidFile)
    await goOnForAWhile(gateway, processEvents)
    return await drain(gateway, processEvents, log)
  } finally {
    operations.close()
  }
}

/** What the file says, or why it can be nothing to go on with; or the exit code, where that ends the start. */
function load({
  path,
  options,
  origin,
  logging: { log },
  handed,
  report,
}: Surroundings): LoadedSettings | LoadFailure | number {
  const { piped } = origin
  const loaded = loadSettings(path, process.env, piped)
  if (loaded.ok) {
    logWarnings(log, problemLines(loaded.warnings))
    return loaded
  }
  // Nothing better will ever come through a pipe; and a predecessor goes on with what is fine.
  if (options.isRequired || piped !== undefined || handed.reportFd !== undefined) {
    for (const problem of loaded.problems) process.stderr.write(`${formatProblem(problem)}\n`)
    report.failed(`the configuration is not valid: ${loaded.error}`)
    return 1
  }
  if (options.bindAddress === undefined && typeof loaded.bindAddress === 'string') {
    announce(log, EVENTS.bindFailed, { address: loaded.bindAddress, error: loaded.error })
    return 1
  }
  return loaded
}

function isFine(error: string | undefined, path: string | undefined, log: Log): boolean {
  if (error !== undefined) announce(log, EVENTS.pidFileFailed, { path, error })
  return error === undefined
}

/** From now on a change of the file is one of the gateway. */
function follow(
  { path, origin: { watching }, logging: { log }, processEvents }: Surroundings,
  loaded: LoadedSettings | LoadFailure,
  configuration: ConfigurationState,
  reloader: Reloader,
): void {
  if (watching === undefined) {
    announce(log, EVENTS.notWatched, { path })
    processEvents.onHangup(() => announce(log, EVENTS.notReadAgain, { path }))
    return
  }
  watching.watch(stateAfterStart(loaded), {
    onEvent(event) {
      configuration.note(event)
      reloader.onEvent(event)
    },
    onDeath: (death) => announce(log, EVENTS.configurationThreadDied, { path, ...death }),
  })
  processEvents.onHangup(() => watching.reloadNow())
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
