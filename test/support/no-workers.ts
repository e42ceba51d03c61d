/** Goes into a gateway's process by `--import`: no thread that serves ever gets up. */
import { isMainThread, workerData } from 'node:worker_threads'

if (!isMainThread && typeof workerData === 'object' && workerData !== null) process.exit(7)
