/** The life of a gateway in a program that is not ours. */
import { announceChangedFields } from '../cli/changed-fields.ts'
import { ConfigurationState } from '../cli/configuration-state.ts'
import { warnOfFewDescriptors } from '../cli/descriptors.ts'
import { Operations } from '../cli/operations.ts'
import { logWarnings, numbered } from '../cli/reload.ts'
import { assemble } from '../config/assemble.ts'
import { parseBindAddress } from '../config/compile/bind-address.ts'
import type { BindAddress, Snapshot } from '../config/snapshot.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import type { GatewayOptions, RunningGateway, StopOptions } from '../library.ts'
import { announce, EVENTS } from '../observe/events.ts'
import { createLineSink } from '../observe/line-sink.ts'
import type { LineTarget } from '../observe/line-target.ts'
import { createLogging, droppedIn, type MainLogging, readLogEnvironment } from '../observe/logging.ts'
import { ENOUGH_THREADS, startedThreads } from '../runtime/process-needs.ts'
import { Tally } from '../workers/tally.ts'
import { failed } from './failed.ts'
import { type Loaded, load } from './load.ts'

export async function start(options: GatewayOptions): Promise<RunningGateway> {
  const env = options.env ?? process.env
  const bindAddress = options.bindAddress === undefined ? undefined : readBindAddress(options.bindAddress)
  const loaded = load(options.config, env)
  const logging = openLog(options.log ?? 'silent', env)
  const { log } = logging
  const snapshot = numbered(assemble(loaded.settings), 1, bindAddress)
  announceLoaded(logging, loaded, snapshot)
  warnOfFewThreads(logging)
  announce(log, EVENTS.binding, {}, snapshot.server.bindAddress.text)
  const gateway = createGateway(snapshot, logging, loaded.settings)
  const state: State = {
    snapshot,
    address: undefined,
    isLeaving: false,
    configuration: new ConfigurationState('', undefined),
  }
  const operations = createOperations(gateway, log, state)
  const isOpen = await operations.start(snapshot.admin)
  const bound = isOpen ? await gateway.listen() : undefined
  if (bound?.ok !== true) {
    await gateway.drain()
    operations.close()
    throw bound === undefined ? cannotOpen(snapshot) : cannotListen(snapshot, bound.error)
  }
  announce(log, EVENTS.listening, {}, bound.address)
  state.address = bound.address
  return run(gateway, operations, state, { ...options, env, bindAddress, logging })
}

/** What changes while it runs. */
interface State {
  snapshot: Snapshot
  address: string | undefined
  isLeaving: boolean
  readonly configuration: ConfigurationState
}

function createOperations(gateway: Gateway, log: MainLogging['log'], state: State): Operations {
  const operations: Operations = new Operations(log, {
    gateway,
    configuration: state.configuration,
    snapshot: () => state.snapshot,
    notReady: () => [...(state.address === undefined ? ['starting'] : []), ...(state.isLeaving ? ['draining'] : [])],
    listeners: () => ({ server: state.address ?? '', admin: operations.address }),
  })
  return operations
}

interface Started extends Pick<GatewayOptions, 'config'> {
  readonly env: NodeJS.ProcessEnv
  readonly bindAddress: BindAddress | undefined
  readonly logging: MainLogging
}

function run(
  gateway: Gateway,
  operations: Operations,
  state: State,
  { config, env, bindAddress, logging }: Started,
): RunningGateway {
  const { log } = logging
  let reloading: Promise<unknown> = Promise.resolve()
  let stopping: Promise<{ cut: number }> | undefined
  let cutHere = 0

  async function change(given: GatewayOptions['config']): Promise<void> {
    if (stopping !== undefined) throw failed('ERR_FLUXGATE_STOPPED', 'the gateway has been stopped')
    const loaded = load(given, env)
    const snapshot = numbered(assemble(loaded.settings), state.snapshot.generation + 1, bindAddress)
    state.snapshot = snapshot
    const moved = await gateway.publish(snapshot, loaded.settings)
    state.configuration.applied()
    announceLoaded(logging, loaded, snapshot)
    await operations.publish(snapshot.admin)
    if (moved.rebound === 'yes') {
      announce(log, EVENTS.addressChanged, { old_address: state.address, new_address: moved.address })
      announce(log, EVENTS.listening, {}, moved.address)
      state.address = moved.address
    } else if (moved.rebound === 'failed') {
      announce(log, EVENTS.bindFailed, { address: snapshot.server.bindAddress.text, error: moved.error })
      throw cannotListen(snapshot, moved.error)
    }
  }

  async function end(): Promise<{ cut: number }> {
    state.isLeaving = true
    await reloading
    const cut = (await gateway.drain()) + cutHere
    if (cut > 0) announce(log, EVENTS.cut, { connections: cut })
    announce(log, EVENTS.stopped)
    operations.close()
    await logging.flush()
    return { cut }
  }

  function cutAll(): void {
    cutHere += gateway.busyCount()
    void gateway.cut()
  }

  function stop({ timeoutMs }: StopOptions = {}): Promise<{ cut: number }> {
    stopping ??= end()
    if (timeoutMs === undefined) return stopping
    // Once nothing new is accepted, and what is idle has gone.
    const timer = setTimeout(() => void reloading.then(() => setImmediate(cutAll)), timeoutMs)
    return stopping.finally(() => clearTimeout(timer))
  }

  return {
    get address() {
      return state.address!
    },
    get adminAddress() {
      return operations.address
    },
    get url() {
      return urlOf(state.address!, state.snapshot.server.tls !== undefined)
    },
    reload(given = config) {
      const result = reloading.then(() => change(given))
      reloading = result.catch(() => {})
      return result
    },
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  }
}

function openLog(target: 'silent' | LineTarget, env: NodeJS.ProcessEnv): MainLogging {
  const environment = readLogEnvironment(env, false)
  const isSilent = target === 'silent'
  const settings = isSilent ? { ...environment.settings, level: 'none' as const } : environment.settings
  const tally = new Tally()
  const sink = createLineSink(isSilent ? () => {} : target, { describeDropped: droppedIn(settings), tally })
  return createLogging({ ...environment, settings }, sink, tally)
}

function announceLoaded({ log }: MainLogging, { warnings }: Loaded, snapshot: Snapshot): void {
  logWarnings(log, warnings)
  announceChangedFields(log, snapshot)
  warnOfFewDescriptors(log, snapshot.server)
}

/** Once they are there, nothing can make them more. */
function warnOfFewThreads({ log }: MainLogging): void {
  const threads = startedThreads()
  if (threads === 0 || threads >= ENOUGH_THREADS) return
  announce(log, EVENTS.fewThreads, { threads, cure: `start the program with UV_THREADPOOL_SIZE=${ENOUGH_THREADS}` })
}

function readBindAddress(text: string): BindAddress {
  const parsed = parseBindAddress(text, process.cwd())
  if (!('wrong' in parsed)) return parsed
  const problem = `bindAddress: ${parsed.wrong}`
  throw failed('ERR_FLUXGATE_CONFIGURATION', problem, [problem])
}

function cannotListen(snapshot: Snapshot, error: string): Error {
  return failed('ERR_FLUXGATE_BIND', `${snapshot.server.bindAddress.text} cannot be listened on: ${error}`)
}

function cannotOpen({ admin }: Snapshot): Error {
  return failed(
    'ERR_FLUXGATE_BIND',
    `${admin!.bindAddress.text}, which admin.bind_address names, cannot be listened on`,
  )
}

function urlOf(address: string, speaksTls: boolean): string {
  const scheme = speaksTls ? 'https' : 'http'
  if (address.startsWith('unix:')) return `${scheme}://localhost`
  return `${scheme}://${address.replace(/^0\.0\.0\.0(?=:)/, '127.0.0.1').replace(/^\[::\](?=:)/, '[::1]')}`
}
