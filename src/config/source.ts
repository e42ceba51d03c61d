/**
 * The files that a configuration is made of: the YAML file and those it names. Reading one never blocks and never takes
 * more than its limit, whatever stands at the path; what was read is remembered, so that a change can be told later.
 */
import { hash } from 'node:crypto'
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'

/** `exhausted`: there was no file descriptor left to look with, which says nothing of the file. */
export type Obstacle = 'missing' | 'denied' | 'exhausted' | 'other'

/** What stood at a path. */
export interface Source {
  readonly path: string
  /** The most bytes that were to be read. */
  readonly limit: number
  /** SHA-256 of the content, or the obstacle. Two sources with the same digest say the same. */
  readonly digest: string
  readonly obstacle: Obstacle | undefined
  /** Identity and times of the file: while these stay, its content most likely stays. */
  readonly stamp: string
}

export interface SourceContent extends Source {
  readonly bytes: Uint8Array
  /** What keeps it from being read, for a person. */
  readonly wrong: string | undefined
}

/** Equal for equal content of the same files. */
export function identityOf(sources: readonly Source[]): string {
  return sources.map(({ path, limit, digest }) => `${limit} ${digest} ${path}`).join('\n')
}

export function readSource(path: string, limit: number): SourceContent {
  let descriptor: number | undefined
  try {
    // Looked at before it is opened: opening a device can have an effect, opening a FIFO would wake its writer.
    const before = statSync(path, { bigint: true })
    if (!before.isFile()) return unreadable(path, limit, 'other', kindOf(before))
    // O_NONBLOCK in case that it has become a FIFO in between.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    const stats = fstatSync(descriptor, { bigint: true })
    if (!stats.isFile()) return unreadable(path, limit, 'other', kindOf(stats))
    const bytes = stats.size > limit ? undefined : readBounded(descriptor, limit, Number(stats.size))
    if (bytes === undefined) return unreadable(path, limit, 'other', `is larger than ${limitText(limit)}`)
    return {
      path,
      limit,
      digest: hash('sha256', bytes, 'hex'),
      obstacle: undefined,
      stamp: stampOf(stats),
      bytes,
      wrong: undefined,
    }
  } catch (error) {
    return fromError(path, limit, error)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** The stamp of what stands at a path now; undefined if there is nothing that could be looked at. */
export function stampAt(path: string): string | undefined {
  try {
    return stampOf(statSync(path, { bigint: true }))
  } catch {
    return undefined
  }
}

/** ctime tells what mtime can hide: nobody sets it back. Device and inode tell a renamed file or a swapped link. */
function stampOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`
}

/** Undefined when there is more than `limit`; the size is a hint only, as the file may grow meanwhile. */
function readBounded(descriptor: number, limit: number, size: number): Uint8Array | undefined {
  let buffer = new Uint8Array(size + 1)
  let length = 0
  for (;;) {
    const read = readSync(descriptor, buffer, length, buffer.length - length, null)
    if (read === 0) return buffer.subarray(0, length)
    length += read
    if (length > limit) return undefined
    if (length === buffer.length) {
      const larger = new Uint8Array(Math.min(buffer.length * 2, limit) + 1)
      larger.set(buffer)
      buffer = larger
    }
  }
}

export function unreadable(path: string, limit: number, obstacle: Obstacle, wrong: string): SourceContent {
  return { path, limit, digest: `!${obstacle}: ${wrong}`, obstacle, stamp: '', bytes: new Uint8Array(0), wrong }
}

function fromError(path: string, limit: number, error: unknown): SourceContent {
  const code = String((error as NodeJS.ErrnoException).code ?? error)
  if (code === 'ENOENT' || code === 'ENOTDIR') return unreadable(path, limit, 'missing', 'does not exist')
  if (code === 'EACCES' || code === 'EPERM')
    return unreadable(path, limit, 'denied', 'cannot be read: permission denied')
  const isExhausted = code === 'EMFILE' || code === 'ENFILE'
  return unreadable(path, limit, isExhausted ? 'exhausted' : 'other', `cannot be read: ${code}`)
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return 'is a directory, not a file'
  if (stats.isFIFO()) return 'is a FIFO, not a file'
  return 'is not a regular file'
}

export function limitText(limit: number): string {
  const kibibytes = Math.floor(limit / 1024)
  return kibibytes >= 1024 ? `${Math.floor(kibibytes / 1024)} MiB` : `${kibibytes} KiB`
}
