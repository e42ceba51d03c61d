import type { Cause } from '../cause.ts'
import type { FailureCode } from '../failure.ts'
import type { Deadline } from '../runtime/deadline.ts'
import type { RequestHead, ResponseHead } from './message.ts'
import type { OwnedConnection } from './owned-connection.ts'

/**
 * The client's side of an exchange, whatever protocol carries it. The path of a request talks to this interface and never
 * asks which protocol it is.
 */
export interface Downstream<E = unknown> {
  readonly response: ResponseSink
  /** Whom the connection speaks for: `peerIp`, unless a PROXY header said otherwise; undefined for the other end of a Unix socket. */
  readonly clientIp: string | undefined
  /** Its requests come over HTTP/2. */
  readonly isHttp2: boolean
  /** The connection's other end. */
  readonly peerIp: string | undefined
  /** Undefined: it came where plain HTTP is spoken. */
  readonly tls: ClientTls | undefined
  /** The client asked for the connection to close after this exchange. */
  readonly wantsClose: boolean
  /** Lines of trailers that have come behind a length, which only HTTP/2 can say; of a request that is whole. */
  readonly countedTrailers?: string
  /** It waits for a 100 before it sends its body. */
  readonly awaitsContinue: boolean
  /** The whole request has been read. */
  readonly isRequestComplete: boolean
  /** Nothing that is sent reaches the client any more. */
  readonly isGone: boolean
  /** Taken in past the connection limit: it is told so, and closed. */
  readonly isOverLimit: boolean
  /** The gateway is shutting down: what still goes out says that the connection closes. */
  readonly isDraining: boolean
  /** Of the whole exchange, if one is configured. The connection disarms both when the exchange is over. */
  readonly exchangeDeadline: Deadline
  /** Of a client's silence in the middle of its request body. */
  readonly bodyDeadline: Deadline
  /** The upstream connection that this client has logged in. */
  readonly owned: OwnedConnection<E>
  /** Back-pressure towards the client: stop and go on reading the request body. */
  pauseRequest(): void
  resumeRequest(): void
  /** Whether the connection could be kept if the request were refused now. */
  keepsAfterRefusal(): boolean
  /** A 101 has been sent. What the client sends from now on, and has sent behind its request, comes by `requestBytes` up to `requestEnd`. */
  openTunnel(): void
  /** The exchange is over and its response whole. `nowMs`: on the monotonic clock, if that has just been read. */
  finish(keep: boolean, nowMs?: number): void
  /** The exchange is over and its response is not whole: the client must see that. */
  cut(reset: boolean): void
}

/** Of a client that came where TLS is spoken. */
export interface ClientTls {
  /** It speaks plain HTTP: it is told so, and closed. */
  readonly isMissing: boolean
  /** Of the certificate that it has shown, where one is asked for (RFC 4514). */
  readonly subject: string | undefined
}

/** Where a response goes. */
export interface ResponseSink {
  /** Like all that relays, returns false when no more may be sent until `clientDrained`. */
  sendInterim(head: ResponseHead): boolean
  /** Sends the final head and the first bytes of its body in one write. */
  sendHead(head: ResponseHead, addClose: boolean, before: string, buffer: Buffer, start: number, end: number): boolean
  sendBytes(before: string, buffer: Buffer, start: number, end: number): boolean
  /** The response is whole; over HTTP/1 its framing has said so. `trailers`: see `countedTrailers`. */
  responseEnded?(trailers: string): void
  /** Sends an answer of the gateway's own. */
  sendAnswer(answer: OwnAnswer, addClose: boolean): void
  /** Of a tunnel: nothing more comes from the upstream. `done` is called when all has left and the end of it too; not if that fails. */
  sendEnd(done: () => void): void
  /** Bytes that wait to be taken: while they become fewer, the client reads. */
  readonly unsentBytes: number
  /** Calls back when everything that was sent is on its way (in the kernel) or lost; at once if it is already. */
  whenFlushed(callback: () => void): void
}

/** What the client's side tells the path of a request. `E` is the exchange. */
export interface DownstreamEvents<E> {
  /** A head has arrived (or the reason to refuse it); `serve` follows. `headBeganMs`: monotonic, if it took more than one read. */
  open(downstream: Downstream<E>, head: RequestHead | RefusedHead, headBeganMs: number | undefined): E
  /** The first body bytes come along: valid during the call only. `content`: how many of them are content, not framing. */
  serve(exchange: E, before: string, buffer: Buffer, start: number, end: number, content: number): void
  /** Further body bytes, valid during the call. False: reading pauses until `resumeRequest`. */
  requestBytes(exchange: E, before: string, buffer: Buffer, start: number, end: number, content: number): boolean
  requestEnd(exchange: E): void
  /** The request broke off or broke the rules. */
  requestFailed(exchange: E, failure: FailureCode, cause?: string): void
  /** The connection is closed from our side, now; the exchange is over when this returns. */
  shutDown(exchange: E): void
  /** The client has said FIN, or has gone. It may come twice: first FIN, then gone. Of a tunnel: it has gone. */
  clientLeft(exchange: E): void
  clientDrained(exchange: E): void
  exchangeExpired(exchange: E): void
  /** Our code threw: `exchange` is what was at work, if any. */
  bug(exchange: E | undefined, downstream: Downstream<E> | undefined, error: unknown): void
}

/** Why a head was refused, with as much of its request line as could be read. */
export interface RefusedHead {
  readonly failure: FailureCode
  /** Without a whole request line there is nothing to record, but for TLS. */
  readonly hasRequestLine: boolean
  readonly method: string
  readonly target: string
  /** Which rule it broke, where its failure leaves that open. */
  readonly cause?: Cause | undefined
}

export function isRefused(head: object): head is RefusedHead {
  return 'failure' in head
}

/** An answer of the gateway's own. */
export interface OwnAnswer {
  readonly status: number
  readonly reason: string
  /** Name and value pairs, without Content-Length and Connection. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** ASCII. */
  readonly content: string
}
