/**
 * A configuration that comes through a pipe (`sops -d … | fluxgate check --config -`, `--config <(helm …)`): read once, to its
 * end. It holds this thread up, so it is for before anything is served.
 */
import { hash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { isatty } from 'node:tty'
import { monotonicMs } from '../runtime/clock.ts'
import { limitText, type SourceContent, unreadable } from './source.ts'

/** The path that means standard input. */
export const STDIN_PATH = '-'

const STDIN = 0
/** Somebody may have to type a passphrase for what writes into it. */
const PIPE_TIMEOUT_MS = 60_000
const POLL_MS = 5

/** Whether what stands there can be read once only. */
export function isPipe(path: string): boolean {
  if (path === STDIN_PATH) return true
  try {
    const stats = statSync(path)
    return stats.isFIFO() || stats.isSocket()
  } catch {
    return false
  }
}

/** Whether it is open already, so that relative paths in it start at the working directory. */
export function isNameless(path: string): boolean {
  return path === STDIN_PATH || /^\/(?:dev|proc)\//.test(path)
}

export function readPipe(path: string, limit: number, timeoutMs = PIPE_TIMEOUT_MS): SourceContent {
  let descriptor: number | undefined
  try {
    if (path === STDIN_PATH && isatty(STDIN)) {
      return unreadable(path, limit, 'other', 'is a terminal; pipe the configuration into it')
    }
    descriptor = openPipe(path)
    return readToEnd(path, descriptor, limit, timeoutMs)
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code ?? error)
    return unreadable(path, limit, 'other', `cannot be read: ${code}`)
  } finally {
    if (descriptor !== undefined && descriptor !== STDIN) closeSync(descriptor)
  }
}

/** A second time, without blocking, since others share the first description; where that does not work, as it is. */
function openPipe(path: string): number {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY
  if (path !== STDIN_PATH) return openSync(path, flags)
  if (!fstatSync(STDIN).isFIFO()) return STDIN
  try {
    return openSync(`/proc/self/fd/${STDIN}`, flags)
  } catch {
    return STDIN
  }
}

function readToEnd(path: string, descriptor: number, limit: number, timeoutMs: number): SourceContent {
  const chunks: Uint8Array[] = []
  let length = 0
  const deadline = monotonicMs() + timeoutMs
  // A FIFO with a name ends before it begins, until somebody opens it to write.
  const waitsForWriter = !isNameless(path)
  for (;;) {
    const chunk = new Uint8Array(64 * 1024)
    const read = readOrWait(descriptor, chunk)
    if (read === 0 && (length > 0 || !waitsForWriter)) break
    if (read > 0) {
      chunks.push(chunk.subarray(0, read))
      length += read
      if (length > limit) return unreadable(path, limit, 'other', `is larger than ${limitText(limit)}`)
    } else if (monotonicMs() >= deadline) {
      return unreadable(path, limit, 'other', `has not come to an end within ${timeoutMs / 1000} s`)
    } else pause()
  }
  if (length === 0) return unreadable(path, limit, 'other', 'is empty: what should write into it has written nothing')
  const bytes = Buffer.concat(chunks)
  return { path, limit, digest: hash('sha256', bytes, 'hex'), obstacle: undefined, stamp: '', bytes, wrong: undefined }
}

/** -1: nothing has come yet. */
function readOrWait(descriptor: number, chunk: Uint8Array): number {
  try {
    return readSync(descriptor, chunk)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return -1
    throw error
  }
}

const nobody = new Int32Array(new SharedArrayBuffer(4))

function pause(): void {
  Atomics.wait(nobody, 0, 0, POLL_MS)
}
