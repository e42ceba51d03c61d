import { ByteStore } from '../runtime/byte-store.ts'
import { MAX_FRAME_BYTES } from './frames.ts'
import type { Outbox } from './outbox.ts'
import { MAX_WINDOW } from './windows.ts'

/** The connection that a stream sends on. */
export interface SenderHost {
  readonly outbox: Outbox
  /** What the peer lets the connection send: all streams share it. */
  readonly sendWindow: number
  /** So much has gone of it, in a frame. */
  contentSent(bytes: number): void
  /** Content may go out as soon as there is room: `pump` is called then. */
  waits(sender: StreamSender): void
}

/** Whose stream it is. */
export interface SenderOwner {
  /** Everything has gone, after `mayGoOn` was false. */
  drained(): void
}

/** A header block, or content, that waits for its turn. */
interface Item {
  readonly block: Buffer | undefined
  readonly content: ByteStore | undefined
  /** How much of the content has gone. */
  sent: number
}

const NO_ITEMS: Item[] = []

/**
 * The sending half of a stream. What the windows and the socket take goes out at once; the rest is copied and waits, and whoever sends
 * is told to hold back. So what waits is never more than the one piece that was sent last.
 */
export class StreamSender {
  readonly id: number
  /** What the peer lets this stream send; a setting can bring it below zero. */
  window: number
  /** Its last frame has been handed to the outbox. */
  isEnded = false
  readonly #host: SenderHost
  readonly #owner: SenderOwner
  /** Made when something has to wait, which is rare. */
  #queue: Item[] = NO_ITEMS
  /** The last item is followed by the end of the stream. */
  #ends = false
  /** Somebody holds back, and is told when to go on. */
  #isAwaited = false
  #isClosed = false
  waitingBytes = 0

  constructor(host: SenderHost, id: number, window: number, owner: SenderOwner) {
    this.#host = host
    this.id = id
    this.window = window
    this.#owner = owner
  }

  /** The block need not stay. */
  headers(block: Buffer, ends: boolean): void {
    const { outbox } = this.#host
    if (this.#queue.length === 0 && !outbox.isFull) {
      outbox.headers(this.id, block, ends)
      this.isEnded ||= ends
    } else {
      this.#add({ block: Buffer.from(block), content: undefined, sent: 0 })
      this.waitingBytes += block.length
      this.#ends ||= ends
      this.#host.waits(this)
    }
  }

  /** The same for a head that must have its turn now. */
  headersAtOnce(block: Buffer, ends: boolean): void {
    this.#host.outbox.headers(this.id, block, ends)
    this.isEnded ||= ends
  }

  content(buffer: Buffer, start: number, end: number): void {
    let at = start
    if (this.#queue.length === 0) while (at < end && this.#mayBegin()) at = this.#sendSome(buffer, at, end)
    if (at === end || this.#isClosed) return
    let last = this.#queue.at(-1)
    if (last?.content === undefined) {
      last = { block: undefined, content: new ByteStore(), sent: 0 }
      this.#add(last)
    }
    last.content!.add(buffer, at, end)
    this.waitingBytes += end - at
    this.#host.waits(this)
  }

  #add(item: Item): void {
    if (this.#queue === NO_ITEMS) this.#queue = []
    this.#queue.push(item)
  }

  /** There is nothing more. */
  end(): void {
    if (this.isEnded || this.#ends || this.#isClosed) return
    if (this.#queue.length > 0) this.#ends = true
    else {
      this.isEnded = true
      this.#host.outbox.endStream(this.id)
    }
  }

  /** False: its owner's `drained` follows. */
  mayGoOn(): boolean {
    if (this.#isClosed || (this.#queue.length === 0 && !this.#host.outbox.isFull)) return true
    this.#isAwaited = true
    this.#host.waits(this)
    return false
  }

  #mayBegin(): boolean {
    return this.window > 0 && this.#host.sendWindow > 0 && !this.#host.outbox.isFull && !this.#isClosed
  }

  #sendSome(buffer: Buffer, at: number, end: number): number {
    const host = this.#host
    const stop = host.outbox.data(this.id, buffer, at, end, Math.min(this.window, host.sendWindow, MAX_FRAME_BYTES))
    this.window -= stop - at
    host.contentSent(stop - at)
    return stop
  }

  /** Sends a frame of what waits, if it may, and tells whoever holds back when that was all. Returns whether anything has gone. */
  pump(): boolean {
    const item = this.#queue[0]
    const hasSent =
      item !== undefined && (item.block === undefined ? this.#pumpContent(item) : this.#pumpBlock(item.block))
    if (hasSent && this.#queue.length === 0 && this.#ends && !this.isEnded) {
      this.isEnded = true
      this.#host.outbox.endStream(this.id)
    }
    if (this.#queue.length === 0 && this.#isAwaited && !this.#host.outbox.isFull) {
      this.#isAwaited = false
      this.#owner.drained()
    }
    return hasSent
  }

  #pumpBlock(block: Buffer): boolean {
    if (this.#host.outbox.isFull) return false
    this.#shift(block.length)
    const ends = this.#ends && this.#queue.length === 0
    this.#host.outbox.headers(this.id, block, ends)
    this.isEnded ||= ends
    return true
  }

  #pumpContent(item: Item): boolean {
    if (!this.#mayBegin()) return false
    const { bytes } = item.content!
    const before = item.sent
    item.sent = this.#sendSome(bytes, before, bytes.length)
    this.waitingBytes -= item.sent - before
    if (item.sent === bytes.length) {
      item.content!.clear()
      this.#shift(0)
    }
    return true
  }

  #shift(bytes: number): void {
    this.#queue.shift()
    this.waitingBytes -= bytes
  }

  /** Nothing waits here any more, and nobody waits for it. */
  get isIdle(): boolean {
    return this.#queue.length === 0 && !this.#isAwaited
  }

  /** More may be sent. False: more than any window can be. */
  widen(bytes: number): boolean {
    this.window += bytes
    return this.window <= MAX_WINDOW
  }

  /** What waits is lost. */
  close(): void {
    this.#isClosed = true
    this.#isAwaited = false
    for (const { content } of this.#queue) content?.clear()
    this.#queue = NO_ITEMS
    this.waitingBytes = 0
  }
}
