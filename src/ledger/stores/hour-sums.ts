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

/** What was added to one line of `fluxgate_hours`. */
interface Sum {
  readonly key: Key
  /** In the order of `SUMS`. */
  readonly sums: number[]
  /** Requests by the bucket of their time to first token. */
  readonly buckets: Map<number, number>
}

/** In memory for the time of a transaction: of 500 rows that are like each other, one line is written. */
export class HourSums {
  readonly #addSums: StatementSync
  readonly #addBucket: StatementSync
  readonly #pruneBuckets: StatementSync
  readonly #pruneSums: StatementSync
  readonly #added = new Map<string, Sum>()

  constructor(db: DatabaseSync) {
    this.#addSums = db.prepare(`${upsert('fluxgate_hours', SUM_KEYS, SUMS)} RETURNING id`)
    this.#addBucket = db.prepare(upsert('fluxgate_hours_ttft', ['hours_id', 'bucket'], ['requests']))
    const oldest = 'hour < ? AND hour = (SELECT MIN(hour) FROM fluxgate_hours)'
    this.#pruneBuckets = db.prepare(
      `DELETE FROM fluxgate_hours_ttft WHERE hours_id IN (SELECT id FROM fluxgate_hours WHERE ${oldest})`,
    )
    this.#pruneSums = db.prepare(`DELETE FROM fluxgate_hours WHERE ${oldest}`)
  }

  /** Forgets what a transaction that failed has left. */
  begin(): void {
    this.#added.clear()
  }

  add(row: Row): void {
    const { sums, buckets } = this.#sumOf(row)
    const input = number(row, AT.input_tokens)
    const output = number(row, AT.output_tokens)
    const cost = row[AT.cost_usd]
    sums[0]! += 1
    sums[1]! += input
    sums[2]! += number(row, AT.cached_tokens)
    sums[3]! += number(row, AT.cache_write_tokens)
    sums[4]! += output
    sums[5]! += number(row, AT.reasoning_tokens)
    if (cost !== undefined) sums[6]! += Math.round(Number(cost) * 1e9)
    // It has used something, and nobody knows what that costs.
    else if (input + output > 0) sums[7]! += 1
    const ttft = row[AT.ttft_ms]
    if (ttft === undefined) return
    const bucket = bucketOf(Number(ttft))
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1)
  }

  #sumOf(row: Row): Sum {
    const time = row[AT.time] as number
    const hour = time - (((time % HOUR_MS) + HOUR_MS) % HOUR_MS)
    const apiKey = row[AT.api_key] ?? ''
    const model = row[AT.model] ?? ''
    const upstream = row[AT.upstream] ?? ''
    const status = row[AT.status] ?? 0
    const outcome = row[AT.outcome] ?? ''
    const usage = row[AT.usage] ?? ''
    // With the length of the one that comes from outside, no two are the same.
    const name = `${hour} ${status} ${outcome} ${usage} ${String(model).length} ${model} ${String(apiKey).length} ${apiKey} ${upstream}`
    const known = this.#added.get(name)
    if (known !== undefined) return known
    const key = [hour, apiKey, model, upstream, status, outcome, usage]
    const sum = { key, sums: SUMS.map(() => 0), buckets: new Map<number, number>() }
    this.#added.set(name, sum)
    return sum
  }

  write(): void {
    for (const { key, sums, buckets } of this.#added.values()) {
      const id = this.#addSums.get(...key, ...sums)!.id as number
      for (const [bucket, requests] of buckets) this.#addBucket.run(id, bucket, requests)
    }
    this.begin()
  }

  /** An hour goes when all of it is older; one at a time, as a year of them takes seconds. False: there are no more. */
  prune(beforeMs: number): boolean {
    this.#pruneBuckets.run(beforeMs - HOUR_MS)
    return this.#pruneSums.run(beforeMs - HOUR_MS).changes !== 0
  }
}

function number(row: Row, at: number): number {
  return Number(row[at] ?? 0)
}

function upsert(table: string, keys: readonly string[], sums: readonly string[]): string {
  const columns = [...keys, ...sums]
  const added = sums.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
    ON CONFLICT (${keys.join(', ')}) DO UPDATE SET ${added}`
}
