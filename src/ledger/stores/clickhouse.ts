/** The ledger in ClickHouse, by its HTTP interface: for fleets, where many write and dashboards read. */
import { AT, COLUMN_NAMES, COLUMNS, type Row } from '../row.ts'
import type { Store } from '../store.ts'

const TYPES = {
  text: 'Nullable(String)',
  integer: 'Nullable(Int64)',
  real: 'Nullable(Float64)',
  time: "DateTime64(3, 'UTC')",
  money: 'Nullable(Decimal(18, 9))',
  json: 'Nullable(String)',
} as const

const KEYS: Readonly<Record<string, string>> = { instance: 'String', sequence: 'UInt64' }

const OP_MS = 10_000
const DAY_MS = 86_400_000

/**
 * A row that is inserted again is another row until ClickHouse merges its parts: queries say FINAL, as `fluxgate usage` does. Time is part
 * of the key as a merge never leaves its partition, which is a day; a repetition has the same time.
 */
export const CLICKHOUSE_SCHEMA = `CREATE TABLE IF NOT EXISTS fluxgate_records (
${COLUMN_NAMES.map((name) => `  ${name} ${KEYS[name] ?? TYPES[COLUMNS[name]]}`).join(',\n')}
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(time)
ORDER BY (time, instance, sequence)
`

/** Asynchronous: the server gathers what many gateways send. It answers when that is on its disk, or it would not be safe. */
const INSERT =
  'INSERT INTO fluxgate_records SETTINGS async_insert = 1, wait_for_async_insert = 1, async_insert_deduplicate = 0 FORMAT JSONEachRow'

/** Codes of values that cannot be read, do not fit their column, or break a constraint. */
const REFUSALS = new Set('6 25 26 27 38 41 53 69 72 117 131 321 407 441 469'.split(' '))

export interface Clickhouse {
  /** The text of the answer. Throws what the server says is wrong. */
  run(query: string, body?: string): Promise<string>
}

/** @param limitMs of an answer */
export function connectClickhouse(url: string, limitMs: number = OP_MS): Clickhouse {
  const place = new URL(url.slice('clickhouse+'.length))
  const database = decodeURIComponent(place.pathname.slice(1)) || 'default'
  // A field holds bytes, a character for each.
  const field = (text: string): string => Buffer.from(decodeURIComponent(text)).toString('latin1')
  const login = {
    'x-clickhouse-user': field(place.username) || 'default',
    'x-clickhouse-key': field(place.password),
  }
  return {
    async run(query, body = '') {
      const parameters = new URLSearchParams({ database, query, wait_end_of_query: '1' })
      const answer = await fetch(`${place.origin}/?${parameters}`, {
        method: 'POST',
        headers: login,
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(limitMs),
      })
      const text = await answer.text()
      if (!answer.ok) throw new Error(`HTTP ${answer.status}: ${text.split('\n', 1)[0]!.slice(0, 200)}`)
      return text
    },
  }
}

export function openClickhouse(url: string): Store {
  const server = connectClickhouse(url)
  let isMigrated = false

  return {
    async write(rows) {
      if (!isMigrated) await migrate(server)
      isMigrated = true
      try {
        await server.run(INSERT, rows.map(lineOf).join('\n'))
      } catch (error) {
        // The table may be gone, or the server another one.
        isMigrated = false
        throw error
      }
    },
    refuses: (error) => REFUSALS.has(/^HTTP \d{3}: Code: (\d+)\./.exec((error as Error).message)?.[1] ?? ''),
    /** Whole days at a time, which costs nothing: a day goes when all of it is too old. */
    async prune(beforeMs) {
      if (!isMigrated) return false
      const last = dayOf(beforeMs - DAY_MS)
      const found = await server.run(
        `SELECT min(partition) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'fluxgate_records' AND toUInt32OrZero(partition) BETWEEN 1 AND ${last} FORMAT TabSeparated`,
      )
      const day = found.trim()
      if (!/^\d{8}$/.test(day)) return false
      await server.run(`ALTER TABLE fluxgate_records DROP PARTITION ${day}`)
      return true
    },
    async close() {},
  }
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10).replaceAll('-', '')
}

/** Who made the table by hand may have no right to make one. */
async function migrate(server: Clickhouse): Promise<void> {
  const isThere = async (): Promise<boolean> =>
    (await server.run('EXISTS TABLE fluxgate_records FORMAT TabSeparated')).trim() === '1'
  if (await isThere()) return
  await server.run(CLICKHOUSE_SCHEMA)
  // A proxy or a web server may answer anything with 200, and would swallow every row.
  if (!(await isThere())) throw new Error('made the table and it is not there: this is no ClickHouse')
}

function lineOf(row: Row): string {
  const values = COLUMN_NAMES.map((name, index) => [name, cellOf(row[index], index)] as const)
  return JSON.stringify(Object.fromEntries(values))
}

/** Half a character is refused, with every row that comes along. */
function cellOf(value: Row[number], index: number): Row[number] {
  if (index === AT.time) return timeOf(value)
  return typeof value === 'string' ? value.toWellFormed() : value
}

/** `2026-11-28 06:10:15.379`, which every version reads. */
function timeOf(value: Row[number]): string {
  return new Date(Number(value)).toISOString().slice(0, 23).replace('T', ' ')
}
