import type { Cause } from '../cause.ts'
import type { FailureCode } from '../failure.ts'
import type {
  ClientTls,
  Downstream,
  DownstreamEvents,
  OwnAnswer,
  RefusedHead,
  ResponseSink,
} from '../http/downstream.ts'
import type { RequestHead, ResponseHead } from '../http/message.ts'
import type { OwnedConnection } from '../http/owned-connection.ts'
import { RequestClocks } from '../http1/request-clocks.ts'
import type { Deadline } from '../runtime/deadline.ts'
import { NO_BYTES } from '../runtime/outlet.ts'
import { ContentSender, contentLengthOf } from './content-sender.ts'
import { ERROR, type ErrorCode } from './frames.ts'
import { answerBlock, responseBlock } from './head-block.ts'
import type { Session } from './session.ts'
import { type ContentTaker, StreamReceiver } from './stream-receiver.ts'
import { type SenderOwner, StreamSender } from './stream-sender.ts'

/** The client's connection, as far as its streams go. */
export interface StreamHost<E> {
  readonly events: DownstreamEvents<E>
  readonly session: Session
  readonly clientIp: string | undefined
  readonly peerIp: string | undefined
  readonly tls: ClientTls | undefined
  readonly isOverLimit: boolean
  readonly isDraining: boolean
  readonly isClosed: boolean
  readonly owned: OwnedConnection<E>
  /** What a stream is reset with that breaks off. */
  readonly breakCode: ErrorCode
  /** Calls back when all that has been sent is in the kernel, or lost. */
  whenFlushed(callback: () => void): void
  /** Both ends have been said: it does not count as open any more. */
  streamEnded(): void
  /** Its exchange is over, and so is the stream. `isReset`: by us, so that frames of it may still be on their way. */
  streamOver(stream: ServerStream<E>, isReset: boolean): void
}

/** One request of a client and its responses, on a stream of its own. */
export class ServerStream<E> implements Downstream<E>, ResponseSink, ContentTaker, SenderOwner {
  readonly id: number
  readonly sender: StreamSender
  readonly receiver: StreamReceiver
  readonly isHttp2 = true
  readonly wantsClose = false
  awaitsContinue = false
  isGone = false
  exchange: E | undefined = undefined
  /** Its exchange has not begun: what comes next decides with which content. */
  #opening: RequestHead | undefined = undefined
  readonly #host: StreamHost<E>
  #isHead = false
  /** Counts among those that the client may have open. */
  #isCounted = true
  #hasSentHead = false
  /** By its client, after the end of the answer. */
  #isReset = false
  /** The stream is malformed: what it is reset with. */
  #fault: ErrorCode = ERROR.none
  #flushed: (() => void) | undefined = undefined
  #madeClocks: RequestClocks<E> | undefined = undefined
  #content: ContentSender | undefined = undefined

  constructor(host: StreamHost<E>, id: number) {
    this.#host = host
    this.id = id
    const { session } = host
    this.sender = new StreamSender(session, id, session.peer.initialWindow, this)
    this.receiver = new StreamReceiver(this)
  }

  /** Begins the exchange; but content that has come along is served with its head, in one write. `isWhole`: there is none. */
  open(head: RequestHead, isWhole: boolean): void {
    this.#isHead = head.method === 'HEAD'
    this.receiver.start(head.framing === 'chunked' ? undefined : head.contentLength, isWhole)
    if (isWhole) this.#serve(head)
    else this.#opening = head
  }

  /** Nothing has come along. */
  serveAlone(): void {
    const head = this.#opening
    if (head === undefined) return
    this.#opening = undefined
    this.awaitsContinue = head.expectsContinue
    this.#serve(head)
  }

  /** `fault`: the stream is to be reset with it, beside the answer. */
  refuse(head: RefusedHead, isWhole: boolean, fault: ErrorCode): void {
    this.#isHead = head.method === 'HEAD'
    this.#fault = fault
    this.receiver.start(0, isWhole)
    this.receiver.close()
    this.#serve(head)
  }

  #serve(head: RequestHead | RefusedHead): void {
    const { events } = this.#host
    const exchange = events.open(this, head, undefined)
    this.exchange = exchange
    events.serve(exchange, '', NO_BYTES, 0, 0, 0)
  }

  /** What went wrong came before its exchange has begun: nothing of it starts. */
  #serveRefused({ method, target }: RequestHead, failure: FailureCode, cause?: Cause): void {
    this.#opening = undefined
    this.#serve({ failure, hasRequestLine: true, method, target, cause })
  }

  #serveWith(head: RequestHead, before: string, buffer: Buffer, start: number, end: number, content: number): boolean {
    this.#opening = undefined
    const { events } = this.#host
    const exchange = events.open(this, head, undefined)
    this.exchange = exchange
    events.serve(exchange, before, buffer, start, end, content)
    return !this.receiver.isHeld
  }

  // ---- the request's body

  take(before: string, buffer: Buffer, start: number, end: number, content: number, isDone: boolean): boolean {
    const { exchange } = this
    if (this.#opening !== undefined) return this.#serveWith(this.#opening, before, buffer, start, end, content)
    if (exchange === undefined) return true
    if (content > 0 || isDone) this.awaitsContinue = false
    const { events } = this.#host
    const mayGoOn = events.requestBytes(exchange, before, buffer, start, end, content)
    if (isDone && this.exchange === exchange) events.requestEnd(exchange)
    this.#settle()
    // Unless the exchange has ended meanwhile: what comes next is nobody's to hold back.
    return mayGoOn || this.exchange !== exchange
  }

  giveBack(bytes: number): void {
    const { window } = this.receiver
    const { session } = this.#host
    let given = window.release(bytes)
    if (this.receiver.isEnded || this.isGone) return
    if (given > 0 && window.isNarrow) given += window.widenBy(session)
    if (given > 0) session.giveBack(this.id, given)
  }

  /** The client has broken the rules of this stream. */
  fail(code: ErrorCode, failure: FailureCode, cause?: Cause): void {
    this.#fault = code
    this.receiver.close()
    const { exchange } = this
    if (this.#opening !== undefined) this.#serveRefused(this.#opening, failure, cause)
    else if (exchange !== undefined) this.#host.events.requestFailed(exchange, failure, cause)
  }

  /** The client has reset it. An answer that has begun may come to its end within its grace. Returns whether it has been whole. */
  resetByClient(): boolean {
    if (this.#opening !== undefined) {
      this.#lose()
      this.#serveRefused(this.#opening, 'client_abort')
      return false
    }
    const { exchange } = this
    // All of the answer is on its way: whoever resets now has had it, or does not want it.
    if (this.sender.isEnded) this.#isReset = true
    else this.#lose()
    if (exchange === undefined || (this.#isReset && this.receiver.isDone)) return this.#isReset
    if (this.#hasSentHead && !this.#isReset) this.#host.events.clientLeft(exchange)
    else this.#host.events.requestFailed(exchange, 'client_abort')
    return this.#isReset
  }

  /** Nothing can be told of it but that it is over. */
  abandon(): void {
    this.#opening = undefined
    this.receiver.close()
    this.#reset(ERROR.internal)
  }

  /** The client is gone with its connection. */
  left(): void {
    const { exchange } = this
    this.#lose()
    if (exchange !== undefined) this.#host.events.clientLeft(exchange)
  }

  /** Nothing that is sent arrives any more. */
  #lose(): void {
    if (this.isGone) return
    this.isGone = true
    this.sender.close()
    this.receiver.close()
    this.#host.session.forget(this.sender)
    this.#tellFlushed()
  }

  // ---- Downstream

  get response(): ResponseSink {
    return this
  }

  get clientIp(): string | undefined {
    return this.#host.clientIp
  }

  get peerIp(): string | undefined {
    return this.#host.peerIp
  }

  get tls(): ClientTls | undefined {
    return this.#host.tls
  }

  get isRequestComplete(): boolean {
    return this.receiver.isDone
  }

  get countedTrailers(): string {
    return this.receiver.countedTrailers
  }

  get isOverLimit(): boolean {
    return this.#host.isOverLimit
  }

  get isDraining(): boolean {
    return this.#host.isDraining
  }

  get owned(): OwnedConnection<E> {
    return this.#host.owned
  }

  /** Made when it is asked for: most streams never need one. */
  get #clocks(): RequestClocks<E> {
    this.#madeClocks ??= new RequestClocks(this.#host.events, () => this.exchange)
    return this.#madeClocks
  }

  get bodyDeadline(): Deadline {
    return this.#clocks.body
  }

  get exchangeDeadline(): Deadline {
    return this.#clocks.exchange
  }

  pauseRequest(): void {
    this.receiver.hold()
  }

  resumeRequest(): void {
    this.receiver.resume()
  }

  /** No tunnel comes to be over HTTP/2. */
  openTunnel(): void {}
  sendEnd(done: () => void): void {
    done()
  }

  /** What is refused costs its stream alone. */
  keepsAfterRefusal(): boolean {
    return true
  }

  finish(): void {
    if (!this.#endExchange()) return
    if (this.isGone || this.#isReset) {
      this.#over(false)
      return
    }
    if (this.#fault !== ERROR.none) this.#reset(this.#fault)
    else {
      this.sender.end()
      // The answer is whole; the rest of the request is not wanted (RFC 9113 section 8.1).
      if (this.receiver.isEnded) this.#over(false)
      else this.#reset(ERROR.none)
    }
  }

  /** The answer is not whole, and never ends as if it were. */
  cut(): void {
    if (!this.#endExchange()) return
    if (this.isGone) this.#over(false)
    else this.#reset(this.#fault === ERROR.none ? this.#host.breakCode : this.#fault)
  }

  /** False: it has ended before. */
  #endExchange(): boolean {
    if (this.exchange === undefined) return false
    this.exchange = undefined
    this.#madeClocks?.close()
    this.receiver.close()
    return true
  }

  #reset(code: ErrorCode): void {
    this.#host.session.resetStream(this.id, code)
    this.#lose()
    this.#over(true)
  }

  #over(isReset: boolean): void {
    this.sender.close()
    this.receiver.giveUpWindow(this.#host.session)
    this.#host.session.forget(this.sender)
    this.#uncount()
    this.#host.streamOver(this, isReset)
  }

  #settle(): void {
    if (this.sender.isEnded && this.receiver.isEnded) this.#uncount()
  }

  #uncount(): void {
    if (!this.#isCounted) return
    this.#isCounted = false
    this.#host.streamEnded()
  }

  // ---- ResponseSink

  sendInterim(head: ResponseHead): boolean {
    if (this.isGone) return true
    this.sender.headers(responseBlock(head), false)
    return this.sender.mayGoOn()
  }

  sendHead(
    head: ResponseHead,
    _addClose: boolean,
    before: string,
    buffer: Buffer,
    start: number,
    end: number,
  ): boolean {
    this.#hasSentHead = true
    if (this.isGone) return true
    const isWhole = head.framing === 'none'
    this.sender.headers(responseBlock(head), isWhole)
    if (!isWhole) this.#content = new ContentSender(this.sender, contentLengthOf(head))
    return this.sendBytes(before, buffer, start, end)
  }

  sendBytes(before: string, buffer: Buffer, start: number, end: number): boolean {
    if (this.isGone) return true
    this.#content?.send(before, buffer, start, end)
    this.#settle()
    return this.sender.mayGoOn()
  }

  responseEnded(trailers: string): void {
    if (this.isGone) return
    this.#content?.end(trailers)
    this.#settle()
  }

  sendAnswer(answer: OwnAnswer): void {
    if (this.isGone) return
    const { content } = answer
    const hasContent = !this.#isHead && content !== ''
    // A malformed request is answered, and its stream reset (RFC 9113 section 8.1.1).
    const ends = this.#fault === ERROR.none
    this.sender.headers(answerBlock(answer), ends && !hasContent)
    if (hasContent) this.sender.content(Buffer.from(content, 'latin1'), 0, content.length)
    if (!ends) return
    this.sender.end()
    this.#settle()
  }

  get unsentBytes(): number {
    return this.sender.waitingBytes > 0 ? this.sender.waitingBytes : this.#host.session.outbox.waitingBytes
  }

  whenFlushed(callback: () => void): void {
    if (this.isGone) callback()
    else if (this.sender.waitingBytes === 0) this.#host.whenFlushed(callback)
    else {
      this.#flushed = callback
      this.sender.mayGoOn()
    }
  }

  /** For its sender: all that waited has gone. */
  drained(): void {
    this.#tellFlushed()
    if (this.exchange !== undefined) this.#host.events.clientDrained(this.exchange)
  }

  #tellFlushed(): void {
    const flushed = this.#flushed
    this.#flushed = undefined
    if (flushed !== undefined) this.#host.whenFlushed(flushed)
  }
}
