import type { Socket } from 'node:net'
import type { FailureCode } from '../failure.ts'
import type { ConnectionHost, HeldConnection } from '../http/connection-host.ts'
import { type ClientTls, type Downstream, isRefused, type RefusedHead } from '../http/downstream.ts'
import type { RequestHead } from '../http/message.ts'
import { OwnedConnection } from '../http/owned-connection.ts'
import { Queued } from '../http/queued.ts'
import { monotonicMs } from '../runtime/clock.ts'
import { Deadline } from '../runtime/deadline.ts'
import { NO_BYTES } from '../runtime/outlet.ts'
import { ReadBuffer } from '../runtime/read-buffers.ts'
import { type Reader, resetSocket, whenWritten } from '../runtime/sockets.ts'
import { spendTurn } from '../runtime/turn-budget.ts'
import { BodyFollower } from './body-follower.ts'
import { DROP_BYTES, DropLimits } from './drop-limits.ts'
import { ReadAhead, type Taker } from './read-ahead.ts'
import { RequestClocks } from './request-clocks.ts'
import { HTTP2_PREFACE, RequestHeadReader } from './request-head-reader.ts'
import { ResponseWriter } from './response-writer.ts'

/**
 * A client's HTTP/1.1 connection: one exchange at a time, in order.
 *
 *     idle ──bytes──▶ head ──head whole──▶ body ──body read──▶ wait ──finish──▶ idle
 *                                            └─────finish─────▶ drop ──body read──▶ idle
 *     wait ──openTunnel──▶ tunnel ──the client's end──▶ wait
 *     any ──finish(keep: false)──▶ linger ──the client's end──▶ closed        any ──cut, error──▶ closed
 */
type Phase = 'idle' | 'head' | 'body' | 'wait' | 'tunnel' | 'drop' | 'linger' | 'closed'

export class ServerConnection<E> extends Queued implements Downstream<E>, HeldConnection, Reader, Taker {
  readonly isHttp2 = false
  readonly isOverLimit: boolean
  readonly peerIp: string | undefined
  clientIp: string | undefined
  tls: ClientTls | undefined = undefined
  response!: ResponseWriter
  readonly #host: ConnectionHost<E, ServerConnection<E>>
  #socket!: Socket
  #phase: Phase = 'idle'
  #exchange: E | undefined = undefined
  readonly #heads = new RequestHeadReader()
  readonly #body = new BodyFollower()
  /** Of a head that came in more than one read. */
  #headBeganMs: number | undefined = undefined
  wantsClose = false
  awaitsContinue = false
  #hasLeft = false
  /** Reading is paused because the path of the request holds back. */
  #isHeld = false
  /** What it has sent waits for the next turn. */
  #isWaiting = false
  /** Of the head that is being read, or was read last. */
  #headBytes = 0
  /** Bytes read ahead of their turn. */
  readonly #ahead: ReadAhead
  readonly #reads = new ReadBuffer()
  /** Between exchanges: for the next head to begin, for a head to end, for a dropped body. */
  readonly #deadline: Deadline
  #clocks: RequestClocks<E> | undefined = undefined
  readonly owned = new OwnedConnection<E>()
  /** While what still comes is read and dropped. */
  #dropLimits: DropLimits | undefined = undefined

  constructor(host: ConnectionHost<E, ServerConnection<E>>, peerIp: string | undefined, isOverLimit: boolean) {
    super()
    this.#host = host
    this.clientIp = this.peerIp = peerIp
    this.isOverLimit = isOverLimit
    this.#ahead = new ReadAhead(this)
    this.#deadline = new Deadline(() => this.#expired())
  }

  /** Begins to work on its socket, which must already read into this connection. */
  attach(socket: Socket): void {
    this.#socket = socket
    this.response = new ResponseWriter(socket, () => {
      if (this.#exchange !== undefined) this.#host.events.clientDrained(this.#exchange)
    })
    socket.on('end', () => this.#ended())
    socket.on('error', () => this.#gone())
    socket.on('close', () => this.#gone())
    this.#becomeIdle()
  }

  // ---- reading

  onBytes(buffer: Buffer, length: number): boolean {
    this.#reads.reset()
    this.#feed(buffer, length)
    return !this.#isReadingPaused()
  }

  /** Every request begins in here, whoever has called: a bug costs the connection that met it, and nobody else. */
  #feed(buffer: Buffer, length: number): void {
    try {
      this.#ahead.feed(buffer, length)
      if (this.#phase === 'idle') this.#waitOrRest()
    } catch (error) {
      this.#ahead.abandon()
      this.#host.events.bug(this.#exchange, this, error)
      // The 500 is out: closing with bytes of the client unread would take it away again.
      if (this.#phase !== 'linger') this.#close()
    }
  }

  /** With bytes of a next request waiting for their turn it is not idle: nobody may take its place. */
  #waitOrRest(): void {
    const waits = this.#ahead.bytes > 0
    if (waits === this.#isWaiting) return
    this.#isWaiting = waits
    if (waits) this.#host.connectionBusy(this)
    else if (this.#host.isDraining) this.#close()
    else this.#becomeIdle()
  }

  nextReadBuffer(): Buffer {
    return this.#reads.next()
  }

  #isReadingPaused(): boolean {
    return this.#isHeld || this.#ahead.waitsForTurn || this.#ahead.isFull
  }

  #resumeReading(): void {
    if (!this.#isReadingPaused() && !this.#socket.destroyed) this.#socket.resume()
  }

  // ---- Taker: of what ReadAhead hands on

  takes(): boolean {
    if (this.#phase === 'body' || this.#phase === 'tunnel') return !this.#isHeld
    return this.#phase !== 'wait' && this.#phase !== 'closed'
  }

  take(buffer: Buffer, start: number, end: number): number {
    switch (this.#phase) {
      case 'idle':
      case 'head':
        return this.#takeHead(buffer, start, end)
      case 'body':
      case 'tunnel':
        return this.#takeBody(buffer, start, end)
      case 'drop':
        return this.#takeDropped(buffer, start, end)
      default:
        this.#dropLimits?.touch()
        return end
    }
  }

  #takeHead(buffer: Buffer, start: number, end: number): number {
    const wasIdle = this.#phase === 'idle'
    const at = this.#heads.read(buffer, start, end)
    this.#headBytes = wasIdle ? at - start : this.#headBytes + at - start
    const head = this.#heads.take()
    if (wasIdle && (head !== undefined || this.#heads.hasBegun)) {
      this.#isWaiting = false
      this.#host.connectionBusy(this)
    }
    if (head === undefined) {
      if (wasIdle && this.#heads.hasBegun) {
        this.#phase = 'head'
        this.#headBeganMs = monotonicMs()
        this.#deadline.arm(this.#host.headTimeoutMs)
      }
      return at
    }
    this.#deadline.disarm()
    if (!isRefused(head)) return this.#open(head, buffer, at, end)
    if (head !== HTTP2_PREFACE || this.tls?.isMissing === true) this.#refuse(head)
    else this.#handOver(buffer.subarray(at, end))
    return end
  }

  /** Starts the exchange of a head, with the part of its body that came along. Returns where that part ends. */
  #open(head: RequestHead, buffer: Buffer, start: number, end: number): number {
    this.response.begin(head.method)
    this.wantsClose = head.wantsClose
    const at = this.#body.begin(head.framing, head.contentLength, buffer, start, end)
    const { isDone, isFailed, before, runEnd, content, cause } = this.#body
    if (isFailed) {
      this.#refuse({ failure: 'bad_chunk', cause, hasRequestLine: true, method: head.method, target: head.target })
      return end
    }
    this.awaitsContinue = head.expectsContinue && at === start && !isDone
    this.#phase = isDone ? 'wait' : 'body'
    if (!isDone) this.#reads.expectMore(end - start)
    const exchange = this.#host.events.open(this, head, this.#headBeganMs)
    this.#exchange = exchange
    this.#host.events.serve(exchange, before, buffer, start, runEnd, content)
    this.#heads.learn(head)
    return at
  }

  #handOver(rest: Buffer): void {
    this.#phase = 'closed'
    this.#deadline.close()
    this.#host.speaksHttp2(this, this.#socket, Buffer.concat([this.#heads.preface, rest]))
  }

  #refuse(head: RefusedHead): void {
    this.response.begin(head.method)
    this.wantsClose = true
    this.#body.start('none', 0)
    this.#phase = 'wait'
    this.#exchange = this.#host.events.open(this, head, this.#headBeganMs)
    this.#host.events.serve(this.#exchange, '', NO_BYTES, 0, 0, 0)
  }

  #takeBody(buffer: Buffer, start: number, end: number): number {
    const exchange = this.#exchange!
    this.awaitsContinue = false
    const at = this.#body.follow(buffer, start, end)
    if (this.#body.isFailed) {
      this.#phase = 'wait'
      this.wantsClose = true
      this.#host.events.requestFailed(exchange, 'bad_chunk', this.#body.cause)
      return end
    }
    const isDone = this.#body.isDone
    if (isDone) this.#phase = 'wait'
    if (!isDone) this.#reads.expectMore(end - start)
    const { before, runEnd, content } = this.#body
    const mayGoOn = this.#host.events.requestBytes(exchange, before, buffer, start, runEnd, content)
    // Unless the exchange has ended meanwhile: what comes next is nobody's to hold back.
    if (!mayGoOn && !isDone && this.#exchange === exchange) this.#isHeld = true
    if (isDone && this.#exchange === exchange) this.#host.events.requestEnd(exchange)
    return at
  }

  #takeDropped(buffer: Buffer, start: number, end: number): number {
    this.#dropLimits?.touch()
    const at = this.#body.follow(buffer, start, end)
    if (this.#body.isFailed) this.#close()
    else if (this.#body.isDone) this.#becomeIdle()
    return at
  }

  // ---- the client's end

  #ended(): void {
    if (this.#hasLeft || this.#phase === 'closed') return
    this.#hasLeft = true
    if (this.#phase === 'body' || this.#phase === 'wait') this.#host.events.clientLeft(this.#exchange!)
    else if (this.#phase === 'tunnel') this.#endTunnel()
    else if (this.#phase === 'linger') whenWritten(this.#socket, () => this.#close())
    else {
      this.#giveUpHead('client_abort')
      this.#close()
    }
  }

  /** Its client has ended, and all that it had sent has gone on. */
  #endTunnel(): void {
    if (this.#phase !== 'tunnel' || !this.#hasLeft || this.#ahead.bytes > 0) return
    this.#phase = 'wait'
    this.#host.events.requestEnd(this.#exchange!)
  }

  /** A head that will never be whole: it leaves a record if there was a request line. */
  #giveUpHead(failure: FailureCode): void {
    if (this.#phase === 'head') this.#refuse(this.#heads.refuse(failure))
  }

  #gone(): void {
    if (this.#phase === 'closed') return
    this.#hasLeft = true
    this.#giveUpHead('client_abort')
    const exchange = this.#exchange
    this.#close()
    if (exchange !== undefined) this.#host.events.clientLeft(exchange)
  }

  #expired(): void {
    if (this.#phase === 'idle') this.#close()
    else this.#giveUpHead('head_timeout')
  }

  // ---- Downstream: what the path of the request asks for

  get #requestClocks(): RequestClocks<E> {
    this.#clocks ??= new RequestClocks(this.#host.events, () => this.#exchange)
    return this.#clocks
  }

  get bodyDeadline(): Deadline {
    return this.#requestClocks.body
  }

  get exchangeDeadline(): Deadline {
    return this.#requestClocks.exchange
  }

  get isRequestComplete(): boolean {
    return this.#phase !== 'body'
  }

  get isGone(): boolean {
    return this.#phase === 'closed'
  }

  get isDraining(): boolean {
    return this.#host.isDraining
  }

  pauseRequest(): void {
    if (this.#phase !== 'body' || this.#isHeld) return
    this.#isHeld = true
    if (!this.#ahead.isFeeding) this.#socket.pause()
  }

  resumeRequest(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    if (!this.#ahead.isFeeding) this.goOn()
  }

  keepsAfterRefusal(): boolean {
    if (this.wantsClose || this.#hasLeft) return false
    if (this.#phase !== 'body') return true
    const remaining = this.#body.remaining
    return remaining !== undefined && remaining <= DROP_BYTES && !this.awaitsContinue
  }

  finish(keep: boolean, nowMs?: number): void {
    this.#endExchange()
    if (this.#phase === 'closed') return
    if (!keep || this.#hasLeft || this.#host.isDraining) this.#linger()
    else if (this.#phase === 'body') {
      this.#phase = 'drop'
      this.#dropLimits = new DropLimits(() => this.#close())
      // Nobody waits for it: it gives way at the limit and at a stop.
      this.#host.connectionIdle(this)
    } else this.#becomeIdle(nowMs)
    if (!this.#ahead.isFeeding) this.goOn()
    // It was over as soon as its head was read.
    else if (!spendTurn(this.#headBytes)) this.#ahead.waitForTurn()
  }

  /** With what was read ahead, and with reading. */
  goOn(): void {
    this.#feed(NO_BYTES, 0)
    this.#endTunnel()
    this.#resumeReading()
  }

  openTunnel(): void {
    this.#phase = 'tunnel'
    this.#body.start('until-close', 0)
    this.goOn()
  }

  cut(reset: boolean): void {
    this.#endExchange()
    if (this.#phase === 'closed') return
    if (reset) resetSocket(this.#socket)
    this.#close()
  }

  // ---- ends

  #endExchange(): void {
    this.#exchange = undefined
    this.#headBeganMs = undefined
    this.#isHeld = false
    this.#clocks?.disarm()
  }

  #becomeIdle(nowMs?: number): void {
    this.#phase = 'idle'
    this.#dropLimits?.stop()
    this.#dropLimits = undefined
    this.#deadline.arm(this.#host.keepAliveTimeoutMs, nowMs)
    this.#host.connectionIdle(this)
  }

  #linger(): void {
    this.#phase = 'linger'
    this.#ahead.clear()
    this.#deadline.disarm()
    this.owned.close()
    this.#host.connectionClosing(this)
    this.#dropLimits = new DropLimits(() => this.#close())
    this.#socket.end()
    if (this.#hasLeft) whenWritten(this.#socket, () => this.#close())
  }

  /** Closes at once. For the listener: idle connections at the limit and at a stop, all of them when the time for a stop is up. */
  close(): void {
    this.#giveUpHead('shutdown')
    if (this.#exchange !== undefined) this.#host.events.shutDown(this.#exchange)
    this.#close()
  }

  #close(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#deadline.close()
    this.#dropLimits?.stop()
    this.#clocks?.close()
    this.#ahead.clear()
    this.owned.close()
    this.#host.connectionClosed(this)
    this.#socket.destroy()
  }
}
