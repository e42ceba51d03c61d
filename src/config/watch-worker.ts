/**
 * The thread that watches the configuration: all that takes time to read, to parse and to judge happens here, and whatever the
 * file system does, it does to nobody else.
 */
import { flushCompileCache } from 'node:module'
import { getHeapStatistics } from 'node:v8'
import { parentPort, workerData } from 'node:worker_threads'
import { watchConfiguration } from './watch.ts'
import { REAL_CLOCK } from './watch-clock.ts'
import type { FromWatchThread, ToWatchThread, WatchThreadData } from './watch-messages.ts'

const { path, initial } = workerData as WatchThreadData
const port = parentPort!

type Load = typeof import('./load.ts')['loadSettings']

/** The parser and the schema take 3.5 MB, and a gateway whose file never changes needs them at its start only. */
let load: Load | undefined
let loading: Promise<void> | undefined

function prepare(): Promise<void> {
  loading ??= import('./load.ts').then((module) => {
    load = module.loadSettings
  })
  return loading
}

function post(message: FromWatchThread): void {
  port.postMessage(message)
}

const watcher = watchConfiguration({
  initial,
  load: () => {
    if (load === undefined) {
      void prepare()
      return undefined
    }
    const loaded = load(path)
    retireLater()
    return loaded
  },
  onEvent: (event, state) => post({ type: 'event', event, state }),
  clock: REAL_CLOCK,
})

/** V8 keeps what it took for parsing a large file: 5000 keys leave 100 MB behind, which nobody needs before the next change. */
const MAX_IDLE_HEAP_BYTES = 32 * 1024 * 1024
const RETIRE_AFTER_MS = 2000
let cancelRetirement = (): void => {}

function retireLater(): void {
  cancelRetirement()
  cancelRetirement = REAL_CLOCK.after(RETIRE_AFTER_MS, () => {
    if (getHeapStatistics().total_heap_size <= MAX_IDLE_HEAP_BYTES) return
    post({ type: 'retiring', state: watcher.state() })
    watcher.close()
    port.close()
  })
}

async function reload(): Promise<void> {
  await prepare()
  watcher.reloadNow()
  post({ type: 'reloaded' })
}

port.on('message', (_: ToWatchThread) => void reload())
// This thread is ended from outside, which writes no cache of compiled code.
setImmediate(() => flushCompileCache())
