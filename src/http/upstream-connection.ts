import type { FailureCode } from '../failure.ts'
import type { Deadline } from '../runtime/deadline.ts'
import type { ResponseHead } from './message.ts'

/** One exchange's hold on an upstream, whatever protocol carries it. */
export interface UpstreamConnection {
  /** It has carried an exchange before: its peer may have dropped it without our knowing. */
  readonly isReused: boolean
  /** It takes no more of the request, though its answer may still come. */
  readonly isWriteBroken: boolean
  /** Sends the request head with the first bytes of its body in one write. False: hold back until `upstreamDrained`. */
  sendHead(head: string, method: string, before: string, buffer: Buffer, start: number, end: number): boolean
  sendBytes(before: string, buffer: Buffer, start: number, end: number): boolean
  resumeResponse(): void
  /** Of what the upstream owes: an answer, then progress. `release` disarms it. */
  readonly deadline: Deadline
  /** The exchange is over: back to the pool if `reusable` and if its own state allows, else closed. */
  release(reusable: boolean): void
}

/** What the upstream's side tells the path of a request. `E` is the exchange. */
export interface UpstreamEvents<E> {
  interim(exchange: E, head: ResponseHead): void
  /** The final head with the first bytes of its body; `isComplete`: the message ends with them. False: hold back until `resumeResponse`. */
  responseHead(
    exchange: E,
    head: ResponseHead,
    before: string,
    buffer: Buffer,
    start: number,
    end: number,
    isComplete: boolean,
  ): boolean
  responseBytes(exchange: E, before: string, buffer: Buffer, start: number, end: number, isComplete: boolean): boolean
  /** An until-close body has ended with its connection. */
  responseEnd(exchange: E): void
  /** The connection failed; `anyByte`: a byte of a response had come. */
  upstreamFailed(exchange: E, failure: FailureCode, anyByte: boolean): void
  upstreamDrained(exchange: E): void
  upstreamExpired(exchange: E): void
  /** Body bytes so far: an exchange in which they grow is not silent. */
  bytesRelayed(exchange: E): number
  /** Our code threw. */
  bug(exchange: E | undefined, error: unknown): void
}
