/** Asks PostgreSQL and ClickHouse, which add up rows faster than anybody would wait for. */
import { connectClickhouse } from '../../ledger/stores/clickhouse.ts'
import { connectPostgres } from '../../ledger/stores/postgres.ts'
import { type Line, lineOf, type SqlLine } from './answer.ts'
import { DIMENSIONS, type Dimension, type Question } from './question.ts'

/** A person waits, and may have asked for years. */
const LIMIT_MS = 120_000

/** Where the two differ. */
interface Dialect {
  readonly from: string
  readonly percentile: (share: number) => string
  readonly day: string
  readonly hour: string
  readonly text: (expression: string) => string
  /** The condition that the time is from here on, or before. */
  readonly time: (ms: number) => string
  readonly literal: (text: string) => string
}

const SUM_NAMES = ['input_tokens', 'cached_tokens', 'cache_write_tokens', 'output_tokens', 'reasoning_tokens'] as const
const IS_ERROR = "COALESCE(outcome, '') <> 'complete' OR COALESCE(status, 0) >= 400"
const IS_UNPRICED = 'cost_usd IS NULL AND COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0) > 0'

const POSTGRES: Dialect = {
  from: 'fluxgate_records',
  percentile: (share) => `percentile_cont(${share}) WITHIN GROUP (ORDER BY ttft_ms)`,
  day: "to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
  hour: `to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":00Z"')`,
  text: (expression) => `COALESCE(${expression}::text, '')`,
  time: (ms) => `timestamptz '${new Date(ms).toISOString()}'`,
  // A backslash is none of the syntax of an ordinary literal.
  literal: (text) => `'${text.replaceAll("'", "''")}'`,
}

const CLICKHOUSE: Dialect = {
  from: 'fluxgate_records FINAL',
  percentile: (share) => `quantile(${share})(ttft_ms)`,
  day: "formatDateTime(time, '%Y-%m-%d', 'UTC')",
  hour: "formatDateTime(time, '%Y-%m-%dT%H:00Z', 'UTC')",
  text: (expression) => `COALESCE(toString(${expression}), '')`,
  time: (ms) => `fromUnixTimestamp64Milli(${Math.trunc(ms)}, 'UTC')`,
  literal: (text) => `'${text.replace(/[\\']/g, '\\$&')}'`,
}

function sqlOf({ by, where, sinceMs, untilMs }: Question, dialect: Dialect): string {
  const count = (condition: string): string => `SUM(CASE WHEN ${condition} THEN 1 ELSE 0 END)`
  const textOf = (dimension: Dimension): string =>
    dialect.text(dimension === 'day' || dimension === 'hour' ? dialect[dimension] : DIMENSIONS[dimension])
  const like = (pattern: string): string => dialect.literal(pattern.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%'))
  const conditions = [
    `time >= ${dialect.time(sinceMs)}`,
    `time < ${dialect.time(untilMs)}`,
    ...where.map(({ dimension, pattern }) => `${textOf(dimension)} LIKE ${like(pattern)}`),
  ]
  const groups = by.map((_, index) => `v${index}`).join(', ')
  return `SELECT ${by.map((dimension, index) => `${textOf(dimension)} AS v${index}, `).join('')}
    COUNT(*) AS requests, ${count(IS_ERROR)} AS errors, ${SUM_NAMES.map((name) => `SUM(r.${name}) AS ${name}`).join(', ')},
    CAST(ROUND(COALESCE(SUM(cost_usd), 0) * 1000000000) AS ${dialect === POSTGRES ? 'numeric' : 'Int64'}) AS cost_nano_usd,
    ${count(IS_UNPRICED.replaceAll(/\b(?:in|out)put_tokens/g, 'r.$&'))} AS unpriced, ${count("usage IN ('partial', 'estimated')")} AS estimated,
    ${count("usage = 'unknown'")} AS unknown_usage, ${dialect.percentile(0.5)} AS p50, ${dialect.percentile(0.95)} AS p95
    FROM ${dialect.from.replace('fluxgate_records', 'fluxgate_records AS r')} WHERE ${conditions.join(' AND ')}${groups === '' ? '' : ` GROUP BY ${groups}`}`
}

export async function askPostgres(url: string, question: Question): Promise<readonly Line[]> {
  const sql = await connectPostgres(url, LIMIT_MS)
  try {
    const rows = await sql.unsafe<SqlLine[]>(sqlOf(question, POSTGRES))
    return [...rows].map((row) => lineOf(row, question.by.length))
  } finally {
    await sql.end({ timeout: 1 })
  }
}

export async function askClickhouse(url: string, question: Question): Promise<readonly Line[]> {
  const text = await connectClickhouse(url, LIMIT_MS).run(`${sqlOf(question, CLICKHOUSE)} FORMAT JSONEachRow`)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => lineOf(JSON.parse(line) as SqlLine, question.by.length))
}
