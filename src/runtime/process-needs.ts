/**
 * What a process has to have from its start, whoever starts it (docs/decisions/0019, 0031). `bin/fluxgate` and the image give it;
 * any other start makes up for what is missing by becoming the same program once more, with everything there.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasHandedSockets } from './handed-sockets.ts'
import { isOneFile } from './one-file.ts'
import { EXTRA_ROOTS, isReadable } from './system-roots.ts'

const FLAGS = ['--disable-sigusr1', '--use-system-ca', '--max-semi-space-size=2', '--v8-pool-size=1']

/** Name look-ups block a thread each: some that nobody answers must not hold up the others. One malloc arena is enough. */
const VARIABLES = { UV_THREADPOOL_SIZE: '32', MALLOC_ARENA_MAX: '1' } as const

/** Holds the pid of a process that has become itself again, so that it does so once, whatever it finds. */
const MARK = 'FLUXGATE_STARTED_AS'

/** As in `bin/fluxgate`; from here and from `dist/runtime/`. What is in one file has no use for it. */
function compileCache(): NodeJS.ProcessEnv {
  return isOneFile ? {} : { NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/compile') }
}

/** Of the program that runs here, to be started again by `process.execPath`. */
export function ownArguments(): readonly string[] {
  return isOneFile ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)]
}

export interface Missing {
  readonly flags: readonly string[]
  readonly variables: Readonly<Record<string, string>>
}

type Started = Pick<NodeJS.Process, 'execArgv' | 'env'>

/** What somebody has set, to whatever value, stays. */
export function findMissing({ execArgv, env }: Started): Missing {
  const given = new Set([...execArgv, ...(env.NODE_OPTIONS ?? '').split(/\s+/)].map(nameOf))
  if (env.NODE_USE_SYSTEM_CA === '1') given.add(nameOf('--use-system-ca'))
  return {
    flags: FLAGS.filter((flag) => !given.has(nameOf(flag))),
    variables: Object.fromEntries(Object.entries(VARIABLES).filter(([name]) => env[name] === undefined)),
  }
}

/** `--no-use-system-ca` and `--max_semi_space_size=8` are decisions about these flags. */
function nameOf(flag: string): string {
  return flag
    .split('=', 1)[0]!
    .replaceAll('_', '-')
    .replace(/^--no-/, '--')
}

/**
 * Becomes the same program with what is missing, and then does not return: same pid, same descriptors, same arguments. Returns
 * where nothing is missing, or where this cannot be done (Windows, a parent that talks to this process, `--permission`). Also without roots that
 * are named and not there, of which Node would write on stderr; returns where they were to be.
 */
export function becomeWhole(): string | undefined {
  const { env } = process
  const [pid, ...lost] = (env[MARK] ?? '').split(' ')
  delete env[MARK]
  if (pid === String(process.pid)) return lost.length === 0 ? undefined : lost.join(' ')
  const { flags, variables } = findMissing(process)
  const extra = env[EXTRA_ROOTS]
  const isLost = extra !== undefined && extra !== '' && !isReadable(extra)
  if (flags.length === 0 && Object.keys(variables).length === 0 && !isLost) return undefined
  // Under Node's permission model it may not; the type has no model that is off.
  if ((process.permission as typeof process.permission | undefined)?.has('child') === false) return undefined
  // A failed execve aborts the process.
  if (process.execve === undefined || process.connected || !existsSync(process.execPath)) return undefined
  // Node has marked all descriptors but the first three as ours alone: sockets that were handed over would be lost.
  if (hasHandedSockets(env)) return undefined
  // Those that are part of a file cannot be missing, unless somebody has built it wrongly.
  const args = [process.execPath, ...(isOneFile ? [] : flags), ...ownArguments()]
  // No need of its own, but the second start is to be a fast one. Where nothing can be written Node goes on without it.
  const next: NodeJS.ProcessEnv = { ...compileCache(), ...env, ...variables, [MARK]: String(process.pid) }
  if (isLost) {
    delete next[EXTRA_ROOTS]
    next[MARK] += ` ${extra}`
  }
  process.execve(process.execPath, args, next)
  return undefined
}

export const ENOUGH_THREADS = Number(VARIABLES.UV_THREADPOOL_SIZE)

/**
 * Threads for name look-ups (and files) that run in this process already; 0: none yet, or it cannot be told. The first that needs one
 * starts them all, and from then on there are never more.
 */
export function startedThreads(folder = '/proc/self/task'): number {
  try {
    const names = readdirSync(folder).map((id) => readFileSync(join(folder, id, 'comm'), 'latin1'))
    return names.filter((name) => name === 'libuv-worker\n').length
  } catch {
    // No Linux, or a thread that has just ended.
    return 0
  }
}

let hasSystemRoots = false

/**
 * The same for a program that has a gateway in its process: as much as can be had once it runs, which is threads, unless some have
 * been started, and the roots, when the first upstream needs them. The latter hold for all that the process does over TLS.
 */
export function adaptProcess(needsRoots: boolean): void {
  process.env.UV_THREADPOOL_SIZE ??= VARIABLES.UV_THREADPOOL_SIZE
  if (!needsRoots || hasSystemRoots) return
  hasSystemRoots = true
  if (!findMissing(process).flags.includes('--use-system-ca')) return
  const { getCACertificates, setDefaultCACertificates } = process.getBuiltinModule('node:tls')
  setDefaultCACertificates?.([...getCACertificates('default'), ...getCACertificates('system')])
}
