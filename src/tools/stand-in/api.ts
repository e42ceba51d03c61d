/**
 * What the stand-in's three APIs share: a request comes in whole, an answer goes out as a value. The APIs themselves
 * never see a socket; `stand-in.ts` reads for them and `send.ts` writes for them.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Model } from './models.ts'
import type { Refusal } from './refusal.ts'

export interface ApiRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A piece of a streamed answer. The sender waits one token delay before each one that carries a token. */
export interface Frame {
  readonly text: string
  readonly isToken: boolean
}

export interface JsonAnswer {
  readonly kind: 'json'
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
  /** How long a model would have taken to write this; matters to the slow one only. */
  readonly tokens: number
  readonly model: Model | undefined
}

export interface StreamAnswer {
  readonly kind: 'stream'
  readonly contentType: string
  readonly frames: Iterable<Frame>
  readonly tokens: number
  readonly model: Model
}

/** Sound or an image, as the files that they are. */
export interface BinaryAnswer {
  readonly kind: 'binary'
  readonly contentType: string
  readonly body: Buffer
  readonly tokens: number
  readonly model: Model
}

export type Answer = JsonAnswer | StreamAnswer | BinaryAnswer

export interface Api {
  answer(request: ApiRequest): Answer | Refusal
  refuse(refusal: Refusal, requestId: string): JsonAnswer
  /** Fields of every answer of this API. */
  headers(requestId: string): Record<string, string>
}

export function json(body: object, tokens = 0, model?: Model): JsonAnswer {
  return { kind: 'json', status: 200, headers: {}, body, tokens, model }
}

/** Time stamp of everything that the stand-in makes. Fixed, so that the same request has the same answer, byte for byte. */
export const CREATED = Date.UTC(2026, 0, 1) / 1000
