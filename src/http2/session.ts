import { FLOOD, type Flood, FloodWatch } from './floods.ts'
import { ERROR, type ErrorCode, FLAG, FRAME, FrameReader, type FrameSink, PREFACE } from './frames.ts'
import { type FieldList, HpackDecoder } from './hpack-decoder.ts'
import type { Outbox } from './outbox.ts'
import { encodeAck, encodeSettings, PeerSettings, SETTING, TABLE_BYTES } from './settings.ts'
import type { SenderHost, StreamSender } from './stream-sender.ts'
import { DEFAULT_WINDOW, MAX_WINDOW, ReceiveWindow } from './windows.ts'

/** Header lists up to the size that an HTTP/1 head may have. */
const MAX_LIST_BYTES = 65_536
/** Streams that a client may have open at once. */
export const MAX_STREAMS = 100
/** Of one header block, encoded: no list that is within its limit needs as much. */
const MAX_BLOCK_BYTES = 98_304
/** All streams of a connection together: what each of them may hold is bounded by its own window. */
const CONNECTION_WINDOW = 4_194_304
/** What streams of a connection may hold beyond their first windows, all together. */
const WIDE_BYTES = 4_194_304
/** Bytes that wait for a peer which does not read, beside content: answers to its own frames, mostly. */
const MAX_UNREAD_BYTES = 262_144
/** Changes of windows that a peer may make for nothing, and for each frame of content that it gets. */
const FREE_UPDATES = 1_000
const UPDATES_PER_FRAME = 4
/** Those that may be due at once: a peer that was sent much may say so late. */
const MOST_UPDATES = 65_536

/** A stream, as far as a session deals with it. */
interface Sending {
  readonly sender: StreamSender | undefined
}

/** What a session is told, and whose streams it carries. A code ends the connection. */
export interface SessionOwner {
  headers(stream: number, list: FieldList, endsStream: boolean): ErrorCode
  /** The head of DATA, its padding included; its content follows by `data`, then `dataEnd`. */
  dataFrame(stream: number, endsStream: boolean, length: number): ErrorCode
  data(buffer: Buffer, start: number, end: number, isLast: boolean): void
  /** `padding`: so much of the frame was no content, and is not held by anybody. */
  dataEnd(padding: number): void
  reset(stream: number, code: ErrorCode): ErrorCode
  /** Undefined: there is no such stream, or not any more. */
  streamOf(stream: number): Sending | undefined
  allStreams(): Iterable<Sending>
  /** A stream that has never been. */
  isIdle(stream: number): boolean
  /** Too much was allowed to this stream, or nothing. */
  windowFailed(stream: number, code: ErrorCode): ErrorCode
  goaway(last: number, code: ErrorCode): void
  /** Our `ping` has been answered. */
  pong(): void
  /** The peer has said what it wants. */
  settled(): void
}

/**
 * What both sides of HTTP/2 have in common: frames of the connection, header blocks, windows, and the order in which streams send. It
 * holds no socket.
 */
export class Session implements FrameSink, SenderHost {
  readonly outbox: Outbox
  readonly peer = new PeerSettings()
  sendWindow: number = DEFAULT_WINDOW
  readonly #owner: SessionOwner
  readonly #isServer: boolean
  readonly #frames = new FrameReader(this)
  readonly #decoder = new HpackDecoder(MAX_LIST_BYTES)
  readonly #floods = new FloodWatch()
  readonly #receiveWindow = new ReceiveWindow(CONNECTION_WINDOW)
  /** Senders with something that waits, the one whose turn is next first. */
  readonly #waiting = new Set<StreamSender>()
  #freeUpdates = FREE_UPDATES
  #wideBytes = 0
  /** Octets of the client's preface that have come. */
  #prefaceBytes: number
  #hasSettings = false
  /** So many have begun: see `headBegun`. */
  #heads = 1
  // The frame that is being read.
  #type = 0
  #flags = 0
  #stream = 0
  /** Of a DATA frame: what has not come as content. */
  #padding = 0
  #isEmpty = true
  /** A header block that goes on in the next frame. */
  #blockStream = 0
  #blockEnds = false
  #block: Buffer[] = []
  #blockBytes = 0

  constructor(outbox: Outbox, owner: SessionOwner, isServer: boolean) {
    this.outbox = outbox
    this.#owner = owner
    this.#isServer = isServer
    this.#prefaceBytes = isServer ? 0 : PREFACE.length
  }

  /** The first that is sent. */
  greet(): void {
    if (!this.#isServer) this.outbox.frames(Buffer.from(PREFACE, 'latin1'))
    const own = this.#isServer
      ? ([[SETTING.maxConcurrentStreams, MAX_STREAMS]] as const)
      : ([
          [SETTING.enablePush, 0],
          [SETTING.headerTableSize, TABLE_BYTES],
        ] as const)
    this.outbox.frames(encodeSettings([...own, [SETTING.maxHeaderListSize, MAX_LIST_BYTES]]))
    this.outbox.number(FRAME.windowUpdate, 0, CONNECTION_WINDOW - DEFAULT_WINDOW)
  }

  /** A code other than 0 ends the connection. */
  read(buffer: Buffer, length: number): ErrorCode {
    let at = 0
    while (this.#prefaceBytes < PREFACE.length && at < length) {
      if (buffer[at++] !== PREFACE.charCodeAt(this.#prefaceBytes++)) return ERROR.protocol
    }
    return this.#frames.read(buffer, at, length)
  }

  stop(): void {
    this.#frames.isStopped = true
  }

  /**
   * Something has begun that its peer has to end in time: a preface, a header block, or a frame that is no content. Its number, since the
   * next one has a time of its own; 0: nothing has.
   */
  get headBegun(): number {
    return !this.#hasSettings || this.#blockStream !== 0 || this.#frames.isInPayload ? this.#heads : 0
  }

  count(flood: Flood): ErrorCode {
    return this.#floods.count(flood) ? ERROR.enhanceYourCalm : ERROR.none
  }

  // ---- FrameSink

  frame(type: number, flags: number, stream: number, length: number): ErrorCode {
    this.#type = type
    this.#flags = flags
    this.#stream = stream
    if (!this.#hasSettings) {
      if (type !== FRAME.settings || (flags & FLAG.ack) !== 0) return ERROR.protocol
      this.#hasSettings = true
    } else if (type !== FRAME.data && this.#blockStream === 0) this.#heads++
    // A header block is not interrupted (RFC 9113 section 6.10).
    if (this.#blockStream !== 0) {
      if (type !== FRAME.continuation || stream !== this.#blockStream) return ERROR.protocol
    } else if (type === FRAME.continuation) return ERROR.protocol
    if (type !== FRAME.data) return ERROR.none
    if (stream === 0) return ERROR.protocol
    if (!this.#receiveWindow.take(length)) return ERROR.flowControl
    // What a stream may hold is bounded by its own window: nobody has to wait because another one's is used up.
    const given = this.#receiveWindow.release(length)
    if (given > 0) this.outbox.number(FRAME.windowUpdate, 0, given)
    this.#padding = length
    this.#isEmpty = true
    return this.#owner.dataFrame(stream, (flags & FLAG.endStream) !== 0, length)
  }

  data(buffer: Buffer, start: number, end: number, isLast: boolean): void {
    this.#padding -= end - start
    this.#isEmpty = false
    this.#owner.data(buffer, start, end, isLast)
  }

  /** Padding is no content, whatever there is of it. */
  dataEnd(): ErrorCode {
    this.#owner.dataEnd(this.#padding)
    return this.#isEmpty && (this.#flags & FLAG.endStream) === 0 ? this.count(FLOOD.empty) : ERROR.none
  }

  payload(buffer: Buffer, start: number, end: number): ErrorCode {
    switch (this.#type) {
      case FRAME.headers:
        return this.#headers(buffer, start, end)
      case FRAME.continuation:
        return this.#continuation(buffer, start, end)
      case FRAME.priority:
        return this.#priority(buffer, start, end)
      case FRAME.rstStream:
        if (this.#stream === 0) return ERROR.protocol
        if (end - start !== 4) return ERROR.frameSize
        if (this.#owner.isIdle(this.#stream)) return ERROR.protocol
        return this.#owner.reset(this.#stream, buffer.readUInt32BE(start))
      case FRAME.settings:
        return this.#settings(buffer, start, end)
      case FRAME.pushPromise:
        return ERROR.protocol
      case FRAME.ping:
        return this.#ping(buffer, start, end)
      case FRAME.goaway:
        if (this.#stream !== 0) return ERROR.protocol
        if (end - start < 8) return ERROR.frameSize
        this.#owner.goaway(buffer.readUInt32BE(start) & MAX_WINDOW, buffer.readUInt32BE(start + 4))
        return ERROR.none
      case FRAME.windowUpdate:
        return this.#windowUpdate(buffer, start, end)
      // What is unknown is ignored (RFC 9113 section 5.5).
      default:
        return ERROR.none
    }
  }

  // ---- header blocks

  #headers(buffer: Buffer, start: number, end: number): ErrorCode {
    if (this.#stream === 0) return ERROR.protocol
    let from = start
    let to = end
    if ((this.#flags & FLAG.padded) !== 0) {
      if (from === to) return ERROR.frameSize
      to -= buffer[from++]!
    }
    if ((this.#flags & FLAG.priority) !== 0) {
      if (to - from < 5) return to < from ? ERROR.protocol : ERROR.frameSize
      const dependsOnItself = (buffer.readUInt32BE(from) & MAX_WINDOW) === this.#stream
      from += 5
      if (dependsOnItself) return ERROR.protocol
    }
    if (to < from) return ERROR.protocol
    this.#blockStream = this.#stream
    this.#blockEnds = (this.#flags & FLAG.endStream) !== 0
    if ((this.#flags & FLAG.endHeaders) !== 0) return this.#endBlock(buffer, from, to)
    return this.#keepBlock(buffer, from, to)
  }

  #continuation(buffer: Buffer, start: number, end: number): ErrorCode {
    const isEmpty = start === end && (this.#flags & FLAG.endHeaders) === 0
    const error = isEmpty ? this.count(FLOOD.empty) : this.#keepBlock(buffer, start, end)
    if (error !== ERROR.none || (this.#flags & FLAG.endHeaders) === 0) return error
    const block = Buffer.concat(this.#block, this.#blockBytes)
    this.#block = []
    this.#blockBytes = 0
    return this.#endBlock(block, 0, block.length)
  }

  #keepBlock(buffer: Buffer, start: number, end: number): ErrorCode {
    this.#blockBytes += end - start
    if (this.#blockBytes > MAX_BLOCK_BYTES) return ERROR.enhanceYourCalm
    this.#block.push(Buffer.from(buffer.subarray(start, end)))
    // Each piece costs more than its octets.
    return end - start < 64 ? this.count(FLOOD.empty) : ERROR.none
  }

  #endBlock(buffer: Buffer, start: number, end: number): ErrorCode {
    const stream = this.#blockStream
    this.#blockStream = 0
    if (!this.#decoder.decode(buffer, start, end)) return ERROR.compression
    return this.#owner.headers(stream, this.#decoder.list, this.#blockEnds)
  }

  // ---- frames of the connection

  /** RFC 9113 section 5.3.2: read, and of no consequence. */
  #priority(buffer: Buffer, start: number, end: number): ErrorCode {
    if (this.#stream === 0) return ERROR.protocol
    if (end - start !== 5) return ERROR.frameSize
    if ((buffer.readUInt32BE(start) & MAX_WINDOW) === this.#stream) return ERROR.protocol
    return this.count(FLOOD.control)
  }

  #settings(buffer: Buffer, start: number, end: number): ErrorCode {
    if (this.#stream !== 0) return ERROR.protocol
    if ((this.#flags & FLAG.ack) !== 0) return end === start ? ERROR.none : ERROR.frameSize
    const before = this.peer.initialWindow
    const hadTable = this.peer.smallestTableBytes === TABLE_BYTES
    const error = this.peer.read(buffer, start, end, !this.#isServer)
    if (error !== ERROR.none) return error
    const wider = this.peer.initialWindow - before
    if (wider !== 0) {
      for (const { sender } of this.#owner.allStreams()) if (sender?.widen(wider) === false) return ERROR.flowControl
    }
    this.outbox.frames(SETTINGS_ACK)
    // Once for all: from then on the table has no room at all.
    if (hadTable && this.peer.smallestTableBytes < TABLE_BYTES) this.outbox.tableGotSmaller()
    this.#owner.settled()
    if (wider > 0) this.pump()
    return this.#answered()
  }

  #ping(buffer: Buffer, start: number, end: number): ErrorCode {
    if (this.#stream !== 0) return ERROR.protocol
    if (end - start !== 8) return ERROR.frameSize
    if ((this.#flags & FLAG.ack) !== 0) {
      this.#owner.pong()
      return ERROR.none
    }
    this.outbox.frames(encodeAck(FRAME.ping, buffer.subarray(start, end)))
    return this.#answered()
  }

  /** Answers to a peer that does not read them are kept, up to a point. */
  #answered(): ErrorCode {
    if (this.outbox.isFull && this.outbox.waitingBytes > MAX_UNREAD_BYTES) return ERROR.enhanceYourCalm
    return this.count(FLOOD.control)
  }

  #windowUpdate(buffer: Buffer, start: number, end: number): ErrorCode {
    if (end - start !== 4) return ERROR.frameSize
    const increment = buffer.readUInt32BE(start) & MAX_WINDOW
    const stream = this.#stream
    if (this.#freeUpdates > 0) this.#freeUpdates--
    else if (this.count(FLOOD.window) !== ERROR.none) return ERROR.enhanceYourCalm
    if (stream === 0) {
      if (increment === 0) return ERROR.protocol
      this.sendWindow += increment
      if (this.sendWindow > MAX_WINDOW) return ERROR.flowControl
      this.pump()
      return ERROR.none
    }
    if (this.#owner.isIdle(stream)) return ERROR.protocol
    const sender = this.#owner.streamOf(stream)?.sender
    if (sender === undefined) return ERROR.none
    if (increment === 0) return this.#owner.windowFailed(stream, ERROR.protocol)
    if (!sender.widen(increment)) return this.#owner.windowFailed(stream, ERROR.flowControl)
    if (this.#waiting.has(sender)) this.pump()
    return ERROR.none
  }

  // ---- sending

  waits(sender: StreamSender): void {
    this.#waiting.add(sender)
  }

  contentSent(bytes: number): void {
    this.sendWindow -= bytes
    if (this.#freeUpdates < MOST_UPDATES) this.#freeUpdates += UPDATES_PER_FRAME
  }

  forget(sender: StreamSender): void {
    this.#waiting.delete(sender)
  }

  /** Lets those that wait send, a frame each in turn, as long as that is possible. */
  pump(): void {
    let hasSent = true
    while (hasSent && this.#waiting.size > 0) {
      hasSent = false
      for (const sender of [...this.#waiting]) {
        if (sender.pump()) {
          hasSent = true
          // Whoever has sent goes behind those that have not.
          this.#waiting.delete(sender)
          if (!sender.isIdle) this.#waiting.add(sender)
        } else if (sender.isIdle) this.#waiting.delete(sender)
        if (this.outbox.isFull) return
      }
    }
  }

  /** A stream whose content is taken as fast as it comes may have more of it on its way. Returns how much more. */
  widen(bytes: number): number {
    if (this.#wideBytes + bytes > WIDE_BYTES) return 0
    this.#wideBytes += bytes
    return bytes
  }

  /** It has ended. */
  narrow(bytes: number): void {
    this.#wideBytes -= bytes
  }

  resetStream(stream: number, code: ErrorCode): void {
    this.outbox.number(FRAME.rstStream, stream, code)
  }

  giveBack(stream: number, bytes: number): void {
    this.outbox.number(FRAME.windowUpdate, stream, bytes)
  }

  goAway(last: number, code: ErrorCode): void {
    const payload = Buffer.alloc(8)
    payload.writeUInt32BE(last, 0)
    payload.writeUInt32BE(code, 4)
    this.outbox.frame(FRAME.goaway, 0, 0, payload, 0, payload.length)
  }

  ping(): void {
    this.outbox.frame(FRAME.ping, 0, 0, PING_PAYLOAD, 0, PING_PAYLOAD.length)
  }
}

const SETTINGS_ACK = encodeAck(FRAME.settings, Buffer.alloc(0))
const PING_PAYLOAD = Buffer.from('fluxgate', 'latin1')
