import type { Socket } from 'node:net'
import { BULK_THRESHOLD, isShared } from './read-buffers.ts'
import { type DirectHandle, directHandle, handOver } from './sockets.ts'

/*
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

function viewOf(at: number, length: number): Buffer {
  if (length >= MAX_VIEWED_BYTES) return slab.subarray(at, at + length)
  return (views[length] ??= slab.subarray(at, at + length))
}

/**
 * The writing half of a socket, for bytes that stand in memory which is read into again.
 *
 * What the kernel takes whole goes past Node's stream, which would spend a callback and a tick on it, and touches nothing of the
 * connection but this: with hundreds of streams, the lines of memory that an event touches cost more than the work (measured).
 */
export class Outlet {
  readonly #socket: Socket
  readonly #direct: DirectHandle | undefined
  /** The stream holds bytes: those that follow have to go through it. */
  #isBacklogged = false

  constructor(socket: Socket) {
    this.#socket = socket
    this.#direct = directHandle(socket)
  }

  /** All that was sent is in the kernel, or lost. */
  get isFlushed(): boolean {
    return !this.#socket.writable || this.#socket.writableLength === 0
  }

  /** Sends latin-1 text and `buffer[start..end)` in one write; the buffer may be used again at once. False: see `sendRun`. */
  sendTextAndBytes(text: string, buffer: Buffer, start: number, end: number): boolean {
    const length = text.length + end - start
    const at = reserve(length)
    slab.write(text, at, 'latin1')
    if (end > start) buffer.copy(slab, at + text.length, start, end)
    return this.#writeSlab(at, length)
  }

  /**
   * Sends text that goes ahead of a run, which is nearly always empty, and the run. False: hold back until the socket's next
   * 'drain', and do not touch the buffer until then.
   * A socket that has gone takes everything and says nothing: its owner hears of it by its events.
   */
  sendRun(before: string, buffer: Buffer, start: number, end: number): boolean {
    const mayGoOn = before === '' || this.sendTextAndBytes(before, NO_BYTES, 0, 0)
    const length = end - start
    if (length === 0) return mayGoOn
    if (length >= BULK_THRESHOLD && !isShared(buffer)) return this.#write(buffer.subarray(start, end)) && mayGoOn
    const at = reserve(length)
    buffer.copy(slab, at, start, end)
    return this.#writeSlab(at, length) && mayGoOn
  }

  #writeSlab(at: number, length: number): boolean {
    const mayGoOn = this.#write(viewOf(at, length))
    if (this.#isBacklogged) {
      free = at + length
      views = []
    }
    return mayGoOn
  }

  #write(bytes: Buffer): boolean {
    if (this.#isBacklogged && this.#socket.writableLength === 0) this.#isBacklogged = false
    if (this.#isBacklogged || this.#direct === undefined) return this.#writeThroughStream(bytes)
    const result = this.#direct.writeBuffer(null, bytes)
    return result === 0 || this.#isGone || this.#afterwards(handOver(this.#socket, this.#direct, bytes, result))
  }

  #writeThroughStream(bytes: Buffer): boolean {
    return this.#isGone || this.#afterwards(this.#socket.write(bytes))
  }

  get #isGone(): boolean {
    return !this.#socket.writable
  }

  #afterwards(mayGoOn: boolean): boolean {
    this.#isBacklogged = this.#socket.writableLength > 0
    return mayGoOn || !this.#isBacklogged
  }
}

/** For writes without a body. */
export const NO_BYTES: Buffer = Buffer.alloc(0)
