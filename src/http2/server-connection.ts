import type { Socket } from 'node:net'
import type { ConnectionHost } from '../http/connection-host.ts'
import type { ClientTls, Downstream, DownstreamEvents } from '../http/downstream.ts'
import { OwnedConnection } from '../http/owned-connection.ts'
import { Queued } from '../http/queued.ts'
import { ReadBuffer } from '../runtime/read-buffers.ts'
import type { Reader } from '../runtime/sockets.ts'
import { begin } from './begin.ts'
import { ConnectionClock } from './connection-clock.ts'
import { FLOOD } from './floods.ts'
import { ERROR, type ErrorCode } from './frames.ts'
import type { FieldList } from './hpack-decoder.ts'
import { Outbox } from './outbox.ts'
import { ResetStreams } from './reset-streams.ts'
import { ServerStream, type StreamHost } from './server-stream.ts'
import { MAX_STREAMS, Session, type SessionOwner } from './session.ts'
import { trailerLines } from './trailer-lines.ts'
import { MAX_WINDOW } from './windows.ts'

/** What a client has for hearing that it should open no more streams, before those that it has opened are the last. */
const LAST_STREAM_MS = 1_000
/** How long what a client still sends is dropped, once its connection has failed: it should get to read why. */
const FAREWELL_MS = 1_000

/**
 * A client's HTTP/2 connection. Each of its streams is an exchange of its own.
 *
 *     idle ◀──no stream left── busy         idle ──keep-alive time, close──▶ leaving ──all sent──▶ closed
 *       └──a stream begins──▶ ┘             busy, idle ──error──▶ failed (drops what comes) ──a second──▶ closed
 */
type Phase = 'idle' | 'busy' | 'failed' | 'closed'

export class Http2ServerConnection<E> extends Queued implements Reader, SessionOwner, StreamHost<E> {
  readonly isOverLimit: boolean
  readonly peerIp: string | undefined
  readonly clientIp: string | undefined
  readonly tls: ClientTls | undefined
  session!: Session
  readonly owned = new OwnedConnection<E>()
  breakCode: ErrorCode = ERROR.internal
  readonly #host: ConnectionHost<E, Http2ServerConnection<E>>
  #socket!: Socket
  #phase: Phase = 'idle'
  readonly #streams = new Map<number, ServerStream<E>>()
  /** All whose exchange is not over, those too that their client has reset. */
  readonly #exchanges = new Set<ServerStream<E>>()
  #openCount = 0
  #lastStream = 0
  /** Streams above it are not served any more. */
  #lastServed = MAX_WINDOW
  #isLeaving = false
  /** What is sent must leave at once. */
  #isClosing = false
  readonly #reset = new ResetStreams()
  /** Whose heads came in this read, and some of whose exchanges have not begun: their content may come in it as well. */
  readonly #opening: ServerStream<E>[] = []
  /** Whose content is being read. */
  #current: ServerStream<E> | undefined = undefined
  #currentEnds = false
  readonly #reads = new ReadBuffer()
  readonly #clock: ConnectionClock
  #lastStreamTimer: NodeJS.Timeout | undefined = undefined
  #farewell: NodeJS.Timeout | undefined = undefined

  constructor(
    host: ConnectionHost<E, Http2ServerConnection<E>>,
    { peerIp, clientIp, tls, isOverLimit }: Pick<Downstream<E>, 'peerIp' | 'clientIp' | 'tls' | 'isOverLimit'>,
  ) {
    super()
    this.#host = host
    this.peerIp = peerIp
    this.clientIp = clientIp
    this.tls = tls
    this.isOverLimit = isOverLimit
    this.#clock = new ConnectionClock(host, () => this.#expired())
  }

  /** Begins to work on its socket, which must already read into this connection. */
  attach(socket: Socket): void {
    this.#socket = socket
    this.session = new Session(new Outbox(socket, () => this.session.pump()), this, true)
    this.session.greet()
    socket.on('end', () => this.#ended())
    socket.on('error', () => this.#gone())
    socket.on('close', () => this.#gone())
    this.#clock.watch(this.session.headBegun, true)
    this.#host.connectionIdle(this)
  }

  get events(): DownstreamEvents<E> {
    return this.#host.events
  }

  get isDraining(): boolean {
    return this.#host.isDraining
  }

  get isClosed(): boolean {
    return this.#phase === 'closed'
  }

  // ---- reading

  nextReadBuffer(): Buffer {
    return this.#reads.next()
  }

  onBytes(buffer: Buffer, length: number): boolean {
    if (this.#phase === 'failed' || this.#phase === 'closed') return true
    try {
      const error = this.session.read(buffer, length)
      if (this.#opening.length > 0) this.#serveOpening()
      if (error !== ERROR.none) this.#fail(error)
      else if (!this.isClosed) this.#clock.watch(this.session.headBegun, this.#phase === 'idle')
    } catch (error) {
      // Where no stream was at work there is nobody to answer.
      this.events.bug(undefined, undefined, error)
      this.#fail(ERROR.internal)
    }
    return true
  }

  // ---- SessionOwner

  /** The read is over: no content has come with these heads. */
  #serveOpening(): void {
    for (const stream of this.#opening) {
      try {
        stream.serveAlone()
      } catch (error) {
        this.#endAfterBug(stream, error)
      }
    }
    this.#opening.length = 0
  }

  headers(id: number, list: FieldList, endsStream: boolean): ErrorCode {
    const stream = this.#streams.get(id)
    if (stream !== undefined) return this.#trailers(stream, list, endsStream)
    if (id % 2 === 0) return ERROR.protocol
    if (id <= this.#lastStream) return this.#endedStream(id)
    this.#lastStream = id
    // A client that has been told so sends it again elsewhere.
    if (id > this.#lastServed) {
      // What follows on it is nobody's fault.
      this.#reset.add(id)
      return ERROR.none
    }
    if (this.#openCount >= MAX_STREAMS || this.#exchanges.size >= MAX_STREAMS) {
      this.#resetStream(id, ERROR.refusedStream)
      return this.session.count(FLOOD.refused)
    }
    this.#open(new ServerStream(this, id), list, endsStream)
    return ERROR.none
  }

  /** A head where none can be: what is still on its way to a stream that we have reset is ignored (RFC 9113 section 5.1). */
  #endedStream(id: number): ErrorCode {
    if (this.#reset.has(id)) return ERROR.none
    return id === this.#lastStream ? ERROR.streamClosed : ERROR.protocol
  }

  #open(stream: ServerStream<E>, list: FieldList, isWhole: boolean): void {
    this.#streams.set(stream.id, stream)
    this.#exchanges.add(stream)
    this.#openCount++
    if (this.#phase === 'idle') {
      this.#phase = 'busy'
      this.#clock.busy()
      this.#host.connectionBusy(this)
    }
    try {
      begin(stream, list, isWhole)
      if (!isWhole) this.#opening.push(stream)
    } catch (error) {
      this.#endAfterBug(stream, error)
    }
  }

  #trailers(stream: ServerStream<E>, list: FieldList, endsStream: boolean): ErrorCode {
    if (stream.receiver.isEnded) return this.#streamError(stream, ERROR.streamClosed)
    const lines = endsStream ? trailerLines(list) : undefined
    if (lines === undefined) return this.#streamError(stream, ERROR.protocol)
    return this.#endBody(stream, lines)
  }

  dataFrame(id: number, endsStream: boolean, length: number): ErrorCode {
    const stream = this.#streams.get(id)
    this.#current = undefined
    if (stream === undefined) {
      if (this.isIdle(id)) return ERROR.protocol
      if (this.#reset.has(id)) return ERROR.none
      this.#resetStream(id, ERROR.streamClosed)
      return this.session.count(FLOOD.reset)
    }
    if (stream.receiver.isEnded) return this.#streamError(stream, ERROR.streamClosed)
    if (!stream.receiver.window.take(length)) return this.#streamError(stream, ERROR.flowControl)
    this.#current = stream
    this.#currentEnds = endsStream
    return ERROR.none
  }

  data(buffer: Buffer, start: number, end: number, isLast: boolean): void {
    const stream = this.#current
    if (stream === undefined) return
    try {
      if (stream.receiver.data(buffer, start, end, isLast && this.#currentEnds)) return
      this.#current = undefined
      this.#streamError(stream, ERROR.protocol)
    } catch (error) {
      this.#endAfterBug(stream, error)
    }
  }

  dataEnd(padding: number): void {
    const stream = this.#current
    this.#current = undefined
    if (stream === undefined) return
    if (padding > 0) stream.giveBack(padding)
    if (this.#currentEnds) this.#endBody(stream, '')
  }

  #endBody(stream: ServerStream<E>, trailers: string): ErrorCode {
    try {
      if (!stream.receiver.end(trailers)) return this.#streamError(stream, ERROR.protocol)
    } catch (error) {
      this.#endAfterBug(stream, error)
    }
    return ERROR.none
  }

  /** A bug of ours costs the stream that met it, also where its exchange had not begun. */
  #endAfterBug(stream: ServerStream<E>, error: unknown): void {
    this.events.bug(stream.exchange, stream, error)
    if (stream.exchange === undefined && this.#exchanges.has(stream)) stream.abandon()
  }

  #streamError(stream: ServerStream<E>, code: ErrorCode): ErrorCode {
    stream.fail(code, 'bad_framing', 'content_length')
    return this.session.count(FLOOD.reset)
  }

  reset(id: number): ErrorCode {
    const stream = this.#streams.get(id)
    if (stream === undefined) return ERROR.none
    this.#streams.delete(id)
    // With its answer whole it costs nothing.
    return stream.resetByClient() ? ERROR.none : this.session.count(FLOOD.reset)
  }

  streamOf(id: number): ServerStream<E> | undefined {
    return this.#streams.get(id)
  }

  allStreams(): Iterable<ServerStream<E>> {
    return this.#streams.values()
  }

  isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.#lastStream
  }

  windowFailed(id: number, code: ErrorCode): ErrorCode {
    return this.#streamError(this.#streams.get(id)!, code)
  }

  /** The client opens no more streams; those that run go on. */
  goaway(): void {
    this.#isLeaving = true
    this.#closeIfDone()
  }

  settled(): void {}
  pong(): void {
    if (this.#isLeaving && this.#lastStreamTimer !== undefined) this.#nameLast()
  }

  // ---- StreamHost

  whenFlushed(callback: () => void): void {
    if (this.#isClosing) this.session.outbox.flush()
    if (this.#phase === 'closed') callback()
    else this.session.outbox.whenFlushed(callback)
  }

  streamEnded(): void {
    this.#openCount--
  }

  streamOver(stream: ServerStream<E>, isReset: boolean): void {
    this.#streams.delete(stream.id)
    this.#exchanges.delete(stream)
    if (isReset) this.#reset.add(stream.id)
    if (this.#exchanges.size > 0 || this.#phase !== 'busy') return
    this.#phase = 'idle'
    if (!this.#closeIfDone()) {
      this.#clock.idle()
      this.#host.connectionIdle(this)
    }
  }

  #resetStream(id: number, code: ErrorCode): void {
    this.session.resetStream(id, code)
    this.#reset.add(id)
  }

  // ---- ends

  /** A stop: no stream is wanted any more that the client does not know of yet, and those that run go on to their end. */
  leave(): void {
    if (this.#isLeaving || this.#phase === 'closed' || this.#phase === 'failed') return
    this.#isLeaving = true
    this.session.goAway(MAX_WINDOW, ERROR.none)
    this.session.ping()
    this.#lastStreamTimer = setTimeout(() => this.#nameLast(), LAST_STREAM_MS)
  }

  #nameLast(): void {
    clearTimeout(this.#lastStreamTimer)
    this.#lastStreamTimer = undefined
    this.#lastServed = this.#lastStream
    this.session.goAway(this.#lastStream, ERROR.none)
    this.#closeIfDone()
  }

  /** Whoever leaves goes with its last stream. */
  #closeIfDone(): boolean {
    if (this.#exchanges.size > 0 || this.#phase === 'closed' || this.#phase === 'failed') return false
    if (this.#lastStreamTimer !== undefined) return false
    if (!this.#isLeaving && !this.isOverLimit && !this.#host.isDraining) return false
    this.#farewellWith(ERROR.none)
    return true
  }

  /** Nobody has asked for anything for too long; or what has begun does not come to its end. */
  #expired(): void {
    if (this.#exchanges.size === 0) this.#farewellWith(ERROR.none)
    else this.#fail(ERROR.enhanceYourCalm)
  }

  /** The connection has broken the rules: nothing on it means anything any more. */
  #fail(code: ErrorCode): void {
    if (this.#phase === 'closed' || this.#phase === 'failed') return
    for (const stream of [...this.#exchanges]) stream.left()
    this.#farewellWith(code)
  }

  /** The last word, and then what the client still sends is dropped, so that it gets to read that. */
  #farewellWith(code: ErrorCode): void {
    if (this.#phase === 'closed' || this.#phase === 'failed') return
    this.session.stop()
    this.session.goAway(Math.min(this.#lastStream, this.#lastServed), code)
    this.#phase = 'failed'
    this.#clock.close()
    clearTimeout(this.#lastStreamTimer)
    this.owned.close()
    this.#host.connectionClosing(this)
    this.session.outbox.end()
    this.#farewell = setTimeout(() => this.#close(), FAREWELL_MS)
  }

  /** Whoever says FIN opens no window any more, so it has left: what is on its way still goes. */
  #ended(): void {
    if (this.#phase !== 'closed') this.session.outbox.flush()
    this.#gone()
  }

  #gone(): void {
    if (this.#phase === 'closed') return
    this.#close()
    for (const stream of [...this.#exchanges]) stream.left()
  }

  /** Closes at once. For the listener: idle connections at the limit and at a stop, all of them when the time for a stop is up. */
  close(): void {
    if (this.#phase === 'closed') return
    this.breakCode = ERROR.cancel
    this.#isClosing = true
    for (const { exchange } of [...this.#exchanges]) if (exchange !== undefined) this.events.shutDown(exchange)
    if (this.#phase !== 'failed') {
      this.session.goAway(Math.min(this.#lastStream, this.#lastServed), ERROR.none)
      this.session.outbox.end()
    }
    this.#close()
  }

  #close(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.session.stop()
    this.#clock.close()
    clearTimeout(this.#lastStreamTimer)
    clearTimeout(this.#farewell)
    this.owned.close()
    this.#host.connectionClosed(this)
    if (this.session.outbox.isFull) this.#socket.destroy()
    else this.#socket.destroySoon()
    this.session.outbox.close()
  }
}
