/** What the thread that accepts and one that serves say to each other. */
import type { MessagePort } from 'node:worker_threads'
import type { Settings } from '../config/settings.ts'
import type { LedgerWay } from '../ledger/ledger.ts'
import type { PageMemory } from '../metrics/series.ts'
import type { LogSettings } from '../observe/log.ts'
import type { PassageAddress } from '../runtime/handle-passing.ts'
import type { ServingMemory } from '../serving.ts'

/** All that a worker begins with. */
export interface WorkerStart {
  /** From 1 on. */
  readonly worker: number
  /** `createTally`. */
  readonly tally: SharedArrayBuffer
  readonly settings: Settings
  /** Of these settings. */
  readonly generation: number
  /** One 32-bit number: the generation that is in force, for every worker. */
  readonly current: SharedArrayBuffer
  readonly memory: ServingMemory
  /** `GAUGES`. */
  readonly gauges: SharedArrayBuffer
  /** For its lines on the way to the log. */
  readonly lines: SharedArrayBuffer
  /** Of the log that they go to. */
  readonly logSettings: LogSettings
  /** Where connections come from. */
  readonly passage: PassageAddress
  /** Where new settings come from. A port of their own: it is read in the middle of other work. */
  readonly settingsPort: MessagePort
}

export interface NewSettings {
  readonly settings: Settings
  readonly generation: number
}

export type ToWorker =
  /** The gateway is about to stop, and goes on accepting for a while: clients are told to go. */
  | { readonly type: 'ask-to-leave' }
  /** No new connections will come: end when those that are there have left. */
  | { readonly type: 'retire' }
  /** The gateway stops: the same, and what is idle goes at once. */
  | { readonly type: 'drain' }
  /** End now; every exchange leaves its record. */
  | { readonly type: 'cut' }
  /** Somebody wants to read metrics. */
  | { readonly type: 'refresh-metrics'; readonly number: number }
  /** Where rows of the ledger go. */
  | { readonly type: 'ledger'; readonly way: LedgerWay }
  /** Of names that the configuration has not had for long. */
  | { readonly type: 'forget-metrics'; readonly label: 'upstream' | 'api_key'; readonly values: readonly string[] }

/** That it is up is said by its joining the passage. */
export type FromWorker =
  /** It cannot get connections here. */
  | { readonly type: 'unavailable'; readonly reason: string }
  /** There are lines to be fetched. */
  | { readonly type: 'lines' }
  /** One line that is longer than the room for lines. */
  | { readonly type: 'line'; readonly line: string }
  /** A bug: it takes nothing new, lets its exchanges run for a moment, and ends. */
  | { readonly type: 'broken'; readonly reason: string; readonly stack: string | undefined }
  /** Where it counts from now on. */
  | { readonly type: 'page'; readonly memory: PageMemory }
  /** The answer to `refresh-metrics` of this number. */
  | { readonly type: 'refreshed'; readonly number: number }
  /** What is idle has been closed. */
  | { readonly type: 'draining' }
  /** Nothing is left, and every line is out: it may be taken away. */
  | { readonly type: 'ended' }

/** Kinds of messages that go with connections, or are about room for them; each has one answer with its number. */
export const OFFERS = {
  /** A connection that has a place. */
  tcp: 1,
  unix: 2,
  /** One past the limit, to be told so. */
  tcpOverLimit: 3,
  unixOverLimit: 4,
  /** Close one that gives way, if there is one. */
  makeRoom: 5,
} as const

export const ANSWERS = {
  taken: 1,
  /** The process had no descriptor for it. */
  lost: 2,
  /** One was closed. */
  roomMade: 3,
  /** There was none to close. */
  noRoom: 4,
} as const
