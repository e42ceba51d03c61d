/** WebSocket frames (RFC 6455 section 5), a server's side: as much as clients of the providers' APIs send, without extensions. */

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
const PROTOCOL_ERROR = 1002
const TOO_BIG = 1009

/** What a client has sent: a message, or a frame that wants an answer. */
export type Received =
  | { readonly kind: 'text' | 'binary' | 'ping'; readonly payload: Buffer }
  /** Of the client's wish, or because it broke the rules: the code to close with. */
  | { readonly kind: 'close'; readonly payload: Buffer }

/** Bytes in, messages out; behind a close it reads no more. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)
  #pieces: Buffer[] = []
  #isBinary = false
  #isClosed = false

  read(bytes: Buffer): Received[] {
    this.#rest = Buffer.concat([this.#rest, bytes])
    const all: Received[] = []
    for (let frame = this.#next(); frame !== undefined && !this.#isClosed; frame = this.#next()) {
      const received = typeof frame === 'number' ? closing(frame) : this.#take(frame)
      if (received === undefined) continue
      this.#isClosed = received.kind === 'close'
      all.push(received)
    }
    return all
  }

  #next(): Frame | number | undefined {
    const rest = this.#rest
    if (rest.length < 2) return undefined
    // A client masks, and nobody has agreed to an extension that sets reserved bits.
    if ((rest[1]! & 0x80) === 0 || (rest[0]! & 0x70) !== 0) return PROTOCOL_ERROR
    const short = rest[1]! & 0x7f
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
    const start = 2 + lengthBytes + 4
    if (rest.length < start) return undefined
    const length =
      lengthBytes === 0 ? short : Number(lengthBytes === 2 ? rest.readUInt16BE(2) : rest.readBigUInt64BE(2))
    if (length + this.#pieces.reduce((sum, piece) => sum + piece.length, 0) > MAX_MESSAGE_BYTES) return TOO_BIG
    if (rest.length < start + length) return undefined
    const payload = Buffer.from(rest.subarray(start, start + length))
    for (let i = 0; i < length; i++) payload[i]! ^= rest[start - 4 + (i & 3)]!
    this.#rest = rest.subarray(start + length)
    return { isFinal: (rest[0]! & 0x80) !== 0, opcode: rest[0]! & 0x0f, payload }
  }

  #take({ isFinal, opcode, payload }: Frame): Received | undefined {
    if (opcode >= OPCODE.close) {
      if (!isFinal || payload.length > 125 || opcode > OPCODE.pong) return closing(PROTOCOL_ERROR)
      if (opcode === OPCODE.pong) return undefined
      return { kind: opcode === OPCODE.ping ? 'ping' : 'close', payload }
    }
    const goesOn = opcode === OPCODE.continuation
    if (goesOn !== this.#pieces.length > 0 || opcode > OPCODE.binary) return closing(PROTOCOL_ERROR)
    if (!goesOn) this.#isBinary = opcode === OPCODE.binary
    this.#pieces.push(payload)
    if (!isFinal) return undefined
    const whole = Buffer.concat(this.#pieces)
    this.#pieces = []
    return { kind: this.#isBinary ? 'binary' : 'text', payload: whole }
  }
}

interface Frame {
  readonly isFinal: boolean
  readonly opcode: number
  readonly payload: Buffer
}

function closing(code: number): Received {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return { kind: 'close', payload }
}

/** A whole message or a frame that stands alone; a server does not mask. */
export function frame(kind: 'text' | 'binary' | 'close' | 'pong', payload: Buffer): Buffer {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = 0x80 | OPCODE[kind]
  if (length < 126) head[1] = length
  else if (length < 65_536) {
    head[1] = 126
    head.writeUInt16BE(length, 2)
  } else {
    head[1] = 127
    head.writeBigUInt64BE(BigInt(length), 2)
  }
  return Buffer.concat([head, payload])
}
