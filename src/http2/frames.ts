/**
 * Frames of HTTP/2 (RFC 9113 sections 4 and 6): bytes in, frames out, resumable at any byte.
 *
 * The content of DATA is handed on piece by piece as it comes, so that no body is held here. Every other payload is handed on whole,
 * from the memory that it came in if it came in one read.
 */

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const FLAG = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

/** RFC 9113 section 7. */
export const ERROR = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  connect: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const

/** 0: nothing is wrong. Anything else ends the connection with this code. */
export type ErrorCode = number

export const FRAME_HEAD_BYTES = 9
/** The largest payload that we take: what every peer may send without having been told (RFC 9113 section 4.2). */
export const MAX_FRAME_BYTES = 16_384

/** What a client's connection begins with (RFC 9113 section 3.4). */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** Who is told of frames. All pieces are valid during the call only. */
export interface FrameSink {
  /** The head of a frame: DATA's content follows by `data` and `dataEnd`, any other payload by `payload`, an empty one too. */
  frame(type: number, flags: number, stream: number, length: number): ErrorCode
  /** `isLast`: this frame has no more. */
  data(buffer: Buffer, start: number, end: number, isLast: boolean): void
  dataEnd(): ErrorCode
  payload(buffer: Buffer, start: number, end: number): ErrorCode
}

const STATE = { head: 0, padLength: 1, data: 2, padding: 3, payload: 4 } as const

const RESERVED_BIT = 0x7fffffff

export class FrameReader {
  readonly #sink: FrameSink
  #state: number = STATE.head
  /** The part of a head that came in an earlier read. */
  #head: Buffer | undefined = undefined
  #headBytes = 0
  /** Octets still to come: of the payload, or of DATA without its padding. */
  #left = 0
  #padding = 0
  /** A payload that comes in several reads. */
  #kept: Buffer | undefined = undefined
  #keptBytes = 0
  /** Nothing is read any more. */
  isStopped = false

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** The payload of a frame that is no content has begun, and its end has not come. */
  get isInPayload(): boolean {
    return this.#state === STATE.payload
  }

  read(buffer: Buffer, start: number, end: number): ErrorCode {
    let at = start
    while (!this.isStopped) {
      if (this.#state === STATE.head) {
        if (at === end) return ERROR.none
        at = this.#readHead(buffer, at, end)
        if (at === -1) return this.#error
        continue
      }
      if (this.#left === 0) {
        const error = this.#endPart()
        if (error !== ERROR.none) return error
        continue
      }
      if (at === end) return ERROR.none
      const stop = Math.min(end, at + this.#left)
      const error = this.#readPart(buffer, at, stop)
      if (error !== ERROR.none) return error
      at = stop
    }
    return ERROR.none
  }

  #error: ErrorCode = ERROR.none

  /** Returns where the head ends, or the part of it that is there; -1: an error. */
  #readHead(buffer: Buffer, at: number, end: number): number {
    if (this.#headBytes === 0 && end - at >= FRAME_HEAD_BYTES) {
      return this.#begin(buffer, at) ? at + FRAME_HEAD_BYTES : -1
    }
    const taken = Math.min(FRAME_HEAD_BYTES - this.#headBytes, end - at)
    this.#head ??= Buffer.alloc(FRAME_HEAD_BYTES)
    buffer.copy(this.#head, this.#headBytes, at, at + taken)
    this.#headBytes += taken
    if (this.#headBytes < FRAME_HEAD_BYTES) return end
    this.#headBytes = 0
    return this.#begin(this.#head, 0) ? at + taken : -1
  }

  #begin(head: Buffer, at: number): boolean {
    const length = (head[at]! << 16) | (head[at + 1]! << 8) | head[at + 2]!
    const type = head[at + 3]!
    const flags = head[at + 4]!
    const stream = head.readUInt32BE(at + 5) & RESERVED_BIT
    this.#error = length > MAX_FRAME_BYTES ? ERROR.frameSize : this.#sink.frame(type, flags, stream, length)
    if (this.#error !== ERROR.none) return false
    this.#left = length
    this.#padding = 0
    if (type !== FRAME.data) this.#state = STATE.payload
    else if ((flags & FLAG.padded) === 0) this.#state = STATE.data
    else {
      // A padded frame has room for the length of its padding.
      if (length === 0) {
        this.#error = ERROR.frameSize
        return false
      }
      this.#left = 1
      this.#padding = length - 1
      this.#state = STATE.padLength
    }
    return true
  }

  #readPart(buffer: Buffer, at: number, stop: number): ErrorCode {
    switch (this.#state) {
      case STATE.data:
        this.#left -= stop - at
        this.#sink.data(buffer, at, stop, this.#left === 0)
        return ERROR.none
      case STATE.padLength: {
        const padding = buffer[at]!
        const rest = this.#padding
        if (padding > rest) return ERROR.protocol
        this.#padding = padding
        this.#left = rest - padding
        this.#state = STATE.data
        return ERROR.none
      }
      case STATE.padding:
        this.#left -= stop - at
        return ERROR.none
      default:
        return this.#readPayload(buffer, at, stop)
    }
  }

  #readPayload(buffer: Buffer, at: number, stop: number): ErrorCode {
    const taken = stop - at
    if (this.#kept === undefined && taken === this.#left) {
      this.#left = 0
      this.#state = STATE.head
      return this.#sink.payload(buffer, at, stop)
    }
    this.#kept ??= Buffer.allocUnsafeSlow(this.#left)
    buffer.copy(this.#kept, this.#keptBytes, at, stop)
    this.#keptBytes += taken
    this.#left -= taken
    return ERROR.none
  }

  /** What was left of this part has come. */
  #endPart(): ErrorCode {
    if (this.#state === STATE.data && this.#padding > 0) {
      this.#left = this.#padding
      this.#padding = 0
      this.#state = STATE.padding
      return ERROR.none
    }
    const state = this.#state
    this.#state = STATE.head
    if (state !== STATE.payload) return this.#sink.dataEnd()
    const kept = this.#kept ?? NOTHING
    this.#kept = undefined
    this.#keptBytes = 0
    return this.#sink.payload(kept, 0, kept.length)
  }
}

const NOTHING = Buffer.alloc(0)
