/**
 * Loaded into the gateway's process before anything else. On the thread that watches the configuration, and there only, the file
 * system does not answer while there is a FIFO `stuck` in the working directory: whoever asks it waits in the FIFO. A
 * file `die` there ends the thread.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

if (!isMainThread) {
  const { statSync, existsSync, openSync, readSync, closeSync, rmSync } = fs
  fs.statSync = ((...args: Parameters<typeof statSync>) => {
    if (existsSync('die')) {
      rmSync('die')
      process.exit(3)
    }
    if (existsSync('stuck')) {
      const fifo = openSync('stuck', 'r')
      readSync(fifo, Buffer.alloc(1))
      closeSync(fifo)
    }
    return statSync(...args)
  }) as typeof statSync
  syncBuiltinESMExports()
}
