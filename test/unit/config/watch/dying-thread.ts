/** Dies as soon as it is to watch, with a secret in the exception. `path` says how. */
import { parentPort } from 'node:worker_threads'

parentPort!.on('message', ({ path }: { path: string }) => {
  if (path === 'exit') process.exit(3)
  if (path === 'memory') {
    const kept: unknown[] = []
    for (;;) kept.push(new Array(100_000).fill(0.5).map(String))
  }
  throw new TypeError('sk-secret is not a function')
})
