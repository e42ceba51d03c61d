/** Goes into a gateway's process by `--import`: a thread that serves gets up only after a minute. */
import { setTimeout as wait } from 'node:timers/promises'
import { isMainThread, workerData } from 'node:worker_threads'

if (!isMainThread && typeof workerData === 'object' && workerData !== null && 'passage' in workerData)
  await wait(60_000)
