import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { CONTENDER_CORE, family } from './usage.ts'

/** Load and origin share it. */
export const LOAD_CORE = 1

/** As `taskset` takes them. The second worker shares the core of the load where there is no third. */
export function contenderCores(workers = 1): string {
  const second = availableParallelism() > 2 ? 2 : LOAD_CORE
  return workers === 1 ? String(CONTENDER_CORE) : `${CONTENDER_CORE},${second}`
}

/** Debian keeps nginx and HAProxy where only root's PATH looks. */
process.env.PATH += ':/usr/local/sbin:/usr/sbin'

const running = new Set<ChildProcess>()
const folders = new Set<string>()

export interface Spawning {
  readonly env?: NodeJS.ProcessEnv
  readonly stdio: StdioOptions
}

export function pinned(cores: string, command: readonly string[], options: Spawning): ChildProcess {
  const child = spawn('taskset', ['--cpu-list', cores, ...command], options)
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  if ((await Promise.race([gone, sleep(2000, 'late', { ref: false })])) === 'late') kill(child)
  await gone
}

export function stopAll(): void {
  for (const child of running) kill(child)
}

/** With its children: a worker of nginx outlives a master that was killed. */
function kill(child: ChildProcess): void {
  for (const pid of family(child.pid!)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It was faster.
    }
  }
}

/** It is gone when the run ends, however that comes about. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fluxgate-bench-'))
  folders.add(folder)
  return folder
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  folders.delete(folder)
}

/** Call once, before anything is started. */
export function cleanUpAtExit(): void {
  process.once('exit', () => {
    stopAll()
    for (const folder of folders) removeFolder(folder)
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
  }
  // A signal that only npm and its shell get would leave this process behind.
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1)
  }, 1000).unref()
}

/** The lines that a child prints, one at a time. */
export function lines(child: ChildProcess, name: string): () => Promise<string> {
  const iterator = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return async () => {
    const { value, done } = await iterator.next()
    if (done) throw new Error(`${name} ended early`)
    return value
  }
}
