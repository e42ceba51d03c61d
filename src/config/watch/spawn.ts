/** One thread from its start to its end, which may be the same moment: the system may have no thread to give. */
import type { ResourceLimits, Worker } from 'node:worker_threads'
import { startThread } from '../../runtime/threads.ts'
import type { FromWatchThread, ToWatchThread } from './messages.ts'

export interface Death {
  readonly error: string
  readonly stack: string | undefined
}

export interface Spawned {
  post(message: ToWatchThread): void
  /** Does not wait for it. */
  terminate(): void
}

export interface SpawnListener {
  onMessage(thread: Spawned, message: FromWatchThread): void
  /** Once, and never before `spawn` has returned. */
  onEnd(thread: Spawned, death: Death): void
}

export function spawn(entry: URL, limits: ResourceLimits, listener: SpawnListener): Spawned {
  let worker: Worker
  try {
    worker = startThread(entry, limits)
  } catch (error) {
    const none: Spawned = { post() {}, terminate() {} }
    // Of this process and not of a file, so that it can be told as it is.
    const death = { error: error instanceof Error ? error.message : String(error), stack: undefined }
    process.nextTick(() => listener.onEnd(none, death))
    return none
  }
  const thread: Spawned = {
    post: (message) => worker.postMessage(message),
    terminate: () => void worker.terminate(),
  }
  let cause: unknown
  worker.on('message', (message: FromWatchThread) => listener.onMessage(thread, message))
  worker.on('messageerror', (error) => {
    cause = error
    thread.terminate()
  })
  worker.on('error', (error) => {
    cause = error
  })
  worker.on('exit', (code) => listener.onEnd(thread, describeDeath(cause, code)))
  return thread
}

/** Without the message of an exception: it was thrown amid secrets, and may quote one. */
function describeDeath(cause: unknown, code: number): Death {
  if (!(cause instanceof Error)) {
    return { error: cause === undefined ? `exit code ${code}` : 'something that is no Error', stack: undefined }
  }
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const error = (cause as NodeJS.ErrnoException).code ?? cause.name
  return { error, stack: frames.length === 0 ? undefined : frames.map((line) => line.trim()).join('\n') }
}
