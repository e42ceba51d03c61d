/** What the rows of a batch add to the sums of their hours. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { AT, type Row } from '../row.ts'
import { SUM_KEYS } from './sqlite-schema.ts'

export const HOUR_MS = 3_600_000

const SUMS = [
  'requests',
  'input_tokens',
  'cached_tokens',
  'cache_write_tokens',
  'output_tokens',
  'reasoning_tokens',
  'cost_nano_usd',
  'unpriced_requests',
] as const

/** Steps of 2 %: a percentile is off by one at most. */
const LOG_STEP = Math.log(1.02)

export function bucketOf(ms: number): number {
  return Math.round(Math.log(Math.max(ms, 0.01)) / LOG_STEP)
}

export function millisOfBucket(bucket: number): number {
  return Math.exp(bucket * LOG_STEP)
}

type Key = readonly (string | number)[]

interface Sum {
  readonly key: Key
  readonly sums: number[]
}

export class HourSums {
  readonly #addSums: StatementSync
  readonly #addTtft: StatementSync
  readonly #pruneSums: StatementSync
  readonly #pruneTtft: StatementSync
  readonly #sums = new Map<string, Sum>()
  readonly #ttft = new Map<string, Sum>()

  constructor(db: DatabaseSync) {
    this.#addSums = db.prepare(upsert('fluxgate_hours', SUM_KEYS, SUMS))
    this.#addTtft = db.prepare(upsert('fluxgate_hours_ttft', [...SUM_KEYS, 'bucket'], ['requests']))
    this.#pruneSums = db.prepare(deleteOldest('fluxgate_hours'))
    this.#pruneTtft = db.prepare(deleteOldest('fluxgate_hours_ttft'))
  }

  /** Forgets what a transaction that failed has left. */
  begin(): void {
    this.#sums.clear()
    this.#ttft.clear()
  }

  add(row: Row): void {
    const time = row[AT.time] as number
    const key: Key = [
      time - (((time % HOUR_MS) + HOUR_MS) % HOUR_MS),
      row[AT.api_key] ?? '',
      row[AT.model] ?? '',
      row[AT.upstream] ?? '',
      row[AT.status] ?? 0,
      row[AT.outcome] ?? '',
      row[AT.usage] ?? '',
    ]
    addTo(this.#sums, key, [
      1,
      number(row, AT.input_tokens),
      number(row, AT.cached_tokens),
      number(row, AT.cache_write_tokens),
      number(row, AT.output_tokens),
      number(row, AT.reasoning_tokens),
      Math.round(number(row, AT.cost_usd) * 1e9),
      isUnpriced(row) ? 1 : 0,
    ])
    const ttft = row[AT.ttft_ms]
    if (ttft !== undefined) addTo(this.#ttft, [...key, bucketOf(Number(ttft))], [1])
  }

  write(): void {
    for (const { key, sums } of this.#sums.values()) this.#addSums.run(...key, ...sums)
    for (const { key, sums } of this.#ttft.values()) this.#addTtft.run(...key, ...sums)
    this.begin()
  }

  /** An hour goes when all of it is older; one at a time, as a year of them takes seconds. False: there are no more. */
  prune(beforeMs: number): boolean {
    const deleted = [this.#pruneSums, this.#pruneTtft].map((prune) => prune.run(beforeMs - HOUR_MS).changes)
    return deleted.some((changes) => changes !== 0)
  }
}

function deleteOldest(table: string): string {
  return `DELETE FROM ${table} WHERE hour < ? AND hour = (SELECT MIN(hour) FROM ${table})`
}

/** It has used something, and nobody knows what that costs. */
function isUnpriced(row: Row): boolean {
  return row[AT.cost_usd] === undefined && number(row, AT.input_tokens) + number(row, AT.output_tokens) > 0
}

function number(row: Row, at: number): number {
  return Number(row[at] ?? 0)
}

function addTo(into: Map<string, Sum>, key: Key, sums: number[]): void {
  const name = JSON.stringify(key)
  const known = into.get(name)
  if (known === undefined) into.set(name, { key, sums })
  else for (const [index, value] of sums.entries()) known.sums[index]! += value
}

function upsert(table: string, keys: readonly string[], sums: readonly string[]): string {
  const columns = [...keys, ...sums]
  const added = sums.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
    ON CONFLICT (${keys.join(', ')}) DO UPDATE SET ${added}`
}
