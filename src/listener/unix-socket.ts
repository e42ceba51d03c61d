import { type BigIntStats, constants, linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs'
import { chmod, lstat, stat, unlink } from 'node:fs/promises'
import net from 'node:net'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Accept, BACKLOG, type Bound, bind, type Unbound } from './bind.ts'

/**
 * Unix sockets to listen on. A socket's file outlives a process that is killed, and then nobody can bind its path before it is
 * removed; so it is, but only if it is a socket and nobody listens on it.
 *
 * libuv removes whatever stands at the path that it has bound when it closes the socket, also where somebody else listens there by
 * then: a process that has taken over, say. So it binds another name, and the file gets its own by a link; what is
 * removed, and when, is decided here.
 */

/** From another process's bind to its listen, and plenty. */
const BIRTH_MS = 50

/** `mode`: permissions of the file, which it has from its first moment. */
export async function bindUnix(path: string, mode: number, accept: Accept): Promise<Bound> {
  const result = await bindWithMode(path, mode, accept)
  if (result.ok) return result
  if (result.code !== 'EADDRINUSE') return explain(path, result)
  const obstacle = await removeStale(path)
  if (obstacle !== undefined) return { ok: false, error: obstacle }
  return bindWithMode(path, mode, accept)
}

/** The mask holds for the whole process, so it is set for one call of the kernel: nothing else of ours runs meanwhile. */
async function bindWithMode(path: string, mode: number, accept: Accept): Promise<Bound> {
  const birthName = nameBeside(path)
  const before = process.umask(0o777 & ~mode)
  let binding: Promise<Bound>
  try {
    binding = bind({ path: birthName }, accept)
  } finally {
    process.umask(before)
  }
  const result = await binding
  if (!result.ok) return { ...result, error: result.error.replaceAll(birthName, path) }
  // Only now is it known that what has that name is ours.
  const file = fileAt(birthName)
  const obstacle = moveTo(path, birthName)
  if (obstacle === undefined) return { ...result, file }
  result.server.close()
  return obstacle
}

/** Another name in the same folder, no longer than the one that it stands in for: a path has 107 bytes at most. */
function nameBeside(path: string): string {
  const name = basename(path)
  const letters = Math.random().toString(36).slice(2).padEnd(12, '0')
  const born = letters.slice(0, Math.min(12, Buffer.byteLength(name)))
  return join(dirname(path), born === name ? `${name.startsWith('0') ? '1' : '0'}${name.slice(1)}` : born)
}

/** Never over something that stands there. */
function moveTo(path: string, birthName: string): Unbound | undefined {
  const inUse = { ok: false, code: 'EADDRINUSE', error: `listen EADDRINUSE: address already in use ${path}` } as const
  try {
    linkSync(birthName, path)
    unlinkSync(birthName)
    return undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' || fileAt(path) !== undefined) return inUse
    // A file system without links.
    return move(birthName, path) ? undefined : { ok: false, code, error: message }
  }
}

function fileAt(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true })
  } catch {
    return undefined
  }
}

/** libuv says EACCES also where the folder is missing. */
async function explain(path: string, failed: Unbound): Promise<Unbound> {
  const isMissing = await stat(dirname(path)).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  )
  return isMissing ? { ok: false, error: `the folder ${dirname(path)} does not exist` } : failed
}

/** Removes the file of a socket that nobody listens on; what is in the way, if something is. */
async function removeStale(path: string): Promise<string | undefined> {
  try {
    const found = await lstat(path, { bigint: true })
    if ((Number(found.mode) & constants.S_IFMT) !== constants.S_IFSOCK) {
      return 'a file that is no socket stands at this path; it is not removed'
    }
    const obstacle = (await probe(path)) ?? (await wait(BIRTH_MS).then(() => probe(path)))
    if (obstacle !== undefined) return obstacle
    if (!takeIfSame(path, found)) return 'another process has just taken this path'
    return undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? undefined : message
  }
}

/**
 * Removes the file that was found, and no other: whoever has found the same one may have replaced it meanwhile, and listen. So it
 * is put aside first, looked at, and put back if it is somebody's. With a wait between any of these, two listen and one is never found.
 */
function takeIfSame(path: string, found: BigIntStats): boolean {
  if (!isSame(lstatSync(path, { bigint: true }), found)) return false
  const aside = `${path}.${process.pid}`
  renameSync(path, aside)
  if (isSame(lstatSync(aside, { bigint: true }), found)) {
    unlinkSync(aside)
    return true
  }
  renameSync(aside, path)
  return false
}

/** A file system may give a new file the number of the one that was removed, but not its time. */
function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.mtimeNs === b.mtimeNs
}

/** Undefined: nobody listens. */
function probe(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve('another process listens on this socket')
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(undefined)
      // Its queue is full.
      else if (code === 'EAGAIN') resolve('another process listens on this socket')
      else resolve(`a socket stands at this path, and whether somebody listens on it cannot be told (${code})`)
    })
  })
}

/** What is listened on: `file` is what `bindUnix` has made at the path. */
export interface UnixSocket {
  readonly path: string
  readonly file: BigIntStats | undefined
}

/** Somebody may have removed the file and put another in its place: a new process that is to take over, say. */
function isStillThere({ path, file }: UnixSocket): boolean {
  const found = fileAt(path)
  return found !== undefined && file !== undefined && isSame(found, file)
}

/** Its file goes, unless somebody else's stands there by now. */
export function closeUnix(server: net.Server, socket: UnixSocket): void {
  try {
    if (isStillThere(socket)) unlinkSync(socket.path)
  } catch {
    // Where we may remove nothing it stays, and whoever comes next finds that nobody listens.
  }
  server.close()
}

function move(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch {
    return false
  }
}

/**
 * Nobody finds the socket any more, and whoever has found it before has been accepted: now it can be closed without losing one. (A
 * TCP socket has no such moment.)
 *
 * @param accepted how many connections have been accepted so far. libuv accepts one in each turn of the loop, so the queue is
 * empty when a turn has brought none; a second one is for whoever was between finding the file and being queued. Where clients find
 * it all the same (the file has been given another name, or the folder lets nobody remove it) there is an end to that.
 */
export async function takeAway(socket: UnixSocket, accepted: () => number): Promise<void> {
  if (isStillThere(socket)) await unlink(socket.path).catch(() => {})
  for (let quiet = 0, turns = 0; quiet < QUIET_TURNS && turns < MAX_TURNS; turns++) {
    const before = accepted()
    await new Promise(setImmediate)
    quiet = accepted() === before ? quiet + 1 : 0
  }
}

const QUIET_TURNS = 2
/** All that the queue can have held, and as much again. */
const MAX_TURNS = 2 * BACKLOG

/** What went wrong, if anything did. */
export async function changeMode(path: string, mode: number): Promise<string | undefined> {
  try {
    await chmod(path, mode)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
