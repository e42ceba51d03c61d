/** The ledger in a team's own PostgreSQL. */
import type postgres from 'postgres'
import { COLUMN_NAMES, COLUMNS, type Row } from '../row.ts'
import type { Store } from '../store.ts'

type Sql = ReturnType<typeof postgres>

const TYPES = {
  text: 'text',
  integer: 'bigint',
  real: 'double precision',
  time: 'timestamptz',
  money: 'numeric(20,9)',
  json: 'jsonb',
} as const

const OP_MS = 10_000
const PRUNED_AT_ONCE = 5_000
/** Gateways that start at the same time make the table one after the other: `CREATE … IF NOT EXISTS` alone would collide. */
const MIGRATION_LOCK = 0x666c7578

export const POSTGRES_SCHEMA = `CREATE TABLE IF NOT EXISTS fluxgate_records (
${COLUMN_NAMES.map((name) => `  ${name} ${TYPES[COLUMNS[name]]}${isKey(name) ? ' NOT NULL' : ''}`).join(',\n')},
  PRIMARY KEY (instance, sequence)
);
CREATE INDEX IF NOT EXISTS fluxgate_records_time ON fluxgate_records (time);
CREATE INDEX IF NOT EXISTS fluxgate_records_key_time ON fluxgate_records (api_key, time);
`

function isKey(name: string): boolean {
  return name === 'instance' || name === 'sequence' || name === 'time'
}

/** One statement whatever the number of rows: each column is a list. `unnest` has them as rows again. */
const INSERT = `INSERT INTO fluxgate_records (${COLUMN_NAMES.join(', ')})
SELECT * FROM unnest(${COLUMN_NAMES.map((name, index) => `$${index + 1}::text[]::${TYPES[COLUMNS[name]]}[]`).join(', ')})
ON CONFLICT (instance, sequence) DO NOTHING`

/** @param limitMs of a statement */
export async function connectPostgres(url: string, limitMs: number = OP_MS): Promise<Sql> {
  const { default: connect } = await import('postgres')
  return connect(url, {
    max: 1,
    connect_timeout: OP_MS / 1000,
    idle_timeout: 300,
    // What it would write to stdout by itself.
    onnotice: () => {},
    // All values are texts; asking the server for its types would be one more round trip.
    fetch_types: false,
    connection: { application_name: 'fluxgate', statement_timeout: limitMs },
  })
}

export function openPostgres(url: string): Store {
  let sql: Sql | undefined
  let isMigrated = false

  /** What does not answer in time is given up with its connection, so that the next one is a new one. */
  async function within<T>(run: (sql: Sql) => Promise<T>): Promise<T> {
    const fresh = sql === undefined ? await connectPostgres(url) : undefined
    // A write and a deletion may both have found none; a client that nobody has used has no connection.
    sql ??= fresh!
    const used = sql
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Error(`no answer within ${OP_MS / 1000} s`)), OP_MS)
    try {
      return await Promise.race([run(used), late.promise])
    } catch (error) {
      if (isRefusal(error)) throw error
      if (sql === used) sql = undefined
      void used.end({ timeout: 0 }).catch(() => {})
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    write: (rows) =>
      within(async (open) => {
        if (!isMigrated) await migrate(open)
        isMigrated = true
        try {
          await open.unsafe(INSERT, columnsOf(rows), { prepare: true })
        } catch (error) {
          // Somebody has dropped the table: it is made anew with the next attempt.
          if ((error as { code?: unknown }).code === '42P01') isMigrated = false
          throw error
        }
      }),
    refuses: isRefusal,
    prune: (beforeMs) =>
      within(async (open) => {
        if (!isMigrated) return false
        const { count } = await open.unsafe(
          `DELETE FROM fluxgate_records WHERE ctid = ANY (ARRAY(SELECT ctid FROM fluxgate_records WHERE time < $1::text::timestamptz ORDER BY time LIMIT ${PRUNED_AT_ONCE}))`,
          [new Date(beforeMs).toISOString()],
        )
        return count === PRUNED_AT_ONCE
      }),
    async close() {
      await sql?.end({ timeout: 1 })
      sql = undefined
    },
  }
}

/** Data, constraints and limits: what a column, or a CHECK that somebody has added, does not take. */
function isRefusal(error: unknown): boolean {
  return /^(?:22|23|54)[0-9A-Z]{3}$/.test(String((error as { code?: unknown }).code))
}

/** Who made the table by hand may have no right to make one: then it is taken as it is. */
async function migrate(sql: Sql): Promise<void> {
  const [found] = await sql.unsafe("SELECT to_regclass('fluxgate_records') IS NOT NULL AS is_there")
  if (found?.is_there === true) return
  await sql.begin(async (transaction) => {
    await transaction.unsafe(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`)
    await transaction.unsafe(POSTGRES_SCHEMA)
  })
}

/** As texts of arrays, which the server reads: the client need not know a type. */
function columnsOf(rows: readonly Row[]): string[] {
  return COLUMN_NAMES.map((name, index) => arrayText(rows.map((row) => textOf(COLUMNS[name], row[index]))))
}

function textOf(type: keyof typeof TYPES, value: Row[number]): string | undefined {
  if (value === undefined) return undefined
  return type === 'time' ? new Date(Number(value)).toISOString() : String(value)
}

/** No text of PostgreSQL holds a NUL, and UTF-8 no half of a character: one such row would keep all others out. */
function arrayText(values: readonly (string | undefined)[]): string {
  const items = values.map((value) =>
    value === undefined ? 'NULL' : `"${value.replaceAll('\0', '\ufffd').toWellFormed().replace(/["\\]/g, '\\$&')}"`,
  )
  return `{${items.join(',')}}`
}
