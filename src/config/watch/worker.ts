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
const HEAVY_AFTER_MS = 2000

const port = parentPort!
let watcher: Watcher | undefined
let cancelWeighing = (): void => {}

function post(message: FromWatchThread): void {
  port.postMessage(message)
}

function watch(path: string, initial: WatchState): void {
  watcher = watchConfiguration({
    initial,
    load: (inForce) => {
      const loaded = loadSettings(path, undefined, undefined, inForce)
      weighLater()
      return loaded
    },
    onEvent: (event, state) => post({ type: 'event', event, state }),
    clock: REAL_CLOCK,
  })
}

function weighLater(): void {
  cancelWeighing()
  cancelWeighing = REAL_CLOCK.after(HEAVY_AFTER_MS, () => {
    if (watcher!.isBusy) weighLater()
    else if (getHeapStatistics().total_heap_size > MAX_IDLE_HEAP_BYTES) post({ type: 'heavy' })
  })
}

/** A change that is settling is seen to its end here: another thread would begin again with it. */
function retire(): void {
  if (watcher!.isBusy) {
    weighLater()
    post({ type: 'staying' })
    return
  }
  post({ type: 'retiring', state: watcher!.state() })
  watcher!.close()
  cancelWeighing()
  port.close()
}

port.on('message', (message: ToWatchThread) => {
  switch (message.type) {
    case 'watch':
      watch(message.path, message.initial)
      break
    case 'reload':
      watcher?.reloadNow()
      post({ type: 'reloaded' })
      break
    case 'retire':
      retire()
  }
})
post({ type: 'up' })
// This thread is ended from outside, which writes no cache of compiled code.
setImmediate(() => flushCompileCache())
