import type { Socket } from 'node:net'
import { isOfTls } from '../cause.ts'
import type { FailureCode } from '../failure.ts'
import type { RepeatedHead, ResponseHead } from '../http/message.ts'
import type { OwnedConnection } from '../http/owned-connection.ts'
import { LEAVING_MS, MAX_INTERIM_RESPONSES, type UpstreamConnection } from '../http/upstream-connection.ts'
import { Deadline } from '../runtime/deadline.ts'
import { Outlet } from '../runtime/outlet.ts'
import { ReadBuffer } from '../runtime/read-buffers.ts'
import { onWriteFailed, type Reader, resetSocket } from '../runtime/sockets.ts'
import { BodyFollower } from './body-follower.ts'
import type { ConnectionHome } from './connection-home.ts'
import { HeadReader } from './head-reader.ts'
import { couldBecomeResponse, parseResponseHead } from './parse-response.ts'
import { RepeatedResponses } from './repeated-responses.ts'
import { switchesToWebSocket } from './upgrade.ts'

/** Of how many connections that may be: each holds memory that nobody waits for. */
const MAX_LEAVING = 64
let leaving = 0

/** How long an upstream may say nothing of an answer that is still read once writing has failed. */
const LAST_WORDS_MS = 1_000

/**
 * An upstream's HTTP/1.1 connection, one exchange at a time.
 *
 *     idle ──begin──▶ head ──final head──▶ body ──end of message──▶ done ──release──▶ idle
 *                                                              └─letGo, release with bytes of the request waiting──▶ leaving
 *     leaving ──all sent──▶ closed     idle ──any byte, FIN──▶ closed     any ──failure, release(false)──▶ closed
 *     head ──101 to an offer of WebSocket──▶ tunnel ──letGo──▶ closed
 */
type Phase = 'idle' | 'head' | 'body' | 'tunnel' | 'done' | 'leaving' | 'closed'

export class ClientConnection<E> implements UpstreamConnection<E>, Reader {
  readonly isHttp2 = false
  readonly address: string
  readonly endpoint: string

  readonly #home: ConnectionHome<E>
  #socket!: Socket
  #outlet!: Outlet
  #phase: Phase = 'idle'
  #exchange: E | undefined = undefined
  #exchanges = 0
  #method = ''
  #head: ResponseHead | undefined = undefined
  readonly #heads = new HeadReader()
  readonly #repeats = new RepeatedResponses()
  #mayRepeat = false
  #mayUpgrade = false
  readonly #body = new BodyFollower()
  #interims = 0
  /** Bytes have come that belong to no response: whatever follows could be taken for an answer to somebody else. */
  #hasSurplus = false
  #owner: OwnedConnection<E> | undefined = undefined
  #ownerKey = ''
  #isHeld = false
  /** The upstream takes no more of the request. */
  isWriteBroken = false
  /** The system's code for that. */
  #writeCode: string | undefined = undefined
  /** Bytes have come since the wait for its last words began. */
  #hasSpoken = false
  /** Ends the wait for an upstream's last words, or for its taking the last of ours. */
  #lastWait: NodeJS.Timeout | undefined = undefined
  readonly #reads = new ReadBuffer()
  readonly deadline: Deadline

  constructor(home: ConnectionHome<E>, endpoint: string, address: string) {
    this.#home = home
    this.endpoint = endpoint
    this.address = address
    this.deadline = new Deadline(
      () => {
        if (this.#exchange !== undefined) home.events.upstreamExpired(this.#exchange)
      },
      () => (this.#exchange === undefined ? 0 : home.events.bytesRelayed(this.#exchange)),
    )
  }

  /** The socket is connected (and its TLS handshake done) and reads into this connection. */
  attach(socket: Socket): void {
    this.#socket = socket
    this.#outlet = new Outlet(socket, () => {
      if (this.#exchange !== undefined) this.#home.events.upstreamDrained(this.#exchange)
    })
    socket.on('end', () => this.#ended())
    onWriteFailed(socket, (code) => this.#writeFailed(code))
    socket.on('error', (error: NodeJS.ErrnoException) => this.#lost(error.code))
    socket.on('close', () => {
      this.#reads.close()
      this.#lost()
    })
  }

  get isUsable(): boolean {
    return this.#phase === 'idle' && this.#socket.writable
  }

  begin(exchange: E, readsHead: boolean, mayUpgrade: boolean): void {
    this.#mayRepeat = !readsHead
    this.#mayUpgrade = mayUpgrade
    this.#exchange = exchange
    this.#exchanges++
    this.#phase = 'head'
    this.#interims = 0
    this.#head = undefined
  }

  // ---- reading

  onBytes(buffer: Buffer, length: number): boolean {
    this.#reads.reset()
    this.#hasSpoken = true
    try {
      this.#take(buffer, length)
    } catch (error) {
      const exchange = this.#exchange
      this.#close()
      this.#home.events.bug(exchange, error)
    }
    return !this.#isHeld
  }

  #take(buffer: Buffer, length: number): void {
    switch (this.#phase) {
      case 'head':
        this.#takeHead(buffer, 0, length)
        break
      case 'body':
      case 'tunnel':
        this.#takeBody(buffer, 0, length)
        break
      case 'done':
        this.#hasSurplus = true
        break
      case 'idle':
        this.#close()
    }
  }

  nextReadBuffer(): Buffer {
    return this.#reads.next()
  }

  #takeHead(buffer: Buffer, start: number, end: number): void {
    let at = start
    while (at < end && this.#phase === 'head') {
      const repeated = this.#mayRepeat && !this.#heads.hasBegun ? this.#repeats.read(buffer, at, end, this.#method) : -1
      if (repeated !== -1) {
        this.#takeFinalHead(this.#repeats.head, buffer, repeated, end)
        this.#repeats.forget()
        return
      }
      at = this.#heads.read(buffer, at, end)
      const { state, text } = this.#heads
      if (state === 'incomplete') {
        if (!couldBecomeResponse(this.#heads.beginning)) this.#fail('upstream_protocol', 'version')
        return
      }
      // One that broke is read up to where it did.
      const head = state === 'too-large' ? 'head_too_large' : parseResponseHead(text, this.#method)
      this.#heads.reset()
      if (typeof head !== 'string' && head.status === 101 && this.#mayUpgrade && switchesToWebSocket(head)) {
        this.#enterTunnel(head, buffer, at, end)
        return
      }
      if (typeof head === 'string' || head.status === 101) {
        this.#fail('upstream_protocol', typeof head === 'string' ? head : 'upgrade')
        return
      }
      if (head.status >= 200) {
        this.#repeats.learn(head, this.#method)
        this.#takeFinalHead(head, buffer, at, end)
        return
      }
      if (++this.#interims > MAX_INTERIM_RESPONSES) {
        this.#fail('upstream_protocol', 'interim')
        return
      }
      // Those of one read go on together.
      if (!this.#home.events.interim(this.#exchange!, head)) this.#isHeld = true
    }
  }

  /** The first piece of the body is followed before the head goes on: what breaks already there is still a clean 502. */
  #takeFinalHead(head: ResponseHead, buffer: Buffer, start: number, end: number): void {
    this.#head = head
    const at = this.#body.begin(head.framing, head.contentLength, buffer, start, end)
    const { isDone, before, runEnd, content } = this.#body
    if (isDone && at < end) this.#hasSurplus = true
    // Two framings and bytes behind the one that counts: the upstream meant the other.
    if (this.#body.isFailed || (head.hasBothFramings && this.#hasSurplus)) {
      this.#fail('upstream_protocol', this.#body.cause ?? 'surplus')
      return
    }
    this.#phase = isDone ? 'done' : 'body'
    if (!isDone) this.#reads.expectMore(end - start)
    if (!this.#home.events.responseHead(this.#exchange!, head, before, buffer, start, runEnd, isDone, content))
      this.#isHeld = !isDone
    this.#endAfterLastWords(isDone)
  }

  #takeBody(buffer: Buffer, start: number, end: number): void {
    const at = this.#body.follow(buffer, start, end)
    const { isDone, isFailed, before, runEnd, content } = this.#body
    if (isFailed) {
      this.#fail('upstream_protocol', this.#body.cause)
      return
    }
    if (isDone) this.#phase = 'done'
    if (isDone && at < end) this.#hasSurplus = true
    if (!isDone) this.#reads.expectMore(end - start)
    if (!this.#home.events.responseBytes(this.#exchange!, before, buffer, start, runEnd, isDone, content))
      this.#isHeld = !isDone
    this.#endAfterLastWords(isDone)
  }

  #enterTunnel(head: ResponseHead, buffer: Buffer, start: number, end: number): void {
    this.#phase = 'tunnel'
    // Its FIN ends its own way only.
    this.#socket.allowHalfOpen = true
    this.#body.start('until-close', 0)
    this.#reads.expectMore(end - start)
    if (!this.#home.events.switched(this.#exchange!, head, buffer, start, end)) this.#isHeld = true
  }

  /** An answer that came although its request could not be sent to the end: that is all there will be. */
  #endAfterLastWords(isDone: boolean): void {
    if (isDone && this.isWriteBroken && this.#exchange !== undefined) this.#fail('upstream_reset')
  }

  // ---- the upstream's end

  #ended(): void {
    if (this.#phase === 'tunnel') {
      clearTimeout(this.#lastWait)
      // Its last word, unless a write has met a reset, and taken that away from reading: then there was no FIN.
      if (this.#writeCode !== 'ECONNRESET') this.#home.events.responseEnd(this.#exchange!)
      if (this.isWriteBroken) this.#lost()
      return
    }
    if (this.#phase === 'body' && this.#body.end()) {
      const exchange = this.#exchange!
      this.#phase = 'done'
      this.#hasSurplus = true
      this.#home.events.responseEnd(exchange)
    }
    // What is left of a request that has been answered goes nowhere.
    this.#lost()
  }

  /**
   * The upstream takes no more. It may have said why before it closed, and that answer may be in the kernel still: it is read
   * for a moment before the failure counts (RFC 9112 section 9.5).
   */
  #writeFailed(code: string | undefined): void {
    this.isWriteBroken = true
    this.#writeCode = code
    if (this.#phase === 'head' || this.#phase === 'body' || this.#phase === 'tunnel') this.#waitForLastWords()
    else this.#lost()
  }

  #waitForLastWords(): void {
    this.#hasSpoken = false
    clearTimeout(this.#lastWait)
    this.#lastWait = setTimeout(() => {
      // A client that reads slowly has its own clock. That it goes on sending says nothing of the upstream.
      if (this.#isHeld || this.#hasSpoken) this.#waitForLastWords()
      else this.#lost()
    }, LAST_WORDS_MS)
  }

  /**
   * FIN or an error with this code: between exchanges nothing is lost, in the middle of one its owner decides. What TLS itself
   * tells is a failure of TLS: in TLS 1.3 a server refuses our certificate only after the handshake, and has read no request.
   */
  #lost(code: string = this.#writeCode ?? 'closed'): void {
    switch (this.#phase) {
      case 'closed':
        return
      case 'idle':
        this.#close()
        return
      case 'head':
        if (isOfTls(code)) this.#fail('tls', code)
        else this.#fail(this.isReused && !this.#hasAnyByte ? 'reused_conn_lost' : 'upstream_reset', code)
        return
      default:
        this.#fail(isOfTls(code) ? 'tls' : 'upstream_truncated', code)
    }
  }

  get #hasAnyByte(): boolean {
    return this.#head !== undefined || this.#interims > 0 || this.#heads.hasBegun
  }

  #fail(failure: FailureCode, cause?: string): void {
    const exchange = this.#exchange
    const anyByte = this.#hasAnyByte
    this.#close()
    if (exchange !== undefined) this.#home.events.upstreamFailed(exchange, failure, anyByte, cause)
  }

  // ---- UpstreamConnection: what the path of the request asks for

  get isReused(): boolean {
    return this.#exchanges > 1
  }

  sendHead(head: string, method: string, before: string, buffer: Buffer, start: number, end: number): boolean {
    this.#method = method
    return this.#outlet.sendTextAndBytes(head + before, buffer, start, end)
  }

  sendRepeatedHead(head: RepeatedHead, method: string, bodyLength: number): boolean {
    this.#method = method
    return this.#outlet.sendPieces(head, bodyLength)
  }

  sendBytes(before: string, buffer: Buffer, start: number, end: number): boolean {
    return this.#outlet.sendRun(before, buffer, start, end)
  }

  sendEnd(done: () => void): void {
    this.#socket.end(done)
  }

  resumeResponse(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    if (this.isWriteBroken) this.#waitForLastWords()
    this.#socket.resume()
  }

  belongTo(owner: OwnedConnection<E>, key: string): void {
    this.#owner = owner
    this.#ownerKey = key
  }

  release(reusable: boolean): void {
    const head = this.#head
    this.#exchange = undefined
    this.deadline.disarm()
    if (this.#phase === 'closed') return
    if (this.#phase === 'tunnel') resetSocket(this.#socket)
    if (this.#phase === 'idle') {
      if (!reusable) this.#close()
      else if (this.#owner === undefined) this.#home.putBack()
      else this.#keepForOwner(this.#owner)
      return
    }
    const isClean =
      this.#phase === 'done' && head !== undefined && !head.endsConnection && !this.#hasSurplus && !this.#isHeld
    if (!reusable || !isClean || !this.#socket.writable) {
      this.#close()
      return
    }
    // The answer came before the kernel had taken the request: the next one would stand behind that.
    if (!this.#outlet.isFlushed) {
      this.letGo()
      return
    }
    this.#phase = 'idle'
    this.#head = undefined
    if (this.#owner === undefined) this.#home.keep(head.keepAliveSeconds)
    else this.#keepForOwner(this.#owner)
  }

  #keepForOwner(owner: OwnedConnection<E>): void {
    if (this.#home.keepsForOwner()) owner.put(this, this.#ownerKey)
    else this.#close()
  }

  letGo(): void {
    this.#exchange = undefined
    this.deadline.disarm()
    if (this.#phase === 'closed') return
    // The last bytes of a tunnel and its FIN: an outlet that has been ended tells nothing of them, and only a reset that they are lost.
    const isEnding = this.#phase === 'tunnel' && !this.isWriteBroken && !this.#socket.writableFinished
    const giveUp = (): void => {
      if (isEnding) resetSocket(this.#socket)
      this.#close()
    }
    if ((this.#outlet.isFlushed && !isEnding) || leaving >= MAX_LEAVING) {
      giveUp()
      return
    }
    this.#phase = 'leaving'
    leaving++
    clearTimeout(this.#lastWait)
    this.#lastWait = setTimeout(giveUp, LEAVING_MS).unref()
    if (isEnding) this.#socket.once('finish', () => this.#close())
    else this.#outlet.whenFlushed(() => this.#close())
  }

  /** Closes at once; for whoever keeps it while it is idle. */
  close(): void {
    this.#close()
  }

  #close(): void {
    if (this.#phase === 'closed') return
    if (this.#phase === 'leaving') leaving--
    this.#phase = 'closed'
    this.#exchange = undefined
    clearTimeout(this.#lastWait)
    this.deadline.close()
    this.#home.closed()
    this.#socket.destroy()
  }
}
