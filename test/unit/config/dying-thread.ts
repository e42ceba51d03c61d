/** Dies at once, with a secret in the exception. `path` says how. */
import { workerData } from 'node:worker_threads'

const { path } = workerData as { path: string }
if (path === 'exit') process.exit(3)
if (path === 'memory') {
  const kept: unknown[] = []
  for (;;) kept.push(new Array(100_000).fill(0.5).map(String))
}
throw new TypeError('sk-secret is not a function')
