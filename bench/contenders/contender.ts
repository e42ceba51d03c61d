import type { FolderServer } from './server.ts'

export const CLIENT_KEY = 'bench-client-key-0123456789'
export const PROVIDER_KEY = 'sk-bench-provider-0123456789'
export const PREFIX = '/openai'
const PATH = '/v1/chat/completions'

/** Each contender is configured for as many client connections at least. */
export const MAX_CONNECTIONS = 12_000

export interface Posts {
  readonly connections: number
  /** Requests per second, over all of them. */
  readonly rate: number
}

/** How much of each load it gets. All rates are well below what any of them can do on one core: see README.md. */
export interface Load {
  readonly post: Posts
  readonly upload: Posts
  /** Each request over a connection of its own, `connections` of them at most at a time. */
  readonly fresh: Posts
  /** What one worker gets where two are compared with one. */
  readonly worker: Posts
  readonly tlsPost: Posts
  readonly tlsUpload: Posts
  /** Clients speak TLS; or HTTP/2, with `STREAMS` requests at once on each connection. */
  readonly tlsClientPost: Posts
  readonly http2Post: Posts
  readonly stream: number
  readonly tlsStream: number
  readonly idle: number
  readonly streams: number
}

/** What a gateway has to be set up for. */
export interface Situation {
  readonly originPort: number
  /** The origin speaks TLS, with a certificate of the CA of `test/support/certificates.ts`. */
  readonly isTls?: boolean
  /** What clients speak, if not HTTP/1.1 in the clear. HTTP/2 is in the clear, too, by prior knowledge. */
  readonly clients?: 'tls' | 'http2'
  /** One, if nothing is said. */
  readonly workers?: number
}

/** What a client has to know of it. */
export interface Door {
  readonly path: string
  /** Field lines of every request. */
  headers(originPort: number): readonly string[]
}

export interface Contender extends Door {
  readonly name: string
  readonly version: string
  readonly load: Load
  /** Where in its folder it writes its access log, if it has one. */
  readonly log: string | undefined
  /** Whether it tells clients by their keys. */
  readonly checksKey: boolean
  /** A socket in its folder whose `/metrics` is asked for each second. */
  readonly scraped?: string
  /** Throws `NotAvailable` where it cannot do that at all. */
  start(situation: Situation): Promise<FolderServer>
}

export const FULL_LOAD: Load = {
  post: { connections: 64, rate: 16_000 },
  upload: { connections: 16, rate: 1_600 },
  fresh: { connections: 64, rate: 3_000 },
  worker: { connections: 64, rate: 6_000 },
  tlsPost: { connections: 64, rate: 8_000 },
  tlsUpload: { connections: 16, rate: 320 },
  tlsClientPost: { connections: 64, rate: 8_000 },
  http2Post: { connections: 8, rate: 8_000 },
  stream: 200,
  tlsStream: 100,
  idle: 10_000,
  streams: 1000,
}
export const LIGHT_LOAD: Load = {
  post: { connections: 8, rate: 500 },
  upload: { connections: 2, rate: 40 },
  fresh: { connections: 8, rate: 300 },
  worker: { connections: 8, rate: 200 },
  tlsPost: { connections: 8, rate: 300 },
  tlsUpload: { connections: 2, rate: 40 },
  tlsClientPost: { connections: 8, rate: 300 },
  http2Post: { connections: 2, rate: 300 },
  stream: 20,
  tlsStream: 10,
  idle: 1000,
  streams: 100,
}

/** It is no fault of a contender, and is said so. */
export class NotAvailable extends Error {}

/** A gateway that is called under a prefix, with a key of its own. */
export const prefixed: Door = {
  path: PREFIX + PATH,
  headers: () => [`Authorization: Bearer ${CLIENT_KEY}`],
}

/** The origin itself. */
export const direct: Door = { path: PATH, headers: () => [`Authorization: Bearer ${PROVIDER_KEY}`] }
