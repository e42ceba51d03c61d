import { formatProblem } from '../config/load.ts'
import { STDIN_PATH } from '../config/pipe.ts'
import type { Settings } from '../config/settings.ts'
import { loadGiven } from './given-configuration.ts'

/** `fluxgate check`: says everything that is wrong with the file, or that nothing is; the exit code. */
export function check(path: string, out: (line: string) => void, env: NodeJS.ProcessEnv = process.env): number {
  const loaded = loadGiven(path, env)
  const shown = path === STDIN_PATH ? '<stdin>' : path
  const problems = loaded.ok ? [] : loaded.problems
  for (const found of [...problems, ...loaded.warnings]) out(formatProblem(found))
  if (loaded.ok && loaded.warnings.length === 0) {
    out(`${shown}: OK, ${summary(loaded.settings)}${place(loaded.settings)}`)
    return 0
  }
  const counts = [count(problems.length, 'problem'), count(loaded.warnings.length, 'warning')]
  out(`${shown}: ${counts.filter((text) => !text.startsWith('0')).join(', ')}`)
  return 1
}

function summary({ upstreams, staticKeys, jwtKeys, allowAnonymous }: Settings): string {
  const keys = staticKeys.count + jwtKeys.length
  const counts = `${count(upstreams.length, 'upstream')}, ${count(keys, 'key')}`
  if (allowAnonymous) return `${counts}; no key is needed (server.allow_anonymous)`
  return keys === 0 ? `${counts}; without keys every request is answered with 401` : counts
}

/** A Unix socket is worth a word: a client that expects a port would look for one. */
function place({ server: { bindAddress, socketMode } }: Settings): string {
  if (bindAddress.path === undefined) return ''
  return `; listens on the socket ${bindAddress.path} with mode ${socketMode.toString(8).padStart(4, '0')}`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
