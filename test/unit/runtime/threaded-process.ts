/**
 * A process with a thread beside it. `argv[2]`: what the thread does (`wait`, `talk`, `stuck`), `argv[3]`: a FIFO that nobody writes,
 * `argv[4]`: the code to exit with; none: it ends by itself. `argv[5]`: what nothing takes the place of the process for (`/proc`:
 * there is none; `filter`: no program may).
 */
import { constants, openSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { exitProcess, startThread } from '../../../src/runtime/threads.ts'

const [, , what, fifo, code, obstacle] = process.argv
const { execve } = process
process.execve = (program, ...rest): never => {
  const isRefused = obstacle === 'filter' || (obstacle === '/proc' && program.startsWith('/proc'))
  return isRefused ? execve!('/no/such/program', ...rest) : execve!(program, ...rest)
}
const thread = startThread(new URL('talking-thread.ts', import.meta.url), {})
thread.postMessage({ what, fifo })
thread.once('message', async () => {
  if (what === 'stuck') await isInside(fifo!)
  process.stderr.write('up\n')
  if (code !== undefined) void exitProcess(Number(code))
})
// Until the thread has said that it is up.
const keepAlive = setTimeout(() => {}, 10_000)
thread.once('message', () => clearTimeout(keepAlive))

/** Until the thread has opened it: this end stays open, and says nothing, so that the thread waits for ever. */
async function isInside(path: string): Promise<void> {
  for (;;) {
    try {
      openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
      await wait(1)
    }
  }
}
