/** Asks SQLite: whole hours from their sums, what is left at both ends from the rows. */
import { existsSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { bucketOf, HOUR_MS, millisOfBucket } from '../../ledger/stores/hour-sums.ts'
import { type Line, lineOf } from './answer.ts'
import { DIMENSIONS, type Dimension, type Question } from './question.ts'

type Values = (string | number)[]

const KEYS = `COALESCE(api_key, '') AS api_key, COALESCE(model, '') AS model, COALESCE(upstream, '') AS upstream,
  COALESCE(status, 0) AS status, COALESCE(outcome, '') AS outcome, COALESCE(usage, '') AS usage`
const SUM_NAMES = ['input_tokens', 'cached_tokens', 'cache_write_tokens', 'output_tokens', 'reasoning_tokens'] as const

const HOURS = `SELECT hour AS at, api_key, model, upstream, status, outcome, usage, requests,
  ${SUM_NAMES.join(', ')}, cost_nano_usd, unpriced_requests AS unpriced FROM fluxgate_hours WHERE hour >= ? AND hour < ?`
const ROWS = `SELECT time AS at, ${KEYS}, 1 AS requests,
  ${SUM_NAMES.map((name) => `COALESCE(${name}, 0) AS ${name}`).join(', ')}, CAST(ROUND(COALESCE(cost_usd, 0) * 1e9) AS INTEGER) AS cost_nano_usd,
  cost_usd IS NULL AND COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0) > 0 AS unpriced
  FROM fluxgate_records WHERE time >= ? AND time < ?`
const TTFT_HOURS = `SELECT hour AS at, api_key, model, upstream, status, outcome, usage, bucket, buckets.requests
  FROM fluxgate_hours JOIN fluxgate_hours_ttft AS buckets ON hours_id = id WHERE hour >= ? AND hour < ?`
const TTFT_ROWS = `SELECT time AS at, ${KEYS}, fluxgate_bucket(ttft_ms) AS bucket, 1 AS requests
  FROM fluxgate_records WHERE time >= ? AND time < ? AND ttft_ms IS NOT NULL`

/** TOTAL: counts come from outside, and a SUM of integers that is too large is an error, for all that was asked. */
const SUMS = `TOTAL(requests) AS requests, TOTAL(CASE WHEN outcome <> 'complete' OR status >= 400 THEN requests END) AS errors,
  ${SUM_NAMES.map((name) => `TOTAL(${name}) AS ${name}`).join(', ')}, TOTAL(cost_nano_usd) AS cost_nano_usd, TOTAL(unpriced) AS unpriced,
  TOTAL(CASE WHEN usage IN ('partial', 'estimated') THEN requests END) AS estimated,
  TOTAL(CASE WHEN usage = 'unknown' THEN requests END) AS unknown_usage`

/** Throws where there is no such file, or it is no ledger. */
export function askSqlite(path: string, question: Question): readonly Line[] {
  if (!existsSync(path)) throw new Error('there is no such file; the gateway makes it with its first row')
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
  try {
    db.function('fluxgate_bucket', { deterministic: true }, (ms) => bucketOf(Number(ms)))
    // Both from the same moment, though the gateway writes on.
    db.exec('BEGIN')
    const lines = select(db, question, [HOURS, ROWS], SUMS)
    const percentiles = percentilesOf(
      select(db, question, [TTFT_HOURS, TTFT_ROWS], 'SUM(requests) AS requests', ', bucket'),
      question,
    )
    return lines.map((line) => lineOf(line, question.by.length, percentiles.get(nameOf(line, question))))
  } finally {
    db.close()
  }
}

function select(
  db: DatabaseSync,
  { by, where, sinceMs, untilMs }: Question,
  [hours, rows]: readonly [string, string],
  sums: string,
  more = '',
): readonly Record<string, unknown>[] {
  const values: Values = []
  const parts = partsOf(sinceMs, untilMs).map(({ areHours, from, to }) => {
    values.push(from, to)
    return areHours ? hours : rows
  })
  const conditions = where.map(({ dimension, pattern }) => {
    values.push(globOf(pattern))
    return `CAST(${expressionOf(dimension)} AS TEXT) GLOB ?`
  })
  const columns = by.map((dimension, index) => `${expressionOf(dimension)} AS v${index}, `).join('')
  const groups = [...by.map((_, index) => `v${index}`), ...(more === '' ? [] : ['bucket'])]
  const sql = `SELECT ${columns}${sums}${more} FROM (${parts.join(' UNION ALL ')})
    ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`} ${groups.length === 0 ? '' : `GROUP BY ${groups.join(', ')}`}`
  return db.prepare(sql).all(...values)
}

interface Part {
  readonly areHours: boolean
  readonly from: number
  readonly to: number
}

export function partsOf(sinceMs: number, untilMs: number): readonly Part[] {
  const first = Math.ceil(sinceMs / HOUR_MS) * HOUR_MS
  const last = Math.floor(untilMs / HOUR_MS) * HOUR_MS
  if (first >= last) return [{ areHours: false, from: sinceMs, to: untilMs }]
  return [
    { areHours: false, from: sinceMs, to: first },
    { areHours: true, from: first, to: last },
    { areHours: false, from: last, to: untilMs },
  ].filter(({ from, to }) => from < to)
}

function expressionOf(dimension: Dimension): string {
  if (dimension === 'day') return "strftime('%Y-%m-%d', at / 1000, 'unixepoch')"
  if (dimension === 'hour') return "strftime('%Y-%m-%dT%H:00Z', at / 1000, 'unixepoch')"
  if (dimension === 'status') return "CASE status WHEN 0 THEN '' ELSE status END"
  return DIMENSIONS[dimension]
}

/** What only GLOB knows means itself. */
function globOf(pattern: string): string {
  return pattern.replace(/[[?]/g, '[$&]')
}

function nameOf(line: Record<string, unknown>, { by }: Question): string {
  return JSON.stringify(by.map((_, index) => String(line[`v${index}`] ?? '')))
}

function percentilesOf(
  lines: readonly Record<string, unknown>[],
  question: Question,
): ReadonlyMap<string, readonly [number, number]> {
  const counts = new Map<string, [bucket: number, requests: number][]>()
  for (const line of lines) {
    if (line.bucket === null) continue
    const name = nameOf(line, question)
    const buckets = counts.get(name) ?? []
    buckets.push([Number(line.bucket), Number(line.requests)])
    counts.set(name, buckets)
  }
  return new Map([...counts].map(([name, buckets]) => [name, [percentile(buckets, 0.5), percentile(buckets, 0.95)]]))
}

function percentile(buckets: [number, number][], share: number): number {
  buckets.sort(([a], [b]) => a - b)
  const total = buckets.reduce((sum, [, requests]) => sum + requests, 0)
  let seen = 0
  for (const [bucket, requests] of buckets) {
    seen += requests
    if (seen >= total * share) return millisOfBucket(bucket)
  }
  return 0
}
