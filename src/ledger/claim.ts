/** A file that belongs to one living process: Node has no locks of the kernel. */
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'

export interface Claim {
  release(): void
}

/** Undefined: it belongs to a process that lives. Throws where no file can be made. */
export function claim(path: string): Claim | undefined {
  const text = whoIs(process.pid)
  const own = `${path}.${process.pid}`
  writeFileSync(own, text, { mode: 0o600 })
  try {
    // A link is there with its content at once, and only if nothing was there.
    for (let attempt = 0; attempt < 3; attempt++) {
      if (links(own, path)) return { release: () => release(path, text) }
      const found = read(path)
      if (isHeld(found)) return undefined
      if (found !== undefined) clear(path, found, `${own}.stale`)
    }
    return undefined
  } finally {
    remove(own)
  }
}

function links(own: string, path: string): boolean {
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Away with what a dead process left, but not with what another one has put there meanwhile, which saw the same. */
function clear(path: string, stale: string, aside: string): void {
  try {
    if (read(path) !== stale) return
    renameSync(path, aside)
    if (read(aside) !== stale) links(aside, path)
  } catch {
    // Somebody else was faster.
  }
  remove(aside)
}

function isHeld(text: string | undefined): boolean {
  const pid = Number(text?.split(' ', 1)[0])
  // This process: of an earlier life of the same thread, or of one with the same pid and beginning, which can only be this one.
  if (text === undefined || !Number.isSafeInteger(pid) || pid <= 0) return false
  return pid !== process.pid && whoIs(pid) === text
}

/** A pid is used again; when its process began tells the two apart where the system says it. Empty: nobody is. */
function whoIs(pid: number): string {
  const stat = read(`/proc/${pid}/stat`)
  if (stat !== undefined) return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  try {
    process.kill(pid, 0)
    return `${pid}`
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? `${pid}` : ''
  }
}

function release(path: string, text: string): void {
  if (read(path) === text) remove(path)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Somebody else did.
  }
}
