/** What whoever started this process wants to know of it: a file with its pid, and systemd. */
import { spawn } from 'node:child_process'
import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'

/** Puts the pid into a file, in one step, so that nobody reads half of it. What went wrong, if anything did. */
export function writePidFile(path: string, pid: number = process.pid): string | undefined {
  const aside = `${path}.${pid}`
  try {
    writeFileSync(aside, `${pid}\n`)
    renameSync(aside, path)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** Unless it is a successor's by now. */
export function removePidFile(path: string, pid: number = process.pid): void {
  try {
    if (readFileSync(path, 'utf8') === `${pid}\n`) unlinkSync(path)
  } catch {
    // It has gone, or is not ours to remove.
  }
}

/**
 * Tells systemd that this process is the one that serves (sd_notify(3), `Type=notify`), by its own program: Node has no datagram
 * sockets in the file system. What goes wrong shows in systemd, which waits in vain.
 */
export function notifySystemd(env: NodeJS.ProcessEnv, pid: number = process.pid): void {
  if (env['NOTIFY_SOCKET'] === undefined) return
  const child = spawn('systemd-notify', ['--ready', `MAINPID=${pid}`], { stdio: 'ignore' })
  child.on('error', () => {})
  child.unref()
}
