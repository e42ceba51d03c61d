import type { Socket } from 'node:net'
import { type Downstream, type DownstreamEvents, isRefused, type OwnAnswer, type RefusedHead } from '../http/downstream.ts'
import type { RequestHead, ResponseHead } from '../http/message.ts'
import { Deadline } from '../runtime/deadline.ts'
import { NO_BYTES, send, sendTextAndBytes } from '../runtime/outgoing.ts'
import { BULK_THRESHOLD, giveBackBulkBuffer, sharedReadBuffer, takeBulkBuffer } from '../runtime/read-buffers.ts'
import type { Reader } from '../runtime/sockets.ts'
import { BodyFollower } from './body-follower.ts'
import { encodeOwnAnswer, encodeResponseHead } from './encoder.ts'
import { HeadReader } from './head-reader.ts'
import { parseRequestHead, readRequestLine } from './parse-request.ts'

/** What a connection needs to know of the listener that took it in. */
export interface ConnectionHost<E> {
  readonly events: DownstreamEvents<E>
  readonly isDraining: boolean
  readonly headTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  /** It waits for a request, with nothing read. */
  connectionIdle(connection: ServerConnection<E>): void
  connectionBusy(connection: ServerConnection<E>): void
  /** Its last exchange is over, nothing more will come of it: it does not hold up a stop. */
  connectionClosing(connection: ServerConnection<E>): void
  connectionClosed(connection: ServerConnection<E>): void
}

/** Bytes of further requests that are read while one is being answered; then reading pauses. */
const PIPELINE_BYTES = 65_536
/** A refused request's remaining body up to this length is read and dropped, and the connection kept. */
const DROP_BYTES = 65_536
/** Lingering close, nginx's figures: how long what a client still sends is dropped, in all and in silence. */
const LINGER_MS = 30_000
const LINGER_SILENCE_MS = 5_000

const LEADING_JUNK: RefusedHead = { failure: 'bad_request_line', hasRequestLine: false, method: '', target: '' }

/**
 * A client's HTTP/1.1 connection: one exchange at a time, in order.
 *
 *     idle ──bytes──▶ head ──head whole──▶ body ──body read──▶ wait ──finish──▶ idle
 *                                            └─────finish─────▶ drop ──body read──▶ idle
 *     any ──finish(keep: false)──▶ linger ──the client's end──▶ closed        any ──cut, error──▶ closed
 */
type Phase = 'idle' | 'head' | 'body' | 'wait' | 'drop' | 'linger' | 'closed'

export class ServerConnection<E> implements Downstream, Reader {
  readonly isOverLimit: boolean
  readonly clientIp: string | undefined
  /** Neighbours in the listener's queue of idle connections. */
  idlePrevious: ServerConnection<E> | undefined = undefined
  idleNext: ServerConnection<E> | undefined = undefined
  isQueuedIdle = false

  readonly #host: ConnectionHost<E>
  #socket!: Socket
  #phase: Phase = 'idle'
  #exchange: E | undefined = undefined
  readonly #heads = new HeadReader()
  readonly #body = new BodyFollower()
  #method = ''
  #wantsClose = false
  #awaitsContinue = false
  #hasLeft = false
  /** Reading is paused because the path of the request holds back. */
  #isHeld = false
  /** Bytes read ahead of their turn. */
  #ahead: Buffer[] = []
  #aheadBytes = 0
  #isPumping = false
  #bulk: Buffer | undefined = undefined
  #wantsBulk = false
  /** A write still points into the bulk buffer. */
  #isBulkLent = false
  /** Head, keep-alive and linger-silence clock, by phase. */
  readonly #deadline: Deadline
  #lingerEnd: Deadline | undefined = undefined
  #bodyDeadline: Deadline | undefined = undefined
  #exchangeDeadline: Deadline | undefined = undefined

  constructor(host: ConnectionHost<E>, clientIp: string | undefined, isOverLimit: boolean) {
    this.#host = host
    this.clientIp = clientIp
    this.isOverLimit = isOverLimit
    this.#deadline = new Deadline(() => this.#expired())
  }

  /** Begins to work on its socket, which must already read into this connection. */
  attach(socket: Socket): void {
    this.#socket = socket
    socket.on('end', () => this.#ended())
    socket.on('error', () => this.#gone())
    socket.on('close', () => this.#gone())
    socket.on('drain', () => {
      if (this.#exchange !== undefined && socket.writableLength === 0) this.#host.events.clientDrained(this.#exchange)
    })
    this.#becomeIdle()
  }

  // ---- reading

  onBytes(buffer: Buffer, length: number): boolean {
    this.#wantsBulk = false
    this.#isBulkLent = false
    try {
      this.#pump(buffer, length)
    } catch (error) {
      this.#isPumping = false
      this.#host.events.bug(this.#exchange, this, error)
      this.#close()
    }
    return !this.#isReadingPaused()
  }

  nextReadBuffer(): Buffer {
    if (this.#wantsBulk) {
      if (this.#isBulkLent) return this.#bulk ?? sharedReadBuffer
      this.#bulk ??= takeBulkBuffer()
      return this.#bulk
    }
    if (this.#bulk !== undefined) {
      if (!this.#isBulkLent) giveBackBulkBuffer(this.#bulk)
      this.#bulk = undefined
    }
    return sharedReadBuffer
  }

  #isReadingPaused(): boolean {
    return this.#isHeld || this.#aheadBytes >= PIPELINE_BYTES
  }

  #resumeReading(): void {
    if (!this.#isReadingPaused() && !this.#socket.destroyed) this.#socket.resume()
  }

  /** Takes what was read ahead and then `buffer[0..length)`, request by request, without recursion. */
  #pump(buffer: Buffer, length: number): void {
    if (this.#isPumping || this.#ahead.length > 0) {
      if (length > 0) this.#keepAhead(Buffer.from(buffer.subarray(0, length)))
      if (!this.#isPumping) this.#pumpAhead()
      return
    }
    this.#isPumping = true
    const at = this.#takeAll(buffer, length)
    if (at < length && this.#phase !== 'closed') this.#keepAhead(Buffer.from(buffer.subarray(at, length)))
    this.#isPumping = false
    if (this.#ahead.length > 0) this.#pumpAhead()
  }

  #pumpAhead(): void {
    this.#isPumping = true
    while (this.#ahead.length > 0 && this.#takesBytes()) {
      const piece = this.#ahead.shift()!
      this.#aheadBytes -= piece.length
      const at = this.#takeAll(piece, piece.length)
      if (at < piece.length && this.#phase !== 'closed') {
        this.#ahead.unshift(piece.subarray(at))
        this.#aheadBytes += piece.length - at
      }
    }
    this.#isPumping = false
  }

  #takeAll(buffer: Buffer, end: number): number {
    let at = 0
    while (at < end && this.#takesBytes()) at = this.#take(buffer, at, end)
    return at
  }

  #takesBytes(): boolean {
    switch (this.#phase) {
      case 'wait':
      case 'closed':
        return false
      case 'body':
        return !this.#isHeld
      default:
        return true
    }
  }

  #keepAhead(piece: Buffer): void {
    this.#ahead.push(piece)
    this.#aheadBytes += piece.length
  }

  #take(buffer: Buffer, start: number, end: number): number {
    switch (this.#phase) {
      case 'idle':
      case 'head':
        return this.#takeHead(buffer, start, end)
      case 'body':
        return this.#takeBody(buffer, start, end)
      case 'drop':
        return this.#takeDropped(buffer, start, end)
      default:
        // Lingering: silence is measured from here.
        this.#deadline.touch()
        return end
    }
  }

  #takeHead(buffer: Buffer, start: number, end: number): number {
    const wasIdle = this.#phase === 'idle'
    const from = this.#heads.skipEmptyLines(buffer, start, end)
    if (from === end) return end
    const at = from === -1 ? end : this.#heads.read(buffer, from, end)
    if (wasIdle) this.#host.connectionBusy(this)
    if (from !== -1 && this.#heads.state === 'incomplete') {
      if (wasIdle) {
        this.#phase = 'head'
        this.#deadline.arm(this.#host.headTimeoutMs)
      }
      return at
    }
    this.#deadline.disarm()
    const head = from === -1 ? LEADING_JUNK : this.#parseHead()
    this.#heads.reset()
    if (isRefused(head)) {
      this.#refuse(head)
      return end
    }
    return this.#open(head, buffer, at, end)
  }

  #parseHead(): RequestHead | RefusedHead {
    const { state, text } = this.#heads
    if (state === 'whole') return parseRequestHead(text, 0)
    const line = readRequestLine(text)
    if (state === 'bare-line-feed') return { failure: 'bad_field', ...line }
    return { failure: line.hasRequestLine ? 'head_too_large' : 'target_too_long', ...line }
  }

  /** Starts the exchange of a head, with the part of its body that came along. Returns where that part ends. */
  #open(head: RequestHead, buffer: Buffer, start: number, end: number): number {
    this.#method = head.method
    this.#wantsClose = head.wantsClose
    this.#body.start(head.framing, head.contentLength)
    let at = start
    let runEnd = start
    let before = ''
    if (!this.#body.isDone && start < end) {
      at = this.#body.follow(buffer, start, end)
      if (this.#body.isFailed) {
        this.#refuse({ failure: 'bad_chunk', hasRequestLine: true, method: head.method, target: head.target })
        return end
      }
      runEnd = this.#body.runEnd
      before = this.#body.before
    }
    this.#awaitsContinue = head.expectsContinue && at === start && !this.#body.isDone
    this.#phase = this.#body.isDone ? 'wait' : 'body'
    this.#wantsBulk = !this.#body.isDone && end - start >= BULK_THRESHOLD
    const exchange = this.#host.events.open(this, head)
    this.#exchange = exchange
    if (this.#hasLeft) this.#host.events.clientLeft(exchange)
    this.#host.events.serve(exchange, before, buffer, start, runEnd)
    return at
  }

  #refuse(head: RefusedHead): void {
    this.#method = head.method
    this.#wantsClose = true
    this.#body.start('none', 0)
    this.#phase = 'wait'
    this.#exchange = this.#host.events.open(this, head)
    this.#host.events.serve(this.#exchange, '', NO_BYTES, 0, 0)
  }

  #takeBody(buffer: Buffer, start: number, end: number): number {
    const exchange = this.#exchange!
    this.#awaitsContinue = false
    const at = this.#body.follow(buffer, start, end)
    if (this.#body.isFailed) {
      this.#phase = 'wait'
      this.#wantsClose = true
      this.#host.events.requestFailed(exchange, 'bad_chunk')
      return end
    }
    const isDone = this.#body.isDone
    if (isDone) this.#phase = 'wait'
    this.#wantsBulk = !isDone && end - start >= BULK_THRESHOLD
    if (!this.#host.events.requestBytes(exchange, this.#body.before, buffer, start, this.#body.runEnd)) {
      if (!isDone) this.#isHeld = true
      if (buffer === this.#bulk) this.#isBulkLent = true
    }
    if (isDone && this.#exchange === exchange) this.#host.events.requestEnd(exchange)
    return at
  }

  #takeDropped(buffer: Buffer, start: number, end: number): number {
    this.#deadline.touch()
    const at = this.#body.follow(buffer, start, end)
    if (this.#body.isFailed) this.#close()
    else if (this.#body.isDone) this.#becomeIdle()
    return at
  }

  // ---- the client's end

  #ended(): void {
    if (this.#hasLeft || this.#phase === 'closed') return
    this.#hasLeft = true
    switch (this.#phase) {
      case 'body':
      case 'wait':
        this.#host.events.clientLeft(this.#exchange!)
        break
      case 'head':
        // No answer, but a record if there was a request line.
        this.#refuse({ failure: 'client_abort', ...readRequestLine(this.#heads.text) })
        this.#close()
        break
      case 'linger':
        this.#closeWhenFlushed()
        break
      default:
        this.#close()
    }
  }

  #gone(): void {
    if (this.#phase === 'closed') return
    const exchange = this.#exchange
    this.#hasLeft = true
    this.#close()
    if (exchange !== undefined) this.#host.events.clientLeft(exchange)
  }

  #expired(): void {
    switch (this.#phase) {
      case 'head':
        this.#refuse({ failure: 'head_timeout', ...readRequestLine(this.#heads.text) })
        break
      case 'idle':
      case 'drop':
      case 'linger':
        this.#close()
    }
  }

  // ---- Downstream: what the path of the request asks for

  get isRequestComplete(): boolean {
    return this.#phase !== 'body'
  }

  get isGone(): boolean {
    return this.#phase === 'closed'
  }

  get isDraining(): boolean {
    return this.#host.isDraining
  }

  armExchangeDeadline(ms: number): void {
    this.#exchangeDeadline ??= new Deadline(() => {
      if (this.#exchange !== undefined) this.#host.events.exchangeExpired(this.#exchange)
    })
    this.#exchangeDeadline.arm(ms)
  }

  armBodyDeadline(ms: number): void {
    this.#bodyDeadline ??= new Deadline(() => {
      if (this.#exchange !== undefined) this.#host.events.requestFailed(this.#exchange, 'body_timeout')
    })
    this.#bodyDeadline.arm(ms)
  }

  touchBodyDeadline(): void {
    this.#bodyDeadline?.touch()
  }

  disarmBodyDeadline(): void {
    this.#bodyDeadline?.disarm()
  }

  get awaitsContinue(): boolean {
    return this.#awaitsContinue
  }

  pauseRequest(): void {
    if (this.#phase !== 'body' || this.#isHeld) return
    this.#isHeld = true
    if (!this.#isPumping) this.#socket.pause()
  }

  resumeRequest(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    if (this.#isPumping) return
    if (this.#ahead.length > 0) this.#pump(NO_BYTES, 0)
    this.#resumeReading()
  }

  keepsAfterRefusal(): boolean {
    if (this.#wantsClose || this.#hasLeft) return false
    if (this.#phase !== 'body') return true
    const remaining = this.#body.remaining
    return remaining !== undefined && remaining <= DROP_BYTES && !this.#awaitsContinue
  }

  get wantsClose(): boolean {
    return this.#wantsClose
  }

  sendInterim(head: ResponseHead): void {
    sendTextAndBytes(this.#socket, encodeResponseHead(head, false), NO_BYTES, 0, 0)
  }

  sendHead(head: ResponseHead, addClose: boolean, before: string, buffer: Buffer, start: number, end: number): boolean {
    return sendTextAndBytes(this.#socket, encodeResponseHead(head, addClose) + before, buffer, start, end)
  }

  sendBytes(before: string, buffer: Buffer, start: number, end: number): boolean {
    if (before !== '') sendTextAndBytes(this.#socket, before, NO_BYTES, 0, 0)
    return send(this.#socket, buffer, start, end)
  }

  sendAnswer(answer: OwnAnswer, addClose: boolean): void {
    sendTextAndBytes(this.#socket, encodeOwnAnswer(answer, this.#method === 'HEAD', addClose), NO_BYTES, 0, 0)
  }

  whenFlushed(callback: () => void): void {
    const socket = this.#socket
    if (socket.destroyed || !socket.writable || socket.writableLength === 0) callback()
    else socket.write(NO_BYTES, () => callback())
  }

  finish(keep: boolean): void {
    this.#endExchange()
    if (this.#phase === 'closed') return
    if (!keep || this.#hasLeft) this.#linger()
    else if (this.#phase === 'body') {
      this.#phase = 'drop'
      this.#deadline.arm(LINGER_SILENCE_MS)
    } else this.#becomeIdle()
    if (!this.#isPumping) {
      if (this.#ahead.length > 0) this.#pump(NO_BYTES, 0)
      this.#resumeReading()
    }
  }

  cut(reset: boolean): void {
    this.#endExchange()
    if (this.#phase === 'closed') return
    const socket = this.#socket
    if (reset) socket.resetAndDestroy()
    this.#close()
  }

  // ---- ends

  #endExchange(): void {
    this.#exchange = undefined
    this.#isHeld = false
    this.#bodyDeadline?.disarm()
    this.#exchangeDeadline?.disarm()
  }

  #becomeIdle(): void {
    if (this.#host.isDraining) {
      this.#close()
      return
    }
    this.#phase = 'idle'
    this.#deadline.arm(this.#host.keepAliveTimeoutMs)
    if (this.#ahead.length === 0) this.#host.connectionIdle(this)
  }

  /** Says FIN and drops what still comes, so that a client that is busy sending gets to read its answer (RFC 9112 section 9.6). */
  #linger(): void {
    this.#phase = 'linger'
    this.#host.connectionClosing(this)
    this.#ahead = []
    this.#aheadBytes = 0
    this.#socket.end()
    this.#deadline.arm(LINGER_SILENCE_MS)
    this.#lingerEnd = new Deadline(() => this.#close())
    this.#lingerEnd.arm(LINGER_MS)
    if (this.#hasLeft) this.#closeWhenFlushed()
  }

  /** The client's FIN is in already: nothing more to drop, only our last bytes to deliver. */
  #closeWhenFlushed(): void {
    if (this.#socket.writableFinished) this.#close()
    else this.#socket.once('finish', () => this.#close())
  }

  /** Closes at once. For the listener: idle connections at the limit and at a stop, all of them when the time for a stop is up. */
  close(): void {
    if (this.#exchange !== undefined) this.#host.events.requestFailed(this.#exchange, 'shutdown')
    this.#close()
  }

  #close(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#deadline.close()
    this.#lingerEnd?.close()
    this.#bodyDeadline?.close()
    this.#exchangeDeadline?.close()
    this.#ahead = []
    this.#aheadBytes = 0
    this.#host.connectionClosed(this)
    this.#socket.destroy()
  }
}
