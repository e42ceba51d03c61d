import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { DEADLINE_MS, Watch } from './deadline.ts'

/**
 * The other end of an HTTP/2 connection, frame by frame: no library sends what goes wrong, and none shows what really came. It shares
 * nothing with the gateway. Of HPACK it writes literals only and reads what needs no table.
 */

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  rst: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
}
export const CODE = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
}
export const END_STREAM = 1
const PADDED = 8
const END_HEADERS = 4
const ACK = 1
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export type FieldPair = readonly [name: string, value: string]

const STATIC =
  `:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate`
    .split('|')
    .map((entry) => [entry.split(' ')[0]!, entry.includes(' ') ? entry.slice(entry.indexOf(' ') + 1) : ''] as const)

function integer(first: number, mask: number, value: number): Buffer {
  if (value < mask) return Buffer.from([first | value])
  const octets = [first | mask]
  let rest = value - mask
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 128)
  return Buffer.from([...octets, rest])
}

const text = (value: string): Buffer => Buffer.concat([integer(0, 127, value.length), Buffer.from(value, 'latin1')])

/** Each field as a literal that enters no table. */
export function block(fields: readonly FieldPair[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))
}

export function unblock(bytes: Buffer): FieldPair[] {
  const fields: FieldPair[] = []
  let at = 0
  const number = (mask: number): number => {
    let value = bytes[at++]! & mask
    if (value < mask) return value
    for (let factor = 1; ; factor *= 128) {
      const octet = bytes[at++]!
      value += (octet & 127) * factor
      if (octet < 128) return value
    }
  }
  const string = (): string => {
    if (bytes[at]! & 128) throw new Error('a Huffman code, which this peer does not read')
    const length = number(127)
    at += length
    return bytes.toString('latin1', at - length, at)
  }
  while (at < bytes.length) {
    const octet = bytes[at]!
    if (octet & 128) fields.push(STATIC[number(127) - 1]!)
    else if (octet >= 32) throw new Error(`a field that enters the table: ${octet}`)
    else {
      const index = number(15)
      const name = index === 0 ? string() : STATIC[index - 1]![0]
      fields.push([name, string()])
    }
  }
  return fields
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function settings(pairs: Readonly<Record<number, number>>): Buffer {
  return Buffer.concat(
    Object.entries(pairs).map(([setting, value]) => {
      const entry = Buffer.alloc(6)
      entry.writeUInt16BE(Number(setting))
      entry.writeUInt32BE(value, 2)
      return entry
    }),
  )
}

/** One stream as this peer sees it. */
export class PeerStream {
  readonly id: number
  /** Every header section that came: interim ones, the head, trailers. */
  readonly heads: FieldPair[][] = []
  readonly pieces: Buffer[] = []
  bytes = 0
  hasEnded = false
  /** What the other side lets this one send, with what the connection allows. */
  window = 65_535
  /** What the other side has reset it with. */
  reset: number | undefined
  readonly peer: Http2Peer

  constructor(peer: Http2Peer, id: number) {
    this.peer = peer
    this.id = id
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString('latin1')
  }

  value(name: string): string | undefined {
    return this.heads.flat().find(([given]) => given === name)?.[1]
  }

  get status(): string | undefined {
    return this.heads.flat().findLast(([name]) => name === ':status')?.[1]
  }

  /** Until it has ended, one way or the other. */
  ended(ms: number = DEADLINE_MS): Promise<this> {
    return this.peer.until(
      () => (this.hasEnded || this.reset !== undefined ? this : undefined),
      `the end of stream ${this.id}`,
      ms,
    )
  }

  data(content: string | Uint8Array, ends = false): void {
    this.peer.send(
      frame(
        TYPE.data,
        ends ? END_STREAM : 0,
        this.id,
        typeof content === 'string' ? Buffer.from(content, 'latin1') : content,
      ),
    )
  }

  /** So many bytes, as the windows allow. `sent` hears of each frame. */
  async upload(bytes: number, sent: (bytes: number) => void = () => {}): Promise<void> {
    const piece = Buffer.alloc(16_384, 'x')
    for (let left = bytes; left > 0; ) {
      const { peer } = this
      await peer.until(() => (this.window > 0 && peer.window > 0) || this.reset !== undefined, 'a window', 60_000)
      if (this.reset !== undefined) return
      const length = Math.min(piece.length, left, this.window, peer.window)
      left -= length
      this.window -= length
      peer.window -= length
      this.data(piece.subarray(0, length), left === 0)
      sent(length)
      if (peer.socket.writableNeedDrain) await once(peer.socket, 'drain')
    }
  }

  /** So many frames of an octet of content with as much padding as there can be, as the windows allow. */
  async uploadPadded(frames: number): Promise<void> {
    const { peer } = this
    const padding = 255
    const payload = Buffer.alloc(1 + 1 + padding)
    payload[0] = padding
    payload[1] = 0x78
    for (let i = 1; i <= frames; i++) {
      await peer.until(() => Math.min(this.window, peer.window) >= payload.length, `a window for frame ${i}`)
      this.window -= payload.length
      peer.window -= payload.length
      peer.send(frame(TYPE.data, PADDED | (i === frames ? END_STREAM : 0), this.id, payload))
    }
  }

  /** Takes what has come, and what comes from now on. */
  takeAll(): void {
    this.peer.takesContent = true
    this.peer.send(frame(TYPE.window, 0, 0, u32(0x3fffffff)), frame(TYPE.window, 0, this.id, u32(0x3fffffff)))
  }

  headers(fields: readonly FieldPair[], ends = false): void {
    this.peer.send(frame(TYPE.headers, END_HEADERS | (ends ? END_STREAM : 0), this.id, block(fields)))
  }

  cancel(code: number = CODE.cancel): void {
    this.peer.send(frame(TYPE.rst, 0, this.id, u32(code)))
  }
}

export interface PeerOptions {
  readonly settings?: Readonly<Record<number, number>>
  /** Gives back windows as content comes. Default true. */
  readonly takesContent?: boolean
  /** Content is counted and not kept. */
  readonly keepsNothing?: boolean
  readonly onHead?: (stream: PeerStream) => void
}

export class Http2Peer implements Disposable {
  readonly socket: net.Socket
  readonly streams = new Map<number, PeerStream>()
  readonly goaways: { last: number; code: number }[] = []
  /** What the other side has asked for. */
  readonly asked = new Map<number, number>()
  hasSettings = false
  isClosed = false
  pongs = 0
  window = 65_535
  takesContent: boolean
  readonly #watch = new Watch()
  readonly #options: PeerOptions
  #received = Buffer.alloc(0)
  #preface: number
  #block: { id: number; ends: boolean; parts: Buffer[] } | undefined
  #next = 1

  constructor(socket: net.Socket, isServer: boolean, options: PeerOptions) {
    this.socket = socket
    this.#options = options
    this.takesContent = options.takesContent ?? true
    this.#preface = isServer ? PREFACE.length : 0
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      this.isClosed = true
      this.#watch.notice()
    })
    if (!isServer) this.send(PREFACE)
    this.send(frame(TYPE.settings, 0, 0, settings(options.settings ?? {})))
  }

  send(...frames: readonly Uint8Array[]): boolean {
    if (this.socket.destroyed) return false
    return this.socket.write(Buffer.concat(frames))
  }

  until<T>(look: () => T | undefined | false, what: string, ms: number = DEADLINE_MS): Promise<T> {
    return this.#watch.until(
      look,
      () =>
        `${what}; seen: ${[...this.streams.values()].map((s) => `${s.id}: ${s.status ?? ''} ${s.bytes} bytes${s.hasEnded ? ', ended' : ''}${s.reset === undefined ? '' : `, reset ${s.reset}`}`).join('; ')}, GOAWAY ${JSON.stringify(this.goaways)}${this.isClosed ? ', closed' : ''}`,
      ms,
    )
  }

  stream(id: number): PeerStream {
    let stream = this.streams.get(id)
    if (stream === undefined) {
      stream = new PeerStream(this, id)
      this.streams.set(id, stream)
    }
    return stream
  }

  /** Of the next stream that this side opens. */
  nextId(): number {
    this.#next += 2
    return this.#next - 2
  }

  get lastId(): number {
    return this.#next - 2
  }

  /** A new stream with this head. */
  open(fields: readonly FieldPair[], ends = true): PeerStream {
    const stream = this.stream(this.nextId())
    stream.headers(fields, ends)
    return stream
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes])
    if (this.#preface > 0) {
      if (this.#received.length < this.#preface) return
      this.#received = this.#received.subarray(this.#preface)
      this.#preface = 0
    }
    while (this.#received.length >= 9) {
      const length = this.#received.readUIntBE(0, 3)
      if (this.#received.length < 9 + length) break
      const [type, flags] = [this.#received[3]!, this.#received[4]!]
      const id = this.#received.readUInt32BE(5) & 0x7fffffff
      const payload = this.#received.subarray(9, 9 + length)
      this.#received = this.#received.subarray(9 + length)
      this.#frame(type, flags, id, payload)
    }
    this.#watch.notice()
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case TYPE.data:
        this.#data(this.stream(id), flags, payload)
        break
      case TYPE.headers:
        this.#block = { id, ends: (flags & END_STREAM) !== 0, parts: [] }
        this.#part(flags, payload)
        break
      case TYPE.continuation:
        this.#part(flags, payload)
        break
      case TYPE.rst:
        this.stream(id).reset = payload.readUInt32BE()
        break
      case TYPE.settings:
        if ((flags & ACK) !== 0) break
        this.hasSettings = true
        for (let at = 0; at < payload.length; at += 6)
          this.asked.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
        this.send(frame(TYPE.settings, ACK, 0))
        break
      case TYPE.ping:
        if ((flags & ACK) !== 0) this.pongs++
        else this.send(frame(TYPE.ping, ACK, 0, payload))
        break
      case TYPE.window:
        if (id === 0) this.window += payload.readUInt32BE()
        else this.stream(id).window += payload.readUInt32BE()
        break
      case TYPE.goaway:
        this.goaways.push({ last: payload.readUInt32BE(), code: payload.readUInt32BE(4) })
    }
  }

  #data(stream: PeerStream, flags: number, payload: Buffer): void {
    stream.bytes += payload.length
    if (this.#options.keepsNothing !== true) stream.pieces.push(Buffer.from(payload))
    if ((flags & END_STREAM) !== 0) stream.hasEnded = true
    if (!this.takesContent || payload.length === 0) return
    this.send(frame(TYPE.window, 0, 0, u32(payload.length)))
    if (!stream.hasEnded) this.send(frame(TYPE.window, 0, stream.id, u32(payload.length)))
  }

  #part(flags: number, payload: Buffer): void {
    const { id, ends, parts } = this.#block!
    parts.push(Buffer.from(payload))
    if ((flags & END_HEADERS) === 0) return
    this.#block = undefined
    const stream = this.stream(id)
    stream.heads.push(unblock(Buffer.concat(parts)))
    stream.hasEnded ||= ends
    this.#options.onHead?.(stream)
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

/** A client with prior knowledge. */
export async function connectHttp2(port: number, options: PeerOptions = {}): Promise<Http2Peer> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  return new Http2Peer(socket, false, options)
}

/** A client on a connection that is there already. */
export function connectHttp2Over(socket: net.Socket, options: PeerOptions = {}): Http2Peer {
  return new Http2Peer(socket, false, options)
}

/** The usual request: pseudo-header fields, and then these. */
export function request(method: string, path: string, ...fields: readonly FieldPair[]): FieldPair[] {
  return [[':method', method], [':scheme', 'http'], [':authority', 'gateway.test'], [':path', path], ...fields]
}

/** A provider's stand-in that speaks HTTP/2, by ALPN or by prior knowledge. */
export class Http2Origin implements AsyncDisposable {
  readonly peers: Http2Peer[] = []
  readonly requests: PeerStream[] = []
  readonly #server: net.Server
  readonly #isTls: boolean
  readonly #watch = new Watch()

  constructor(answer: (stream: PeerStream) => void, options: PeerOptions & { readonly tls?: tls.TlsOptions } = {}) {
    this.#isTls = options.tls !== undefined
    const accept = (socket: net.Socket): void => {
      const peer = new Http2Peer(socket, true, {
        ...options,
        onHead: (stream) => {
          if (stream.heads.length === 1) {
            this.requests.push(stream)
            answer(stream)
          }
          this.#watch.notice()
        },
      })
      this.peers.push(peer)
      socket.on('close', () => this.#watch.notice())
      this.#watch.notice()
    }
    this.#server = options.tls
      ? tls.createServer({ ALPNProtocols: ['h2'], ...options.tls, noDelay: true, allowHalfOpen: true }, accept)
      : net.createServer({ noDelay: true, allowHalfOpen: true }, accept)
    this.#server.on('tlsClientError', () => {})
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get url(): string {
    return `${this.#isTls ? 'https' : 'http'}://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`
  }

  request(n = 0): Promise<PeerStream> {
    return this.until(() => this.requests[n], `request ${n} upstream`)
  }

  until<T>(look: () => T | undefined | false, what: string, ms: number = DEADLINE_MS): Promise<T> {
    return this.#watch.until(look, what, ms)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.peers) peer.socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

export function startHttp2Origin(
  answer: (stream: PeerStream) => void,
  options: PeerOptions & { readonly tls?: tls.TlsOptions } = {},
): Promise<Http2Origin> {
  return new Http2Origin(answer, options).listen()
}
