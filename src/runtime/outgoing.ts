import type { Socket } from 'node:net'
import { BULK_THRESHOLD, isShared } from './read-buffers.ts'

/**
 * Writes to sockets out of memory that is read into again.
 *
 * libuv writes at once when the kernel takes it all; what is left keeps pointing into the given buffer until it is out.
 * So small pieces, and all that stand in the shared read buffer, are copied into a slab of the thread (its start is used again
 * and again as long as the kernel takes everything), and larger ones are written from where they stand: their owner does not
 * read into that buffer until `drain`. TLS sockets never take anything at once: they walk through the slab.
 */
const SLAB_BYTES = 262_144
const MAX_VIEWED_BYTES = 2_048
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
let free = 0
/** Views of the slab from `free` on, by length: as long as the kernel takes everything, the same ones serve again and again. */
let views: (Buffer | undefined)[] = []

function reserve(length: number): number {
  if (free + length <= SLAB_BYTES) return free
  slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, length))
  free = 0
  views = []
  return 0
}

/** Writes slab[at..at + length) and says whether more may be written: false until the socket's next 'drain'. */
function writeSlab(socket: Socket, at: number, length: number): boolean {
  const mayGoOn = socket.write(viewOf(at, length))
  if (socket.writableLength === 0) return true
  free = at + length
  views = []
  return mayGoOn
}

function viewOf(at: number, length: number): Buffer {
  if (length >= MAX_VIEWED_BYTES) return slab.subarray(at, at + length)
  return (views[length] ??= slab.subarray(at, at + length))
}

/**
 * Sends `buffer[start..end)`. False: hold back until 'drain', and do not touch the buffer until then.
 * A socket that has gone takes everything and says nothing: its owner hears of it by its events.
 */
function send(socket: Socket, buffer: Buffer, start: number, end: number): boolean {
  if (!socket.writable) return true
  const length = end - start
  if (length === 0) return true
  if (length < BULK_THRESHOLD || isShared(buffer)) {
    const at = reserve(length)
    buffer.copy(slab, at, start, end)
    return writeSlab(socket, at, length)
  }
  return socket.write(buffer.subarray(start, end)) || socket.writableLength === 0
}

/** Sends latin-1 text and `buffer[start..end)` in one write; the buffer may be used again at once. */
export function sendTextAndBytes(socket: Socket, text: string, buffer: Buffer, start: number, end: number): boolean {
  if (!socket.writable) return true
  const length = text.length + end - start
  const at = reserve(length)
  slab.write(text, at, 'latin1')
  if (end > start) buffer.copy(slab, at + text.length, start, end)
  return writeSlab(socket, at, length)
}

/** Sends text that goes ahead of a run, which is nearly always empty, and the run. */
export function sendRun(socket: Socket, before: string, buffer: Buffer, start: number, end: number): boolean {
  const mayGoOn = before === '' || sendTextAndBytes(socket, before, NO_BYTES, 0, 0)
  return send(socket, buffer, start, end) && mayGoOn
}

/** For writes without a body. */
export const NO_BYTES: Buffer = Buffer.alloc(0)
