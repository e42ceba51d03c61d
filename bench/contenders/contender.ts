import type { FolderServer } from './server.ts'

export const CLIENT_KEY = 'bench-client-key-0123456789'
export const PROVIDER_KEY = 'sk-bench-provider-0123456789'
export const PREFIX = '/openai'
const PATH = '/v1/chat/completions'

/** Each contender is configured for as many client connections at least. */
export const MAX_CONNECTIONS = 12_000

/** How many connections each scenario opens. */
export interface Load {
  readonly post: number
  readonly upload: number
  readonly stream: number
  readonly idle: number
  readonly streams: number
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
  start(originPort: number): Promise<FolderServer>
}

export const FULL_LOAD: Load = { post: 64, upload: 16, stream: 200, idle: 10_000, streams: 1000 }
export const LIGHT_LOAD: Load = { post: 8, upload: 2, stream: 20, idle: 1000, streams: 100 }

/** A gateway that is called under a prefix, with a key of its own. */
export const prefixed: Door = {
  path: PREFIX + PATH,
  headers: () => [`Authorization: Bearer ${CLIENT_KEY}`],
}

/** The origin itself. */
export const direct: Door = { path: PATH, headers: () => [`Authorization: Bearer ${PROVIDER_KEY}`] }
