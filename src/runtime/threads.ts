/** Threads beside the one that serves, and an end of the process that none of them can hold up. */
import { setTimeout as wait } from 'node:timers/promises'
import type { ResourceLimits, Transferable, Worker } from 'node:worker_threads'
import { embeddedCode, isOneFile } from './one-file.ts'

const running = new Set<Worker>()

/** How long an exit waits for threads to come back from the system. */
const EXIT_WAIT_MS = 50

/** What a thread gets along; without it, nothing. */
export interface Given {
  readonly workerData: unknown
  readonly transferList: readonly Transferable[]
}

/**
 * Starts a thread that holds no process and writes nowhere: unless they are asked for, its streams would be piped into those of
 * the process, which a service never opens. It takes over the environment, and the options of Node only if it is given something:
 * then it serves, and checks certificates against the same roots.
 */
export function startThread(entry: URL, limits: ResourceLimits, given?: Given): Worker {
  const { Worker } = process.getBuiltinModule('node:worker_threads')
  const code = embeddedCode(entry)
  const thread = new Worker(code ?? entry, {
    eval: code !== undefined,
    resourceLimits: limits,
    ...(given !== undefined && { workerData: given.workerData, transferList: [...given.transferList] }),
    ...((given === undefined || isForTextOnly()) && { execArgv: [] }),
    stdin: false,
    stdout: true,
    stderr: true,
  })
  thread.unref()
  running.add(thread)
  thread.once('exit', () => running.delete(thread))
  return thread
}

/** A program that was given as text (`node --input-type=module --eval …`) has an option with which no thread begins at a file. */
function isForTextOnly(): boolean {
  return process.execArgv.some((option) => option.startsWith('--input-type'))
}

/**
 * Ends the process with this code. `process.exit` waits for every thread, and one that asks a file system which does not answer
 * (the server of a hard mount has gone) comes back when that does, or never. Then another program takes the place of this
 * one, which is what the kernel ends all its threads for, and exits with the code.
 */
export async function exitProcess(code: number): Promise<never> {
  if (running.size > 0) {
    const ended = Promise.all([...running].map((thread) => thread.terminate()))
    await Promise.race([ended, wait(EXIT_WAIT_MS)])
  }
  if (running.size > 0) replaceProcess(code)
  process.exit(code)
}

/** Holds the pid of a process that has nothing left to do, and its exit code: the one-file executable evaluates nothing. */
const EXIT = 'FLUXGATE_EXIT'

/** The first thing that a process does: it may be one that only ends. */
export function exitAsTold(): void {
  const [pid, code] = (process.env[EXIT] ?? '').split(' ')
  if (pid === String(process.pid)) process.exit(Number(code))
}

/** Where nothing can take its place (no /proc, a filter of system calls), the end counts more than the code. */
function replaceProcess(code: number): void {
  const programs = process.platform === 'linux' ? ['/proc/self/exe', process.execPath] : [process.execPath]
  const args = isOneFile ? [] : ['--eval', `process.exit(${code})`]
  for (const program of programs) {
    try {
      process.execve?.(program, [process.execPath, ...args], { [EXIT]: `${process.pid} ${code}` })
    } catch {
      // The next one, or none.
    }
  }
  process.kill(process.pid, 'SIGKILL')
}
