/** Goes into a gateway's process by `--import`: a thread that serves gets up only when there is no file `held` in the working directory. */
import { existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { isMainThread, workerData } from 'node:worker_threads'

if (!isMainThread && typeof workerData === 'object' && workerData !== null && 'passage' in workerData)
  while (existsSync('held')) await wait(20)
