import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { createLedgerQueue } from '../../../src/ledger/queue.ts'
import { AT, type Row } from '../../../src/ledger/row.ts'
import { connectPostgres, openPostgres } from '../../../src/ledger/stores/postgres.ts'
import { openSqlite } from '../../../src/ledger/stores/sqlite.ts'
import { openLedger } from '../../../src/ledger/thread.ts'
import {
  hearLog,
  NO_KEYS,
  readAll,
  sampleRecord,
  sampleRow,
  sampleUsage,
  sourceOf,
  sqliteSettings,
  temporaryFolder,
  until,
} from '../../support/ledger-rows.ts'
import { setUpWriter, storeOf } from '../../support/ledger-writer.ts'
import { noPostgres, startPostgres } from '../../support/postgres.ts'

const subjectOf = (row: Row): unknown => row[AT.subject]
const isBad = (row: Row): boolean => subjectOf(row) === 'bad'

test('a row that the store refuses is dropped and counted, and those around it are written', async () => {
  const written: Row[] = []
  const { writer, take, pass, counts, told } = setUpWriter(
    storeOf(async (rows) => {
      if (rows.some(isBad)) throw new Error('refused')
      written.push(...rows)
    }),
  )
  take(100, (index) => sampleRow({ subject: index % 50 === 17 ? 'bad' : 'good' }))
  await pass(1_000)
  assert.deepEqual(counts(), { accepted: 100, written: 98, queued: 0, spilled: 0, dropped: 2 })
  assert.equal(written.length, 98)
  assert.deepEqual(told, ['refused 2'])
  await writer.close(0)
})

test('a row that is refused blocks no spill', async () => {
  using folder = temporaryFolder()
  let isAway = true
  const { writer, take, pass, counts, told } = setUpWriter(
    storeOf(async (rows) => {
      if (isAway) throw new Error('away')
      if (rows.some(isBad)) throw new Error('refused')
    }),
    join(folder.path, 'spill'),
  )
  take(10, (index) => sampleRow({ subject: index === 3 ? 'bad' : 'good' }))
  await pass(700)
  isAway = false
  await pass(6_000)
  assert.deepEqual(counts(), { accepted: 10, written: 9, queued: 0, spilled: 0, dropped: 1 })
  assert.deepEqual(told, ['failing: away', 'refused 1', 'recovered'])
  await writer.close(0)
})

test('a table that takes no row at all loses none', async () => {
  let isWrong = true
  let attempts = 0
  const { writer, take, pass, counts, told } = setUpWriter(
    storeOf(async () => {
      attempts++
      if (isWrong) throw new Error('refused')
    }),
  )
  take(500)
  await pass(10_000)
  assert.equal(counts().queued, 500)
  // It is not asked for each row of each attempt.
  assert.ok(attempts < 400, `${attempts}`)
  isWrong = false
  await pass(6_000)
  assert.equal(counts().written, 500)
  assert.deepEqual(told, ['failing: refused', 'recovered'])
  await writer.close(0)
})

test('a store that goes away while its refusal is looked into loses none', async () => {
  let calls = 0
  const { writer, take, pass, counts } = setUpWriter(
    storeOf(async (rows) => {
      if (++calls === 1) throw new Error('refused')
      if (calls > 2 && calls < 6) throw new Error('away')
      if (rows.some(isBad)) throw new Error('refused')
    }),
  )
  take(8, (index) => sampleRow({ subject: index === 7 ? 'bad' : 'good' }))
  await pass(10_000)
  assert.deepEqual(counts(), { accepted: 8, written: 7, queued: 0, spilled: 0, dropped: 1 })
  await writer.close(0)
})

test('PostgreSQL: a row that its table does not take goes alone', { skip: noPostgres }, async () => {
  await using server = await startPostgres()
  const maker = openPostgres(server.url)
  await maker.write([sampleRow()].map((row) => Object.assign(row, { [AT.instance]: 'first', [AT.sequence]: 1 })))
  await maker.close()
  const sql = await connectPostgres(server.url)
  await sql.unsafe(
    "ALTER TABLE fluxgate_records ADD CHECK (subject <> 'bad'), ALTER COLUMN cost_usd TYPE numeric(12,9)",
  )
  const log = hearLog()
  const settings = { store: 'postgres', url: server.url, place: 'postgres', spillPath: undefined } as const
  const ledger = openLedger(sourceOf({ ...settings, queueRows: 10_000, spillMaxBytes: 1, retentionDays: 0 }), log, {
    onReplaced: () => {},
  })
  const queue = createLedgerQueue(ledger.port())
  for (let i = 0; i < 300; i++) {
    const usage = sampleUsage(i === 250 ? { costUsd: '1000000' } : {})
    queue.offer(sampleRecord({ subject: i === 5 ? 'bad' : 'good', usage }), NO_KEYS, Date.now())
  }
  await until(() => ledger.rows().queued === 0)
  queue.close()
  await ledger.close()
  assert.deepEqual(ledger.rows(), { accepted: 300, written: 298, queued: 0, spilled: 0, dropped: 2 })
  assert.deepEqual([...(await sql.unsafe('SELECT COUNT(*) AS n FROM fluxgate_records'))], [{ n: '299' }])
  await sql.end()
  const told = log.heard.find(({ message }) => message === 'Ledger refuses rows; dropped them')
  assert.equal(told?.fields.rows, 2)
})

test('SQLite: a row that a trigger or a type does not take goes alone', async () => {
  using folder = temporaryFolder()
  const settings = sqliteSettings(folder.path)
  const maker = openSqlite(settings.url, { onRecreated: () => {} })
  await maker.prune(0)
  await maker.close()
  const other = new DatabaseSync(settings.url)
  other.exec(`CREATE TRIGGER t BEFORE INSERT ON fluxgate_records WHEN NEW.subject = 'bad'
    BEGIN SELECT RAISE(ABORT, 'not here'); END`)
  other.close()
  const ledger = openLedger(sourceOf(settings), hearLog(), { onReplaced: () => {} })
  const queue = createLedgerQueue(ledger.port())
  for (let i = 0; i < 100; i++) {
    const record = sampleRecord({ subject: i === 5 ? 'bad' : 'good', usage: sampleUsage() })
    queue.offer(i === 50 ? { ...record, error: ['no text'] as unknown as string } : record, NO_KEYS, Date.now())
  }
  await until(() => ledger.rows().queued === 0)
  queue.close()
  await ledger.close()
  assert.deepEqual(ledger.rows(), { accepted: 100, written: 98, queued: 0, spilled: 0, dropped: 2 })
  assert.equal(readAll(settings.url, 'SELECT SUM(requests) AS n FROM fluxgate_hours')[0]?.n, 98)
})
