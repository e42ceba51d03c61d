/** What crosses the border of the ledger's thread. Rows go past the main thread: see queue.ts. */
import type { MessagePort } from 'node:worker_threads'
import type { LedgerSettings } from '../config/snapshot.ts'
import type { SharedCounts } from './counts.ts'

/** All that the thread takes from a snapshot. */
export interface LedgerState {
  readonly ledger: LedgerSettings | undefined
  /** The text of the file of `usage.price_table`: its version is told. */
  readonly priceTable: string | undefined
}

export type ToLedgerThread =
  | { readonly type: 'begin'; readonly counts: SharedCounts }
  | { readonly type: 'state'; readonly state: LedgerState }
  | { readonly type: 'port'; readonly port: MessagePort }
  | { readonly type: 'stop'; readonly withinMs: number }

export type LedgerEvent =
  | { readonly kind: 'ledgerOpened'; readonly fields: { place: string; prices: string } }
  | { readonly kind: 'ledgerFailing'; readonly fields: { place: string; error: string; waiting: number } }
  | { readonly kind: 'ledgerRecovered'; readonly fields: { place: string } }
  | { readonly kind: 'ledgerRefuses'; readonly fields: { place: string; error: string; rows: number } }
  | { readonly kind: 'ledgerRecreated'; readonly fields: { place: string } }
  | { readonly kind: 'spillFailing'; readonly fields: { path: string; error: string } }
  | { readonly kind: 'spillFull'; readonly fields: { path: string } }
  | { readonly kind: 'spillRecreated' | 'spillLost'; readonly fields: { path: string; lost: number } }
  | { readonly kind: 'spillTorn'; readonly fields: { path: string; bytes: number } }
  | { readonly kind: 'pricesChanged'; readonly fields: { prices: string } }

export type FromLedgerThread = { readonly type: 'event'; readonly event: LedgerEvent } | { readonly type: 'stopped' }
