import type { Cause } from '../cause.ts'
import type { FailureCode } from '../failure.ts'
import type { RepeatedHead, ResponseHead } from '../http/message.ts'
import type { OwnedConnection } from '../http/owned-connection.ts'
import {
  LEAVING_MS,
  MAX_INTERIM_RESPONSES,
  type UpstreamConnection,
  type UpstreamEvents,
} from '../http/upstream-connection.ts'
import { parseResponseHead } from '../http1/parse-response.ts'
import { Deadline } from '../runtime/deadline.ts'
import { NO_BYTES } from '../runtime/outlet.ts'
import { ContentSender } from './content-sender.ts'
import { ERROR, type ErrorCode } from './frames.ts'
import type { FieldList } from './hpack-decoder.ts'
import { requestBlock } from './request-block.ts'
import { responseText } from './response-text.ts'
import type { Session } from './session.ts'
import { type ContentTaker, StreamReceiver } from './stream-receiver.ts'
import { type SenderOwner, StreamSender } from './stream-sender.ts'
import { trailerLines } from './trailer-lines.ts'

/** The upstream's connection, as far as its streams go. */
export interface UpstreamHost<E> {
  readonly events: UpstreamEvents<E>
  readonly session: Session
  readonly endpoint: string
  readonly address: string
  /** What `:scheme` says. */
  readonly scheme: string
  readonly isUsable: boolean
  /** It has carried another exchange before. */
  readonly isReused: boolean
  /** The stream sends its head now. Returns its number. */
  streamBegins(stream: ClientStream<E>): number
  streamOver(stream: ClientStream<E>): void
}

/** One exchange on an upstream's connection, on a stream of its own. */
export class ClientStream<E> implements UpstreamConnection<E>, ContentTaker, SenderOwner {
  readonly isHttp2 = true
  readonly deadline: Deadline
  readonly receiver: StreamReceiver
  /** Undefined until its head is sent. */
  sender: StreamSender | undefined = undefined
  /** It has a place among those that the upstream takes at once. */
  isOver = false
  readonly isReused: boolean
  readonly #host: UpstreamHost<E>
  #exchange: E | undefined = undefined
  #method = ''
  #isFromHttp2 = false
  hasHead = false
  #interims = 0
  #content: ContentSender | undefined = undefined
  #lastWait: NodeJS.Timeout | undefined = undefined

  constructor(host: UpstreamHost<E>) {
    this.#host = host
    this.isReused = host.isReused
    this.receiver = new StreamReceiver(this)
    this.deadline = new Deadline(
      () => {
        if (this.#exchange !== undefined) host.events.upstreamExpired(this.#exchange)
      },
      () => (this.#exchange === undefined ? 0 : host.events.bytesRelayed(this.#exchange)),
    )
  }

  get endpoint(): string {
    return this.#host.endpoint
  }

  get address(): string {
    return this.#host.address
  }

  get isUsable(): boolean {
    return !this.isOver && this.#host.isUsable
  }

  get isWriteBroken(): boolean {
    return this.isOver
  }

  begin(exchange: E, _readsHead: boolean, _mayUpgrade: boolean, isFromHttp2: boolean): void {
    this.#exchange = exchange
    this.#isFromHttp2 = isFromHttp2
  }

  // ---- the request

  sendHead(head: string, method: string, before: string, buffer: Buffer, start: number, end: number): boolean {
    this.#method = method
    const { session, scheme } = this.#host
    const { block, length } = requestBlock(head, scheme, this.#isFromHttp2)
    const id = this.#host.streamBegins(this)
    this.sender = new StreamSender(session, id, session.peer.initialWindow, this)
    // Streams begin in the order of their numbers.
    this.sender.headersAtOnce(block, length === 0)
    // What has come over HTTP/2 has been counted there, and ends when its stream does: trailers may stand behind a length.
    this.#content = new ContentSender(this.sender, this.#isFromHttp2 && length !== 'chunked' ? undefined : length)
    return this.sendBytes(before, buffer, start, end)
  }

  sendRepeatedHead(head: RepeatedHead, method: string, bodyLength: number): boolean {
    const bytes = Buffer.allocUnsafe(head.length + bodyLength)
    head.copyTo(bytes, bodyLength)
    return this.sendHead(bytes.toString('latin1', 0, head.length), method, '', bytes, head.length, bytes.length)
  }

  sendBytes(before: string, buffer: Buffer, start: number, end: number): boolean {
    const sender = this.sender!
    if (this.isOver) return true
    this.#content?.send(before, buffer, start, end)
    return sender.mayGoOn()
  }

  requestEnded(trailers: string): void {
    if (!this.isOver) this.#content?.end(trailers)
  }

  get countedTrailers(): string {
    return this.receiver.countedTrailers
  }

  /** For its sender: all that waited has gone. */
  drained(): void {
    if (this.#exchange !== undefined) this.#host.events.upstreamDrained(this.#exchange)
    else if (this.sender?.isEnded === true) this.#over()
  }

  // ---- the response

  /** A header block has come. */
  headers(list: FieldList, endsStream: boolean): void {
    if (this.#exchange === undefined) return
    if (this.hasHead) this.#trailers(list, endsStream)
    else this.#head(list, endsStream)
  }

  #head(list: FieldList, endsStream: boolean): void {
    const { events } = this.#host
    const exchange = this.#exchange!
    const text = list.isTooLarge ? { cause: 'head_too_large' as const } : responseText(list, this.#method, endsStream)
    const parsed = typeof text === 'string' ? parseResponseHead(text, this.#method) : text.cause
    if (typeof parsed === 'string') {
      this.broken(parsed)
      return
    }
    if (parsed.status < 200) {
      if (++this.#interims > MAX_INTERIM_RESPONSES) this.broken('interim')
      else if (!events.interim(exchange, { ...parsed, isHttp2: true })) this.receiver.hold()
      return
    }
    this.hasHead = true
    const head: ResponseHead = { ...parsed, isHttp2: true }
    this.receiver.start(head.framing === 'chunked' ? undefined : head.contentLength, endsStream)
    const isComplete = head.framing === 'none'
    const mayGoOn = events.responseHead(exchange, head, '', NO_BYTES, 0, 0, isComplete, 0)
    if (!mayGoOn && !isComplete) this.receiver.hold()
  }

  #trailers(list: FieldList, endsStream: boolean): void {
    const lines = endsStream ? trailerLines(list) : undefined
    if (lines === undefined || !this.receiver.end(lines)) this.broken('trailer')
  }

  take(before: string, buffer: Buffer, start: number, end: number, content: number, isDone: boolean): boolean {
    const exchange = this.#exchange
    if (exchange === undefined) return true
    const mayGoOn = this.#host.events.responseBytes(exchange, before, buffer, start, end, isDone, content)
    // What is left of its request goes nowhere.
    if (isDone && this.isOver) {
      this.#over()
      this.#fail('upstream_reset', undefined)
    }
    return mayGoOn
  }

  giveBack(bytes: number): void {
    const { window } = this.receiver
    const { session } = this.#host
    let given = window.release(bytes)
    if (this.receiver.isEnded || this.isOver) return
    if (given > 0 && window.isNarrow) given += window.widenBy(session)
    if (given > 0) session.giveBack(this.sender!.id, given)
  }

  resumeResponse(): void {
    this.receiver.resume()
  }

  /** The upstream has broken the rules of this stream. */
  broken(cause: Cause): void {
    this.#reset(ERROR.protocol)
    this.#fail('upstream_protocol', cause)
  }

  /**
   * All of the answer has come, and waits for its client. That the stream or its connection ends now takes nothing away from it: an
   * upstream that does not want the rest of a request says so, and one that leaves closes when it has sent its last byte.
   */
  get #isAnswered(): boolean {
    return this.#exchange !== undefined && this.hasHead && this.receiver.isEnded && !this.receiver.isDone
  }

  /** The upstream has reset it. */
  resetByUpstream(code: ErrorCode): void {
    if (this.#isAnswered) {
      this.#leave()
      return
    }
    const isRefused = code === ERROR.refusedStream
    this.#over()
    if (isRefused) this.#fail('stream_refused', 'refused_stream')
    else this.#fail(this.hasHead ? 'upstream_truncated' : 'upstream_reset', 'stream_reset')
  }

  /** The upstream has said that it has not looked at it. */
  handedBack(): void {
    this.#over()
    this.#fail('stream_refused', 'goaway')
  }

  /** The connection has ended. */
  lost(failure: FailureCode | undefined, cause: string | undefined): void {
    if (this.#isAnswered) {
      this.#leave()
      return
    }
    this.#over()
    const hasAny = this.hasHead || this.#interims > 0
    if (failure !== undefined) this.#fail(failure, cause)
    else if (this.hasHead) this.#fail('upstream_truncated', cause)
    else this.#fail(this.isReused && !hasAny ? 'reused_conn_lost' : 'upstream_reset', cause)
  }

  #fail(failure: FailureCode, cause: string | undefined): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    if (exchange !== undefined) {
      this.#host.events.upstreamFailed(exchange, failure, this.hasHead || this.#interims > 0, cause)
    }
  }

  bug(error: unknown): void {
    const exchange = this.#exchange
    this.#reset(ERROR.internal)
    this.#exchange = undefined
    this.#host.events.bug(exchange, error)
  }

  // ---- the end of the exchange

  /** `reusable` says nothing here: a stream is never used again, and its connection goes on anyway. */
  release(): void {
    this.#end()
  }

  /** What the upstream does not know to be over is reset: nobody reads it, and nobody pays for it. */
  #end(): void {
    this.#exchange = undefined
    if (this.isOver || this.sender === undefined || (this.sender.isEnded && this.receiver.isEnded)) this.#over()
    else this.#reset(ERROR.cancel)
  }

  letGo(): void {
    const { sender } = this
    if (sender === undefined || sender.isEnded || this.isOver) {
      this.#end()
      return
    }
    this.#exchange = undefined
    this.deadline.disarm()
    if (sender.mayGoOn()) {
      this.#end()
      return
    }
    this.#lastWait = setTimeout(() => this.#end(), LEAVING_MS).unref()
  }

  /** No tunnel comes to be over HTTP/2. */
  sendEnd(done: () => void): void {
    done()
  }

  /** HTTP/2 knows no login of a connection. */
  belongTo(_owner: OwnedConnection<E>, _key: string): void {}

  close(): void {
    this.#end()
  }

  #reset(code: ErrorCode): void {
    if (this.isOver) return
    if (this.sender !== undefined) this.#host.session.resetStream(this.sender.id, code)
    this.#over()
  }

  #over(): void {
    clearTimeout(this.#lastWait)
    this.deadline.close()
    this.receiver.close()
    this.#leave()
  }

  /** Its connection knows it no more. */
  #leave(): void {
    if (this.isOver) return
    this.isOver = true
    this.receiver.giveUpWindow(this.#host.session)
    if (this.sender !== undefined) {
      this.sender.close()
      this.#host.session.forget(this.sender)
    }
    this.#host.streamOver(this)
  }
}
