import type { Socket } from 'node:net'
import { BULK_THRESHOLD, giveBack, isShared, lend } from './read-buffers.ts'
import { copyToSlab, keepSlab, slabOf } from './slabs.ts'
import { type DirectHandle, directHandle, handOver, WRITE_HIGH_WATER_BYTES } from './sockets.ts'

/*
 * libuv writes at once when the kernel takes it all; what is left keeps pointing into the given buffer until it is out. So a
 * write that is not taken whole keeps its memory, and its callback, which comes whatever happens to the socket, gives it back:
 *
 *   what is sent                          memory of the write         kept: it comes back by
 *   small, or from the shared buffer      a slab (copied)             keepSlab's result
 *   small, behind others that wait        of its own (copied)         the garbage collector
 *   large, from a bulk buffer             that buffer                 giveBack
 */

/** What puts itself where it is written from. */
interface Pieces {
  readonly length: number
  copyTo(target: Buffer, bodyLength: number): void
}

/** So many writes may wait: each of them costs some hundred bytes besides its own, however small it is. */
const MAX_WAITING_WRITES = 32

/**
 * The writing half of a socket, for bytes that stand in memory which is read into again.
 *
 * What the kernel takes whole goes past Node's stream, which would spend a callback and a tick on it, and touches nothing of the
 * connection but this: with hundreds of streams, the lines of memory that an event touches cost more than the work (measured).
 */
export class Outlet {
  readonly #socket: Socket
  readonly #direct: DirectHandle | undefined
  readonly #drained: () => void
  /** Writes that were not taken whole at once and are not done: those that follow have to go through the stream. */
  #waiting = 0
  #isFull = false
  #flushed: (() => void) | undefined = undefined

  /** `drained`: called when everything is in the kernel (or lost) after a send has returned false. */
  constructor(socket: Socket, drained: () => void) {
    this.#socket = socket
    this.#direct = directHandle(socket)
    this.#drained = drained
  }

  /** All that was sent is in the kernel, or lost. */
  get isFlushed(): boolean {
    return this.#waiting === 0 || !this.#socket.writable
  }

  get waitingBytes(): number {
    return this.#socket.writableLength
  }

  /** Calls back as soon as that is so; one caller at a time. */
  whenFlushed(flushed: () => void): void {
    if (this.isFlushed) flushed()
    else this.#flushed = flushed
  }

  /**
   * Sends latin-1 text and `buffer[start..end)` in one write; the buffer may be used again at once. False: hold back until
   * `drained`.
   */
  sendTextAndBytes(text: string, buffer: Buffer, start: number, end: number): boolean {
    if (this.#waiting > 0) return this.#isGone || this.#queue(ownCopy(text, buffer, start, end))
    return this.#write(copyToSlab(text, buffer, start, end), undefined)
  }

  /** The same for a head that stands in a buffer with `bodyLength` bytes of its body behind it. */
  sendPieces(head: Pieces, bodyLength: number): boolean {
    const isQueued = this.#waiting > 0
    if (isQueued && this.#isGone) return true
    const length = head.length + bodyLength
    const bytes = isQueued ? Buffer.allocUnsafeSlow(length) : slabOf(length)
    head.copyTo(bytes, bodyLength)
    return isQueued ? this.#queue(bytes) : this.#write(bytes, undefined)
  }

  /**
   * Sends text that goes ahead of a run, which is nearly always empty, and the run. The same as to holding back; the buffer may
   * go on being read from, and `ReadBuffer.next` knows whether it may be read into again.
   * A socket that has gone takes everything and says nothing: its owner hears of it by its events.
   */
  sendRun(before: string, buffer: Buffer, start: number, end: number): boolean {
    const length = end - start
    if (length < BULK_THRESHOLD || isShared(buffer)) {
      return length + before.length === 0 ? !this.#isFull : this.sendTextAndBytes(before, buffer, start, end)
    }
    if (before !== '') this.sendTextAndBytes(before, NO_BYTES, 0, 0)
    return this.#write(buffer.subarray(start, end), buffer)
  }

  /** `lender`: the bulk buffer that the bytes stand in; undefined: the slab that was copied to just now. */
  #write(bytes: Buffer, lender: Buffer | undefined): boolean {
    if (this.#waiting > 0 || this.#direct === undefined) return this.#writeThroughStream(bytes, lender)
    const result = this.#direct.writeBuffer(null, bytes)
    if (result === 0 || this.#isGone) return true
    const done = this.#keep(bytes, lender)
    handOver(this.#socket, this.#direct, bytes, result, done)
    return this.#mayGoOn()
  }

  #writeThroughStream(bytes: Buffer, lender: Buffer | undefined): boolean {
    if (this.#isGone) return true
    const done = this.#keep(bytes, lender)
    this.#socket.write(bytes, done)
    return this.#mayGoOn()
  }

  #queue(bytes: Buffer): boolean {
    this.#waiting++
    this.#socket.write(bytes, () => this.#written())
    return this.#mayGoOn()
  }

  #keep(bytes: Buffer, lender: Buffer | undefined): () => void {
    this.#waiting++
    if (lender !== undefined) {
      lend(lender)
      return () => {
        giveBack(lender)
        this.#written()
      }
    }
    const slabIsFree = keepSlab(bytes.length)
    return () => {
      slabIsFree()
      this.#written()
    }
  }

  #mayGoOn(): boolean {
    if (this.#waiting >= MAX_WAITING_WRITES || this.#socket.writableLength >= WRITE_HIGH_WATER_BYTES)
      this.#isFull = true
    return !this.#isFull || this.#waiting === 0
  }

  #written(): void {
    if (--this.#waiting > 0) return
    if (this.#isFull) {
      this.#isFull = false
      this.#drained()
    }
    // Whoever was told may have sent more.
    const flushed = this.#flushed
    if (flushed === undefined || !this.isFlushed) return
    this.#flushed = undefined
    flushed()
  }

  get #isGone(): boolean {
    return !this.#socket.writable
  }
}

function ownCopy(text: string, buffer: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(text.length + end - start)
  copy.write(text, 0, 'latin1')
  buffer.copy(copy, text.length, start, end)
  return copy
}

/** For writes without a body. */
export const NO_BYTES: Buffer = Buffer.alloc(0)
