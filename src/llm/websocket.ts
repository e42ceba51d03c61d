/**
 * Frames of WebSocket (RFC 6455 section 5.2), read for their messages alone: whoever relays them has done so already. Octets are
 * looked at during the call; a mask is taken off in a copy.
 */

export interface MessageSink {
  /** A message of text or of octets begins; `isDeflated`: with permessage-deflate (RFC 7692). */
  begin(isDeflated: boolean): void
  /** A piece of it, valid during the call. */
  piece(bytes: Buffer): void
  end(): void
}

const CONTINUATION = 0
const FIRST_CONTROL = 8
const MAX_HEADER = 14
const UNMASK_BYTES = 4_096
const unmasked = Buffer.allocUnsafeSlow(UNMASK_BYTES)

export class FrameReader {
  readonly #sink: MessageSink
  readonly #header = Buffer.alloc(MAX_HEADER)
  #headerLength = 0
  #headerNeeds = 2
  /** Octets of the payload that are still to come; -1 in a header. */
  #left = -1
  #isControl = false
  #isFinal = false
  #isInMessage = false
  #maskAt = -1
  #maskShift = 0
  isMalformed = false

  constructor(sink: MessageSink) {
    this.#sink = sink
  }

  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.isMalformed; ) {
      if (this.#left === -1) {
        this.#header[this.#headerLength++] = bytes[at++]!
        if (this.#headerLength === this.#headerNeeds) this.#readHeader()
      } else {
        const length = Math.min(this.#left, bytes.length - at)
        if (!this.#isControl) this.#give(bytes, at, at + length)
        at += length
        this.#left -= length
        if (this.#left === 0) this.#endFrame()
      }
    }
  }

  #readHeader(): void {
    const header = this.#header
    const short = header[1]! & 0x7f
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0
    const isMasked = header[1]! >= 0x80
    this.#headerNeeds = 2 + extended + (isMasked ? 4 : 0)
    if (this.#headerLength < this.#headerNeeds) return
    const opcode = header[0]! & 0x0f
    const length = extended === 2 ? header.readUInt16BE(2) : extended === 8 ? Number(header.readBigUInt64BE(2)) : short
    this.#maskAt = isMasked ? 2 + extended : -1
    this.#maskShift = 0
    this.#isFinal = header[0]! >= 0x80
    this.#isControl = opcode >= FIRST_CONTROL
    if (
      !Number.isSafeInteger(length) ||
      (!this.#isControl && (opcode > 2 || (opcode === CONTINUATION) !== this.#isInMessage))
    ) {
      this.isMalformed = true
      return
    }
    if (!this.#isControl && opcode !== CONTINUATION) {
      this.#isInMessage = true
      this.#sink.begin((header[0]! & 0x40) !== 0)
    }
    this.#left = length
    if (length === 0) this.#endFrame()
  }

  #give(bytes: Buffer, from: number, to: number): void {
    if (this.#maskAt === -1) {
      this.#sink.piece(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to))
      return
    }
    for (let at = from; at < to; at += UNMASK_BYTES) {
      const length = Math.min(UNMASK_BYTES, to - at)
      for (let index = 0; index < length; index++) {
        unmasked[index] = bytes[at + index]! ^ this.#header[this.#maskAt + ((this.#maskShift + index) & 3)]!
      }
      this.#maskShift = (this.#maskShift + length) & 3
      this.#sink.piece(unmasked.subarray(0, length))
    }
  }

  #endFrame(): void {
    this.#left = -1
    this.#headerLength = 0
    this.#headerNeeds = 2
    if (this.#isControl || !this.#isFinal) return
    this.#isInMessage = false
    this.#sink.end()
  }
}
