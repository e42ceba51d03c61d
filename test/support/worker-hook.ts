/**
 * Goes into a gateway's process by `--import`. A key that a request brings is hashed by the thread that serves it, so a key can
 * say what is to become of that thread.
 */
import crypto from 'node:crypto'
import { appendFileSync, existsSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread, threadId } from 'node:worker_threads'

const DEEDS: Readonly<Record<string, () => void>> = {
  /** Leaves its number in the file `served` of the working directory. */
  'worker-tells': () => appendFileSync('served', `${isMainThread ? 0 : threadId}\n`),
  /** Throws where nobody catches it. */
  'worker-throws': () =>
    void setImmediate(() => {
      throw new Error('a bug of a worker')
    }),
  'worker-exits': () => process.exit(3),
  'worker-eats': () =>
    void setImmediate(() => {
      const eaten: string[][] = []
      for (;;) eaten.push(Array.from({ length: 10_000 }, (_, i) => `${i} ${eaten.length}`))
    }),
  /** Does not come back until there is a file `released`. */
  'worker-sticks': () =>
    void setImmediate(() => {
      while (!existsSync('released'));
    }),
  /** The same, and then it is gone, with all that waited for it unseen. */
  'worker-sticks-and-exits': () =>
    void setImmediate(() => {
      while (!existsSync('released'));
      process.exit(3)
    }),
}

const hash = crypto.hash
crypto.hash = ((algorithm, data, options) => {
  if (typeof data === 'string') DEEDS[data]?.()
  return hash(algorithm, data, options as 'hex')
}) as typeof crypto.hash
syncBuiltinESMExports()
