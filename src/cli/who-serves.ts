/** What whoever started this process wants to know of it: a file with its pid, and systemd. */
import { spawn } from 'node:child_process'
import { readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'

/** The file with the pid, written beside its place; what went wrong, if anything did. */
export interface PidFile {
  readonly error: string | undefined
  /** In one step, so that nobody reads half of it. What went wrong, if anything did. */
  put(): string | undefined
  /** This process will not serve. */
  drop(): void
}

/** Before anybody is accepted: what cannot be written is known while it costs no connection. */
export function preparePidFile(path: string, pid: number = process.pid): PidFile {
  const aside = `${path}.${pid}`
  const drop = (): void => rmSync(aside, { force: true })
  function attempt(step: () => void): string | undefined {
    try {
      step()
      return undefined
    } catch (error) {
      drop()
      return (error as Error).message
    }
  }
  const error = attempt(() => {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${path} is a directory`)
    writeFileSync(aside, `${pid}\n`)
  })
  return { error, put: () => error ?? attempt(() => renameSync(aside, path)), drop }
}

/** Unless it is a successor's by now. */
export function removePidFile(path: string, pid: number = process.pid): void {
  try {
    if (readFileSync(path, 'utf8') === `${pid}\n`) unlinkSync(path)
  } catch {
    // It has gone, or is not ours to remove.
  }
}

/** How long systemd's program may take: what waits for it is the end of this process. */
const NOTIFY_MS = 5000

/** The successor was killed, or has died, and may have come so far as to put its pid there, or beside. */
export function takeBackPidFile(path: string, successor: number, pid: number = process.pid): void {
  try {
    rmSync(`${path}.${successor}`, { force: true })
    if (readFileSync(path, 'utf8') === `${successor}\n`) preparePidFile(path, pid).put()
  } catch {
    // It has gone, or is not ours to change.
  }
}

/**
 * Tells systemd which process serves (sd_notify(3), `Type=notify`), by its own program: Node has no datagram
 * sockets in the file system. What goes wrong shows in systemd, which waits in vain. Resolves when it knows.
 */
export async function notifySystemd(env: NodeJS.ProcessEnv, pid: number = process.pid): Promise<void> {
  if (env['NOTIFY_SOCKET'] === undefined) return
  const options = { stdio: 'ignore', timeout: NOTIFY_MS, killSignal: 'SIGKILL' } as const
  const child = spawn('systemd-notify', ['--ready', `MAINPID=${pid}`], options)
  await new Promise<void>((resolve) => child.once('error', () => resolve()).once('close', () => resolve()))
}
