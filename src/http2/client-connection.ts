import type { Socket } from 'node:net'
import { isOfTls } from '../cause.ts'
import type { UpstreamEvents } from '../http/upstream-connection.ts'
import { ReadBuffer } from '../runtime/read-buffers.ts'
import type { Reader } from '../runtime/sockets.ts'
import { ClientStream, type UpstreamHost } from './client-stream.ts'
import { FLOOD } from './floods.ts'
import { ERROR, type ErrorCode } from './frames.ts'
import type { FieldList } from './hpack-decoder.ts'
import { Outbox } from './outbox.ts'
import { MAX_STREAMS, Session, type SessionOwner } from './session.ts'

/** Who keeps the connection and hears what becomes of it. */
export interface SessionHome<E> {
  readonly events: UpstreamEvents<E>
  /** How many streams the upstream is believed to take at once, until it says so on this connection too. */
  usualStreams: number
  /** A stream has ended, or the upstream takes more of them than before. */
  hasRoom(connection: Http2ClientConnection<E>): void
  /** No exchange is on it. */
  idle(connection: Http2ClientConnection<E>): void
  /** Told once. */
  closed(connection: Http2ClientConnection<E>): void
}

/** A request that has had no answer for so long, on a connection from which nothing else has come either, is reason to ask for a sign of life. */
const ASK_AFTER_MS = 10_000
const SIGN_WITHIN_MS = 10_000

/** Numbers of streams end here; long before, the connection is too old. */
const LAST_STREAM = 0x7ffffff0

/**
 * An upstream's HTTP/2 connection: as many exchanges at once as the upstream takes, each on a stream of its own.
 *
 *     open ──GOAWAY, too old──▶ leaving (takes no other exchange) ──the last has ended──▶ closed
 *     any  ──error, FIN──▶ closed
 */
export class Http2ClientConnection<E> implements Reader, SessionOwner, UpstreamHost<E> {
  readonly endpoint: string
  readonly address: string
  /** The address without its port, as its name resolves. */
  readonly host: string
  readonly scheme: string
  readonly #home: SessionHome<E>
  session!: Session
  #socket!: Socket
  #isClosed = false
  #isLeaving = false
  /** The upstream has said what it takes. */
  #isSettled = false
  #nextStream = 1
  /** Of all its streams one has had an answer. */
  #hasServed = false
  /** With a number, or waiting for their head to be sent. */
  readonly #streams = new Map<number, ClientStream<E>>()
  #taken = 0
  #current: ClientStream<E> | undefined = undefined
  #currentEnds = false
  readonly #reads = new ReadBuffer()
  /** Goes up with every read. */
  #heard = 0
  /** The same when it was looked at last with something new, the next stream then, and when that was: by the clock of the pool. */
  #heardBefore = -1
  #streamThen = 0
  #heardMs = 0
  /** When a sign of life was asked for; 0: none is awaited. */
  #askedMs = 0
  /** For whoever keeps it: by the clock of the pool. */
  bornMs = 0
  idleSinceMs = 0

  constructor(
    home: SessionHome<E>,
    endpoint: string,
    address: { readonly text: string; readonly host: string },
    scheme: string,
  ) {
    this.#home = home
    this.endpoint = endpoint
    this.address = address.text
    this.host = address.host
    this.scheme = scheme
  }

  /** The socket is connected (and its TLS handshake done) and reads into this connection. */
  attach(socket: Socket): void {
    this.#socket = socket
    this.session = new Session(new Outbox(socket, () => this.session.pump()), this, false)
    this.session.greet()
    socket.on('end', () => this.#lost('closed'))
    socket.on('error', (error: NodeJS.ErrnoException) => this.#lost(error.code ?? 'closed'))
    socket.on('close', () => this.#lost('closed'))
  }

  get events(): UpstreamEvents<E> {
    return this.#home.events
  }

  /** It takes another exchange. */
  get isUsable(): boolean {
    return !this.#isClosed && !this.#isLeaving && this.#socket.writable
  }

  get hasRoom(): boolean {
    const most = this.#isSettled ? this.session.peer.maxConcurrentStreams : this.#home.usualStreams
    return this.isUsable && this.#taken < Math.min(MAX_STREAMS, most) && this.#nextStream < LAST_STREAM
  }

  get isReused(): boolean {
    return this.#hasServed
  }

  /** How many exchanges it carries. */
  get busy(): number {
    return this.#taken
  }

  /** A place for an exchange; it is given back by the end of the stream. */
  newStream(): ClientStream<E> {
    this.#taken++
    return new ClientStream(this)
  }

  // ---- reading

  nextReadBuffer(): Buffer {
    return this.#reads.next()
  }

  onBytes(buffer: Buffer, length: number): boolean {
    if (this.#isClosed) return true
    this.#heard++
    try {
      const error = this.session.read(buffer, length)
      if (error !== ERROR.none) this.#fail(error)
    } catch (error) {
      this.#home.events.bug(undefined, error)
      this.#fail(ERROR.internal)
    }
    return true
  }

  headers(id: number, list: FieldList, endsStream: boolean): ErrorCode {
    const stream = this.#streams.get(id)
    if (stream === undefined) return this.isIdle(id) ? ERROR.protocol : ERROR.none
    this.#hasServed = true
    try {
      stream.headers(list, endsStream)
    } catch (error) {
      stream.bug(error)
    }
    return ERROR.none
  }

  dataFrame(id: number, endsStream: boolean, length: number): ErrorCode {
    const stream = this.#streams.get(id)
    this.#current = undefined
    // What comes of a stream that we have reset is dropped.
    if (stream === undefined) return this.isIdle(id) ? ERROR.protocol : ERROR.none
    if (stream.receiver.isEnded || !stream.hasHead || !stream.receiver.window.take(length)) {
      stream.broken('surplus')
      return ERROR.none
    }
    this.#current = stream
    this.#currentEnds = endsStream
    return ERROR.none
  }

  data(buffer: Buffer, start: number, end: number, isLast: boolean): void {
    const stream = this.#current
    if (stream === undefined) return
    try {
      if (!stream.receiver.data(buffer, start, end, isLast && this.#currentEnds)) stream.broken('content_length')
    } catch (error) {
      stream.bug(error)
    }
    if (stream.isOver) this.#current = undefined
  }

  dataEnd(padding: number): void {
    const stream = this.#current
    this.#current = undefined
    if (stream === undefined) return
    if (padding > 0) stream.giveBack(padding)
    if (!this.#currentEnds) return
    try {
      if (!stream.receiver.end('')) stream.broken('content_length')
    } catch (error) {
      stream.bug(error)
    }
  }

  // ---- SessionOwner

  reset(id: number, code: ErrorCode): ErrorCode {
    const stream = this.#streams.get(id)
    // We have opened each that it can refuse: however many these are, those that run are not disturbed.
    if (stream === undefined) return this.session.count(FLOOD.refused)
    stream.resetByUpstream(code)
    return ERROR.none
  }

  streamOf(id: number): ClientStream<E> | undefined {
    return this.#streams.get(id)
  }

  allStreams(): Iterable<ClientStream<E>> {
    return this.#streams.values()
  }

  isIdle(id: number): boolean {
    return id % 2 === 0 || id >= this.#nextStream
  }

  windowFailed(id: number): ErrorCode {
    this.#streams.get(id)?.broken('window')
    return ERROR.none
  }

  /** What it has not looked at may go elsewhere (RFC 9113 section 8.7). */
  goaway(last: number): void {
    this.#isLeaving = true
    for (const [id, stream] of [...this.#streams]) if (id > last) stream.handedBack()
    this.#closeIfDone()
  }

  pong(): void {}

  settled(): void {
    this.#isSettled = true
    this.#home.usualStreams = this.session.peer.maxConcurrentStreams
    if (this.hasRoom) this.#home.hasRoom(this)
  }

  // ---- UpstreamHost

  streamBegins(stream: ClientStream<E>): number {
    const id = this.#nextStream
    this.#nextStream += 2
    this.#streams.set(id, stream)
    return id
  }

  streamOver(stream: ClientStream<E>): void {
    this.#taken--
    if (stream.sender !== undefined) this.#streams.delete(stream.sender.id)
    if (this.#isClosed) return
    if (this.#taken === 0) this.#home.idle(this)
    if (!this.#closeIfDone() && this.hasRoom) this.#home.hasRoom(this)
  }

  // ---- ends

  /** It takes no other exchange, and closes with its last one. */
  leave(): void {
    this.#isLeaving = true
    this.#closeIfDone()
  }

  /**
   * Called now and then. A connection whose other end is gone without a word (a machine that died, a firewall that forgot) takes
   * requests for a quarter of an hour, until the kernel gives up. So one that has given no sign of life since its latest request
   * is asked for one (PING), and gets no other exchange if none comes. Those that it carries have clocks of their own.
   *
   * Nobody is asked without a new request: some upstreams take `PING`s for an attack.
   */
  lookAlive(nowMs: number): void {
    if (this.#heard !== this.#heardBefore) {
      this.#heardBefore = this.#heard
      this.#streamThen = this.#nextStream
      this.#heardMs = nowMs
      this.#askedMs = 0
    } else if (this.#askedMs > 0) {
      if (nowMs - this.#askedMs >= SIGN_WITHIN_MS) this.leave()
    } else if (this.#nextStream === this.#streamThen) this.#heardMs = nowMs
    else if (nowMs - this.#heardMs >= ASK_AFTER_MS) {
      this.#askedMs = nowMs
      this.session.ping()
    }
  }

  #closeIfDone(): boolean {
    if (!this.#isLeaving || this.#taken > 0 || this.#isClosed) return false
    this.session.goAway(0, ERROR.none)
    this.session.outbox.flush()
    this.#close()
    return true
  }

  /** The upstream speaks no proper HTTP/2. */
  #fail(code: ErrorCode): void {
    if (this.#isClosed) return
    this.session.goAway(0, code)
    this.session.outbox.flush()
    this.#close()
    for (const stream of [...this.#streams.values()]) stream.lost('upstream_protocol', 'protocol_error')
  }

  #lost(code: string): void {
    if (this.#isClosed) return
    this.#close()
    const failure = isOfTls(code) ? 'tls' : undefined
    for (const stream of [...this.#streams.values()]) stream.lost(failure, code)
  }

  #close(): void {
    this.#isClosed = true
    this.session.stop()
    this.#home.closed(this)
    if (this.session.outbox.isFull) this.#socket.destroy()
    else this.#socket.destroySoon()
  }
}
