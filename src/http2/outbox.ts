import type { Socket } from 'node:net'
import { Outlet } from '../runtime/outlet.ts'
import { BULK_READ_BYTES, releaseBulk, takeBulk } from '../runtime/read-buffers.ts'
import { FLAG, FRAME, FRAME_HEAD_BYTES, MAX_FRAME_BYTES } from './frames.ts'

/**
 * What a connection sends, frame by frame. Frames are collected in a block and leave together, when the turn of the event loop is
 * over that made them: a hundred streams that each have a few bytes to send cost one write. A block belongs to the connection from
 * its first frame to its write, so an idle connection holds none.
 */

const BLOCK_BYTES = BULK_READ_BYTES
/** Room at the end of a block for a frame of content is used down to this. */
const MIN_ROOM_BYTES = 1_024

export class Outbox {
  readonly #socket: Socket
  readonly #outlet: Outlet
  #block: Buffer | undefined = undefined
  #length = 0
  #isScheduled = false
  /** The socket does not take more for the moment: only what must be said is added. */
  isFull = false
  /** Where the flags of the last frame of content stand, while nothing has been added behind it. */
  #lastFlagsAt = -1
  #lastStream = 0
  /** The next header block has to begin with the size of our table: see `tableGotSmaller`. */
  #owesTableSize = false
  /** Who waits for what is in the block, and for what has left it. */
  #inBlock: (() => void)[] = []
  #onTheWay: (() => void)[] = []
  readonly #tellFlushed = (): void => this.#tell()
  readonly #flushLater = (): void => {
    this.#isScheduled = false
    this.flush()
  }

  /** `drained`: the socket takes more, after it had not. */
  constructor(socket: Socket, drained: () => void) {
    this.#socket = socket
    this.#outlet = new Outlet(socket, () => {
      this.isFull = false
      // Before more is sent: whoever waits for what was is not to wait for what comes.
      this.#tell()
      drained()
    })
  }

  /** Bytes that wait for the peer. */
  get waitingBytes(): number {
    return this.#outlet.waitingBytes + this.#length
  }

  /** Calls back when all that has been sent up to now is in the kernel, or lost. */
  whenFlushed(callback: () => void): void {
    if (this.#length > 0) this.#inBlock.push(callback)
    else if (this.#outlet.isFlushed) callback()
    else this.#onTheWay.push(callback)
  }

  #tell(): void {
    if (this.#onTheWay.length === 0) return
    const told = this.#onTheWay
    this.#onTheWay = []
    for (const callback of told) callback()
  }

  /** What has not left is lost. */
  close(): void {
    if (this.#block !== undefined) releaseBulk(this.#block)
    this.#block = undefined
    this.#length = 0
    this.#onTheWay.push(...this.#inBlock)
    this.#inBlock = []
    this.#tell()
  }

  /** A frame whose payload is all there. */
  frame(type: number, flags: number, stream: number, payload: Buffer, start: number, end: number): void {
    const length = end - start
    const block = this.#reserve(FRAME_HEAD_BYTES + length)
    const at = this.#head(block, length, type, flags, stream)
    if (length > 0) payload.copy(block, at, start, end)
    this.#length = at + length
  }

  /** A frame whose payload is one number. */
  number(type: number, stream: number, value: number): void {
    const block = this.#reserve(FRAME_HEAD_BYTES + 4)
    const at = this.#head(block, 4, type, 0, stream)
    block.writeUInt32BE(value, at)
    this.#length = at + 4
  }

  /** Bytes that are whole frames already. */
  frames(bytes: Buffer): void {
    bytes.copy(this.#reserve(bytes.length), this.#length)
    this.#length += bytes.length
    this.#lastFlagsAt = -1
  }

  /**
   * The peer's table has become smaller than what it began with, and that was acknowledged: the next header block must say so, though
   * ours uses none (RFC 7541 section 4.2). Peers that are strict take no block without it.
   */
  tableGotSmaller(): void {
    this.#owesTableSize = true
  }

  /** A header block, in as many frames as it takes (RFC 9113 section 6.10). */
  headers(stream: number, given: Buffer, endsStream: boolean): void {
    let block = given
    if (this.#owesTableSize) {
      this.#owesTableSize = false
      block = Buffer.concat([NO_TABLE, given])
    }
    const endStream = endsStream ? FLAG.endStream : 0
    let at = 0
    do {
      const end = Math.min(block.length, at + MAX_FRAME_BYTES)
      const flags = (at === 0 ? endStream : 0) | (end === block.length ? FLAG.endHeaders : 0)
      this.frame(at === 0 ? FRAME.headers : FRAME.continuation, flags, stream, block, at, end)
      at = end
    } while (at < block.length)
  }

  /** A piece of content, up to `most` bytes of it; returns where it ends. */
  data(stream: number, buffer: Buffer, start: number, end: number, most: number): number {
    const room = BLOCK_BYTES - this.#length - FRAME_HEAD_BYTES
    const wanted = Math.min(end - start, most)
    const length = room < MIN_ROOM_BYTES ? wanted : Math.min(wanted, room)
    const stop = start + length
    this.frame(FRAME.data, 0, stream, buffer, start, stop)
    this.#lastFlagsAt = this.#length - length - FRAME_HEAD_BYTES + 4
    this.#lastStream = stream
    return stop
  }

  /** The stream has no more content: its last frame says so, if that is still here. */
  endStream(stream: number): void {
    if (this.#lastFlagsAt !== -1 && this.#lastStream === stream) {
      this.#block![this.#lastFlagsAt]! |= FLAG.endStream
    } else this.frame(FRAME.data, FLAG.endStream, stream, NOTHING, 0, 0)
  }

  #head(block: Buffer, length: number, type: number, flags: number, stream: number): number {
    const at = this.#length
    block[at] = length >> 16
    block[at + 1] = length >> 8
    block[at + 2] = length
    block[at + 3] = type
    block[at + 4] = flags
    block[at + 5] = stream >> 24
    block[at + 6] = stream >> 16
    block[at + 7] = stream >> 8
    block[at + 8] = stream
    this.#lastFlagsAt = -1
    return at + FRAME_HEAD_BYTES
  }

  /** Room for so much behind what is there. No frame is larger than a block. */
  #reserve(length: number): Buffer {
    if (this.#length + length > BLOCK_BYTES) this.flush()
    this.#block ??= takeBulk()
    if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(this.#flushLater)
    }
    return this.#block
  }

  flush(): void {
    const block = this.#block
    if (block !== undefined) {
      const length = this.#length
      this.#block = undefined
      this.#length = 0
      this.#lastFlagsAt = -1
      if (!this.#outlet.sendRun('', block, 0, length)) this.isFull = true
      // What the kernel has not taken is written from where it stands, and free after that.
      releaseBulk(block)
    }
    if (this.#inBlock.length > 0) {
      this.#onTheWay.push(...this.#inBlock)
      this.#inBlock = []
    }
    if (this.#onTheWay.length > 0) this.#outlet.whenFlushed(this.#tellFlushed)
  }

  /** Ends the connection when all of this has left. */
  end(): void {
    this.flush()
    this.#socket.end()
  }
}

const NOTHING = Buffer.alloc(0)
/** A change of the table's size, to 0 (RFC 7541 section 6.3). */
const NO_TABLE = Buffer.of(0x20)
