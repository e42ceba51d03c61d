import { ByteStore } from '../runtime/byte-store.ts'
import { NO_BYTES } from '../runtime/outlet.ts'
import { isShared } from '../runtime/read-buffers.ts'
import { ReceiveWindow } from './windows.ts'

/** Who takes a body, in the form that the path of a request relays. */
export interface ContentTaker {
  /**
   * A piece: `content` bytes of it are content, the rest is chunk framing. `isDone`: it is the last one. False: hold back until
   * `resume`.
   */
  take(before: string, buffer: Buffer, start: number, end: number, content: number, isDone: boolean): boolean
  /** So much has been taken, of what the window of the stream counts. */
  giveBack(bytes: number): void
}

const CHUNK_END = '\r\n'
const LAST_CHUNK = '0\r\n'

/**
 * The receiving half of a stream: content comes out as the body of an HTTP/1 message, with its length counted or as chunks. What comes
 * while it is held back is kept; that is never more than the stream's window.
 */
export class StreamReceiver {
  #window: ReceiveWindow | undefined = undefined
  readonly #taker: ContentTaker
  #isChunked = false
  /** Of a length. */
  #left = 0
  /** The end of the stream has come. */
  isEnded = false
  /** All has been handed on. */
  isDone = false
  isHeld = false
  /** Made when something has to be kept. */
  #kept: ByteStore | undefined = undefined
  /** The trailer section, once the end has come. */
  #trailers = ''
  /** Taken by somebody who holds back: it counts as held. */
  #owed = 0
  #isClosed = false

  constructor(taker: ContentTaker) {
    this.#taker = taker
  }

  get window(): ReceiveWindow {
    this.#window ??= new ReceiveWindow()
    return this.#window
  }

  /** Its part of what streams may hold beyond their first windows is given up. */
  giveUpWindow(source: { narrow(bytes: number): void }): void {
    this.#window?.giveUp(source)
  }

  /** `length`: undefined for chunks. */
  start(length: number | undefined, isEnded: boolean): void {
    this.#isChunked = length === undefined && !isEnded
    this.#left = length ?? 0
    this.isEnded = isEnded
    this.isDone = isEnded
  }

  /** Some has come. False: more than was announced, and nothing of it has gone on. */
  data(buffer: Buffer, start: number, end: number, isLast: boolean): boolean {
    const bytes = end - start
    if (this.#isClosed) {
      if (isLast) this.isEnded = true
      this.#taker.giveBack(bytes)
      return true
    }
    if (!this.#isChunked) {
      if (bytes > this.#left) return false
      this.#left -= bytes
      if (isLast && this.#left > 0) return false
    }
    if (isLast) this.isEnded = true
    if (this.isHeld || this.#keptBytes > 0) (this.#kept ??= new ByteStore()).add(buffer, start, end)
    else this.#handOn(buffer, start, end)
    return true
  }

  /** The end has come behind the last piece. `trailers`: their lines. False: less than was announced. */
  end(trailers: string): boolean {
    if (this.isEnded) return true
    if (this.#isClosed) {
      this.isEnded = true
      return true
    }
    if (!this.#isChunked && this.#left > 0) return false
    this.isEnded = true
    this.#trailers = trailers
    if (!this.isHeld && this.#keptBytes === 0) this.#finish()
    return true
  }

  /** Behind content whose length was told: its form has no place for them. */
  get countedTrailers(): string {
    return this.#isChunked ? '' : this.#trailers
  }

  get #keptBytes(): number {
    return this.#kept === undefined ? 0 : this.#kept.length
  }

  hold(): void {
    this.isHeld = true
  }

  resume(): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.#settle()
    if (this.#isClosed || this.isDone) return
    if (this.#keptBytes > 0) {
      const kept = this.#kept!.take()
      this.#handOn(kept, 0, kept.length)
    } else if (this.isEnded) this.#finish()
  }

  #settle(): void {
    const owed = this.#owed
    this.#owed = 0
    if (owed > 0) this.#taker.giveBack(owed)
  }

  /** With the end of the body, if that has come. */
  #handOn(buffer: Buffer, start: number, end: number): void {
    const bytes = end - start
    const isDone = this.isEnded
    if (isDone) this.isDone = true
    this.#owed += bytes
    const mayGoOn = this.#isChunked
      ? this.#handOnChunk(buffer, start, end, isDone ? CHUNK_END + this.#ending() : CHUNK_END)
      : this.#taker.take('', buffer, start, end, bytes, isDone)
    if (mayGoOn || this.isDone) this.#settle()
    else this.isHeld = true
  }

  #ending(): string {
    return `${LAST_CHUNK}${this.#trailers}\r\n`
  }

  /** What stands behind the piece is put aside for the call, so that the chunk is one run. */
  #handOnChunk(buffer: Buffer, start: number, end: number, after: string): boolean {
    const bytes = end - start
    const size = `${bytes.toString(16)}\r\n`
    const stop = end + after.length
    const isDone = this.isDone
    // A write may go on pointing into memory that is not shared.
    if (!isShared(buffer) || stop > buffer.length) {
      const chunk = Buffer.allocUnsafe(bytes + after.length)
      buffer.copy(chunk, 0, start, end)
      chunk.write(after, bytes, 'latin1')
      return this.#taker.take(size, chunk, 0, chunk.length, bytes, isDone)
    }
    const behind = buffer.toString('latin1', end, stop)
    buffer.write(after, end, 'latin1')
    try {
      return this.#taker.take(size, buffer, start, stop, bytes, isDone)
    } finally {
      buffer.write(behind, end, 'latin1')
    }
  }

  /** All content has gone on, but for the end. */
  #finish(): void {
    this.isDone = true
    this.#taker.take(this.#isChunked ? this.#ending() : '', NO_BYTES, 0, 0, 0, true)
  }

  /** Nobody takes it any more: what is kept and what still comes is dropped, and given back to the peer. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#owed += this.#keptBytes
    this.#kept?.clear()
    this.#settle()
  }
}
