import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import fc from 'fast-check'
import { AT, type Row } from '../../../../src/ledger/row.ts'
import { openSqlite } from '../../../../src/ledger/stores/sqlite.ts'
import { DIMENSIONS, type Dimension, type Question } from '../../../../src/tools/usage/question.ts'
import { askSqlite } from '../../../../src/tools/usage/sqlite.ts'
import { sampleRow, temporaryFolder } from '../../../support/ledger-rows.ts'

const T0 = Date.UTC(2026, 10, 27, 22)
const HOUR = 3_600_000

const rowArbitrary = fc.record({
  apiKey: fc.constantFrom(undefined, 'team-a', 'team-b'),
  model: fc.constantFrom(undefined, 'gpt-1', 'gpt-[2]', 'o?'),
  status: fc.constantFrom(undefined, 200, 429),
  outcome: fc.constantFrom('complete' as const, 'client_abort' as const),
  usage: fc.constantFrom('exact', 'estimated', 'unknown'),
  inputTokens: fc.option(fc.nat(1000), { nil: undefined }),
  costUsd: fc.constantFrom(undefined, '0.000000001', '1.5'),
  ttftMs: fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined }),
  at: fc.integer({ min: T0, max: T0 + 5 * HOUR }),
})

function toRow({ apiKey, model, status, outcome, usage, inputTokens, costUsd, ttftMs, at }: Generated, n: number): Row {
  const row = sampleRow({ apiKey, status, outcome }, { model, usage, inputTokens, costUsd, ttftMs }, at)
  row[AT.instance] = 'i'
  row[AT.sequence] = n
  return row
}

type Generated = typeof rowArbitrary extends fc.Arbitrary<infer T> ? T : never

/** The same from the rows themselves. */
function expected(rows: readonly Generated[], { by, sinceMs, untilMs }: Question) {
  const groups = new Map<string, { requests: number; errors: number; input: number; nano: number; unknown: number }>()
  for (const row of rows.filter(({ at }) => at >= sinceMs && at < untilMs)) {
    const iso = new Date(row.at).toISOString()
    const values: Record<Dimension, string> = {
      key: row.apiKey ?? '',
      model: row.model ?? '',
      upstream: 'openai',
      day: iso.slice(0, 10),
      hour: `${iso.slice(0, 13)}:00Z`,
      status: String(row.status ?? ''),
      outcome: row.outcome,
    }
    const name = JSON.stringify(by.map((dimension) => values[dimension]))
    const group = groups.get(name) ?? { requests: 0, errors: 0, input: 0, nano: 0, unknown: 0 }
    group.requests++
    if (row.outcome !== 'complete' || (row.status ?? 0) >= 400) group.errors++
    group.input += row.inputTokens ?? 0
    group.nano += Math.round(Number(row.costUsd ?? 0) * 1e9)
    if (row.usage === 'unknown') group.unknown++
    groups.set(name, group)
  }
  return Object.fromEntries(groups)
}

test('sums of hours and rows of the ends come to what the rows come to, whatever is asked', async () => {
  const time = fc.integer({ min: T0 - HOUR, max: T0 + 6 * HOUR })
  await fc.assert(
    fc.asyncProperty(
      fc.array(rowArbitrary, { minLength: 1, maxLength: 40 }),
      fc.uniqueArray(fc.constantFrom(...(Object.keys(DIMENSIONS) as Dimension[])), { maxLength: 3 }),
      time,
      time,
      async (rows, by, a, b) => {
        using folder = temporaryFolder()
        const path = join(folder.path, 'l.db')
        const store = openSqlite(path, { onRecreated() {} })
        const all = rows.map(toRow)
        await store.write(all.slice(0, 20))
        // Some of them again.
        await store.write(all.slice(10))
        const question = { by, where: [], sinceMs: Math.min(a, b), untilMs: Math.max(a, b) + 1 }
        const found = askSqlite(path, question).filter(({ requests }) => requests > 0)
        const lines = found.map(({ values, requests, errors, inputTokens, costNanoUsd, unknown }) => [
          JSON.stringify(values),
          { requests, errors, input: inputTokens, nano: costNanoUsd, unknown },
        ])
        assert.deepEqual(Object.fromEntries(lines), expected(rows, question))
        await store.close()
      },
    ),
    { numRuns: 40 },
  )
})

async function ledgerWith(path: string, rows: readonly Row[]): Promise<void> {
  const store = openSqlite(path, { onRecreated() {} })
  for (const [index, row] of rows.entries()) {
    row[AT.instance] = 'i'
    row[AT.sequence] = index
  }
  await store.write(rows)
  await store.close()
}

const ALL = { sinceMs: T0, untilMs: T0 + 24 * HOUR }

test('a pattern has the star alone for any text', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'l.db')
  await ledgerWith(
    path,
    ['gpt-1', 'gpt-[2]', 'o?', 'o3', 'GPT-1'].map((model) => sampleRow({}, { model }, T0)),
  )
  const count = (pattern: string): number | undefined =>
    askSqlite(path, { ...ALL, by: [], where: [{ dimension: 'model', pattern }] })[0]?.requests
  assert.equal(count('gpt-*'), 2)
  assert.equal(count('gpt-[2]'), 1)
  assert.equal(count('o?'), 1)
  assert.equal(count('*'), 5)
})

test('percentiles of the time to first token are right within three per cent', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'l.db')
  await ledgerWith(
    path,
    Array.from({ length: 1000 }, (_, n) => sampleRow({}, { ttftMs: n + 1 }, T0 + n * 7_200)),
  )
  const [line] = askSqlite(path, { ...ALL, by: [], where: [] })
  assert.ok(Math.abs(line!.ttftP50Ms! / 500 - 1) < 0.03, `${line!.ttftP50Ms}`)
  assert.ok(Math.abs(line!.ttftP95Ms! / 950 - 1) < 0.03, `${line!.ttftP95Ms}`)
})

test('a file of a newer version is left alone', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'l.db')
  await ledgerWith(path, [])
  const db = new DatabaseSync(path)
  db.exec('PRAGMA user_version = 2')
  db.close()
  await assert.rejects(ledgerWith(path, [sampleRow()]), /made by a newer Fluxgate/)
})

test('what is too old is deleted a little at a time', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'l.db')
  const old = Array.from({ length: 1500 }, () => sampleRow({}, {}, T0))
  await ledgerWith(path, [...old, sampleRow({}, {}, T0 + 10 * HOUR)])
  const store = openSqlite(path, { onRecreated() {} })
  assert.deepEqual([await store.prune(T0 + 5 * HOUR), await store.prune(T0 + 5 * HOUR)], [true, false])
  await store.close()
  assert.equal(askSqlite(path, { ...ALL, by: [], where: [] })[0]?.requests, 1)
})

test('sums of hours that are too old go an hour at a time', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'l.db')
  await ledgerWith(
    path,
    Array.from({ length: 20 }, (_, hour) => sampleRow({}, {}, T0 + hour * HOUR)),
  )
  const store = openSqlite(path, { onRecreated() {} })
  const hours = (): unknown => new DatabaseSync(path).prepare('SELECT COUNT(*) AS n FROM fluxgate_hours').get()?.n
  for (let left = 19; left >= 5; left--) {
    assert.equal(await store.prune(T0 + 16 * HOUR), true)
    assert.equal(hours(), left)
  }
  assert.equal(await store.prune(T0 + 16 * HOUR), false)
  await store.close()
})
