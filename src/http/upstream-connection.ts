import type { FailureCode } from '../failure.ts'
import type { Deadline } from '../runtime/deadline.ts'
import type { RepeatedHead, ResponseHead } from './message.ts'
import type { OwnedConnection } from './owned-connection.ts'

/** More interim responses than this before the final one are an attack (or a bug) of the upstream. */
export const MAX_INTERIM_RESPONSES = 32
/** How long the rest of an answered request may take to leave. */
export const LEAVING_MS = 30_000

/** One exchange's hold on an upstream, whatever protocol carries it. `E` is the exchange. */
export interface UpstreamConnection<E> {
  /** Where it leads: see `Upstream.endpoint`. */
  readonly endpoint: string
  /** The address that it is connected to, as the log shows it: see `Address.text`. */
  readonly address: string
  /** It waits for an exchange, as far as is known. */
  readonly isUsable: boolean
  /** It has carried an exchange before: its peer may have dropped it without our knowing. */
  readonly isReused: boolean
  /** It speaks HTTP/2. A request may then be handed back unread, whatever its method. */
  readonly isHttp2: boolean
  /** It takes no more of the request, though its answer may still come. */
  readonly isWriteBroken: boolean
  /**
   * Takes it for this exchange, until `release`. `readsHead`: more of the response's head than what every exchange does.
   * `mayUpgrade`: the request offers WebSocket, and a 101 is an answer to it; else it is none that anybody has asked for.
   * `isFromHttp2`: the request came so.
   */
  begin(exchange: E, readsHead: boolean, mayUpgrade: boolean, isFromHttp2: boolean): void
  /** Sends the request head with the first bytes of its body in one write. False: hold back until `upstreamDrained`. */
  sendHead(head: string, method: string, before: string, buffer: Buffer, start: number, end: number): boolean
  /** The same for a head that repeats another one; the first bytes of its body stand behind it. */
  sendRepeatedHead(head: RepeatedHead, method: string, bodyLength: number): boolean
  sendBytes(before: string, buffer: Buffer, start: number, end: number): boolean
  /**
   * The request is whole; over HTTP/1 its framing has said so. `trailers`: their lines, where they stand behind a length, which only
   * HTTP/2 can say.
   */
  requestEnded?(trailers: string): void
  /** The same of the response, once it is whole. */
  readonly countedTrailers?: string
  resumeResponse(): void
  /** Of a tunnel: nothing more comes from the client. `done` is called when all has left and the end of it too, or can no more. */
  sendEnd(done: () => void): void
  /** Of what the upstream owes: an answer, then progress. `release` disarms it. */
  readonly deadline: Deadline
  /**
   * The exchange is over: back to the pool if `reusable` and if its own state allows (request gone for good, response whole),
   * else closed. A tunnel that is released has broken, and its upstream sees that.
   */
  release(reusable: boolean): void
  /** The exchange is over, but who knows what the upstream has read of its request: what is left of it still goes out, and no other. */
  letGo(): void
  /** From its next release on it belongs to this owner and this name alone, and never sees the pool again. */
  belongTo(owner: OwnedConnection<E>, key: string): void
  close(): void
}

/** What the upstream's side tells the path of a request. `E` is the exchange. */
export interface UpstreamEvents<E> {
  /** Like all that relays, returns false to hold back until `resumeResponse`. */
  interim(exchange: E, head: ResponseHead): boolean
  /** The final head with the first bytes of its body. `isComplete`: the message ends with them; `content`: see `DownstreamEvents`. */
  responseHead(
    exchange: E,
    head: ResponseHead,
    before: string,
    buffer: Buffer,
    start: number,
    end: number,
    isComplete: boolean,
    content: number,
  ): boolean
  responseBytes(
    exchange: E,
    before: string,
    buffer: Buffer,
    start: number,
    end: number,
    isComplete: boolean,
    content: number,
  ): boolean
  /** A 101 to an offer of WebSocket, with the first bytes behind it. Bytes go on by `responseBytes`, up to `responseEnd`. */
  switched(exchange: E, head: ResponseHead, buffer: Buffer, start: number, end: number): boolean
  /** An until-close body has ended with its connection, or the upstream's way of a tunnel with its FIN. */
  responseEnd(exchange: E): void
  /** The connection failed; `anyByte`: a byte of a response had come. `cause`: see `Exchange.cause`. */
  upstreamFailed(exchange: E, failure: FailureCode, anyByte: boolean, cause?: string): void
  upstreamDrained(exchange: E): void
  upstreamExpired(exchange: E): void
  /** Bytes relayed so far, framing and all: an exchange in which they grow is not silent. */
  bytesRelayed(exchange: E): number
  /** Our code threw. */
  bug(exchange: E | undefined, error: unknown): void
}
