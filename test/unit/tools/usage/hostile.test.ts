import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { AT } from '../../../../src/ledger/row.ts'
import { openPostgres } from '../../../../src/ledger/stores/postgres.ts'
import { openSqlite } from '../../../../src/ledger/stores/sqlite.ts'
import { readQuestion } from '../../../../src/tools/usage/question.ts'
import { askPostgres } from '../../../../src/tools/usage/servers.ts'
import { askSqlite } from '../../../../src/tools/usage/sqlite.ts'
import { sampleRow, temporaryFolder } from '../../../support/ledger-rows.ts'
import { noPostgres, startPostgres } from '../../../support/postgres.ts'

const NOW = Date.UTC(2026, 10, 28, 12)
const ask = (since?: string, until?: string) => readQuestion({ by: [], where: [], since, until }, NOW)

test('counts beyond what anybody can have used do not keep the others from being read', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'l.db')
  const store = openSqlite(path, { onRecreated: () => {} })
  const at = Date.UTC(2026, 0, 2, 3)
  const rows = Array.from({ length: 3000 }, (_, n) => {
    const usage = { inputTokens: Number.MAX_SAFE_INTEGER, costUsd: '9007199.254740991' }
    const row = sampleRow({}, usage, at + (n % 2 === 0 ? 0 : 3_600_000))
    row[AT.instance] = 'a'
    row[AT.sequence] = n
    return row
  })
  for (let n = 0; n < rows.length; n += 1000) await store.write(rows.slice(n, n + 1000))
  await store.close()
  // From the sums of hours, from rows, and from both.
  for (const [sinceMs, untilMs, requests] of [
    [at, at + 7_200_000, 3000],
    [at - 1, at + 1, 1500],
    [at, at + 3_600_001, 3000],
  ] as const) {
    const [line] = askSqlite(path, { by: ['key'], where: [], sinceMs, untilMs })
    assert.equal(line?.requests, requests)
    const input = requests * Number.MAX_SAFE_INTEGER
    assert.ok(Math.abs(line.inputTokens - input) < input * 1e-9, `${line.inputTokens}`)
  }
})

test('PostgreSQL adds them up as well, and is asked from any time on', { skip: noPostgres }, async () => {
  await using server = await startPostgres()
  const store = openPostgres(server.url)
  const rows = Array.from({ length: 1200 }, (_, n) => {
    const row = sampleRow({}, { inputTokens: Number.MAX_SAFE_INTEGER, costUsd: '9007199.254740991' })
    row[AT.instance] = 'a'
    row[AT.sequence] = n
    return row
  })
  await store.write(rows)
  await store.close()
  const question = readQuestion({ by: [], where: [], since: '999999w', until: undefined }, Date.now() + 1)
  assert.ok(typeof question === 'object')
  const [line] = await askPostgres(server.url, question)
  assert.equal(line?.requests, 1200)
})

test('a time that is none is told of, and none is before 1970', () => {
  for (const time of [
    '2026-02-31',
    '2026-02-29',
    '2026-13-01',
    '2026-01-32',
    '2026-01-01T25:00Z',
    '2026-04-31T00:00',
  ]) {
    assert.match(String(ask(time)), /^invalid value/, time)
  }
  for (const time of ['999999w', '0000-01-01', '0001-01-01T00:00:00Z', '1969-12-31']) {
    const question = ask(time)
    assert.ok(typeof question === 'object' && question.sinceMs === 0, time)
  }
  const leap = ask('2024-02-29T23:59:59.5+02:00')
  assert.ok(typeof leap === 'object' && leap.sinceMs === Date.UTC(2024, 1, 29, 21, 59, 59, 500))
})
