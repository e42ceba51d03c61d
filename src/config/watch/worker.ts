/**
 * The thread that watches the configuration: all that takes time to read, to parse and to judge happens here, and whatever the
 * file system does, it does to nobody else.
 */
import { flushCompileCache } from 'node:module'
import { getHeapStatistics } from 'node:v8'
import { parentPort } from 'node:worker_threads'
// From the start, though there may be nothing to parse for long: later there may be no file descriptor for it.
import { loadSettings } from '../load.ts'
import { REAL_CLOCK } from './clock.ts'
import type { FromWatchThread, ToWatchThread } from './messages.ts'
import type { WatchState } from './state.ts'
import { type Watcher, watchConfiguration } from './watch.ts'

/** V8 keeps what it took for parsing a large file: 5000 keys leave 100 MB behind, which nobody needs before the next change. */
const MAX_IDLE_HEAP_BYTES = 32 * 1024 * 1024
const RETIRE_AFTER_MS = 2000

const port = parentPort!
let watcher: Watcher | undefined
let cancelRetirement = (): void => {}

function post(message: FromWatchThread): void {
  port.postMessage(message)
}

function watch(path: string, initial: WatchState): void {
  watcher = watchConfiguration({
    initial,
    load: () => {
      const loaded = loadSettings(path)
      retireLater()
      return loaded
    },
    onEvent: (event, state) => post({ type: 'event', event, state }),
    clock: REAL_CLOCK,
  })
}

function retireLater(): void {
  cancelRetirement()
  cancelRetirement = REAL_CLOCK.after(RETIRE_AFTER_MS, () => {
    if (getHeapStatistics().total_heap_size <= MAX_IDLE_HEAP_BYTES) return
    post({ type: 'retiring', state: watcher!.state() })
    watcher!.close()
    port.close()
  })
}

port.on('message', (message: ToWatchThread) => {
  if (message.type === 'watch') watch(message.path, message.initial)
  else {
    watcher?.reloadNow()
    post({ type: 'reloaded' })
  }
})
post({ type: 'up' })
// This thread is ended from outside, which writes no cache of compiled code.
setImmediate(() => flushCompileCache())
