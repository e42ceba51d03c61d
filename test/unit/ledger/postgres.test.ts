import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createLedgerQueue } from '../../../src/ledger/queue.ts'
import { AT, type Row } from '../../../src/ledger/row.ts'
import { faultOf } from '../../../src/ledger/store.ts'
import { connectPostgres, openPostgres } from '../../../src/ledger/stores/postgres.ts'
import { openLedger } from '../../../src/ledger/thread.ts'
import { askPostgres } from '../../../src/tools/usage/servers.ts'
import { hearLog, offerSample, sampleRow, sourceOf, temporaryFolder, until } from '../../support/ledger-rows.ts'
import { noPostgres, startPostgres } from '../../support/postgres.ts'

function keyed(row: Row, sequence: number): Row {
  row[AT.instance] = 'a'
  row[AT.sequence] = sequence
  return row
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const sql = await connectPostgres(url)
  try {
    return [...(await sql.unsafe(text))]
  } finally {
    await sql.end()
  }
}

test('rows of PostgreSQL: made by the gateway, once each, with every kind of text', { skip: noPostgres }, async () => {
  await using server = await startPostgres()
  const store = openPostgres(server.url)
  const odd = 'a"b\\c{d},\n\0\ud800NULL é'
  const units = { web_search_requests: 2 }
  const rows = [
    keyed(
      sampleRow(
        { subject: odd, error: undefined },
        { costUsd: '0.000000001', units },
        Date.UTC(2026, 0, 2, 3, 4, 5, 6),
      ),
      1,
    ),
    keyed(sampleRow({ subject: 'NULL', status: undefined }), 2),
  ]
  await store.write(rows)
  await store.write([...rows, keyed(sampleRow({ subject: '' }), 3)])
  const found = await query(server.url, 'SELECT *, time::text AS at FROM fluxgate_records ORDER BY sequence')
  assert.deepEqual(
    found.map(({ sequence, subject, status }) => [Number(sequence), subject, status]),
    [
      [1, 'a"b\\c{d},\n\ufffd\ufffdNULL é', '200'],
      [2, 'NULL', null],
      [3, '', '200'],
    ],
  )
  assert.equal(found[0]?.cost_usd, '0.000000001')
  assert.equal(found[0]?.error, null)
  assert.deepEqual(found[0]?.units, units)
  assert.match(String(found[0]?.at), /^2026-01-02 03:04:05\.006/)
  const by = ['day', 'hour', 'status', 'model'] as const
  const question = {
    by,
    where: [{ dimension: 'model', pattern: 'gpt-*_mini' } as const],
    sinceMs: 0,
    untilMs: Date.now() + 1,
  }
  assert.deepEqual(await askPostgres(server.url, question), [])
  const lines = await askPostgres(server.url, { ...question, where: [{ dimension: 'status', pattern: '2*' }] })
  const first = lines.find(({ values }) => values[0] === '2026-01-02')
  assert.deepEqual(first?.values, ['2026-01-02', '2026-01-02T03:00Z', '200', 'gpt-4o-mini'])
  assert.deepEqual([first?.requests, first?.costNanoUsd, first?.ttftP95Ms, lines.length], [1, 1, 40, 2])
  assert.equal(await store.prune(Date.UTC(2026, 0, 3)), false)
  assert.equal((await query(server.url, 'SELECT 1 FROM fluxgate_records')).length, 2)
  await store.close()
})

test('what a server says is wrong is told without the password', { skip: noPostgres }, async () => {
  await using server = await startPostgres()
  for (const url of [server.url.replace('p4ss', 'wr0ng'), server.url.replace(/:\d+\//, ':1/')]) {
    const store = openPostgres(url)
    const error = await store.write([keyed(sampleRow(), 1)]).then(
      () => assert.fail('it was written'),
      (error: unknown) => faultOf(error, url),
    )
    assert.match(error, /password authentication failed|ECONNREFUSED/)
    assert.doesNotMatch(error, /word-of/)
    await store.close()
  }
})

test('rows wait in the spill while a server is away or frozen, and go in once it is back', {
  skip: noPostgres,
}, async () => {
  using folder = temporaryFolder()
  await using server = await startPostgres()
  const log = hearLog()
  const settings = {
    store: 'postgres',
    url: server.url,
    place: 'postgres',
    queueRows: 10_000,
    spillPath: join(folder.path, 'spill'),
    spillMaxBytes: 1e8,
    retentionDays: 0,
  } as const
  const ledger = openLedger(sourceOf(settings), log, { onReplaced: () => {} })
  const queue = createLedgerQueue(ledger.port())
  const offer = (): void => {
    for (let i = 0; i < 700; i++) offerSample(queue)
  }
  offer()
  await until(() => ledger.rows().written === 700)
  await server.stop()
  offer()
  await until(() => ledger.rows().spilled === 700)
  await server.start()
  await until(() => ledger.rows().written === 1400)
  server.freeze()
  offer()
  await until(() => ledger.rows().spilled === 700)
  server.thaw()
  await until(() => ledger.rows().written === 2100)
  queue.close()
  await ledger.close()
  assert.deepEqual(ledger.rows(), { accepted: 2100, written: 2100, queued: 0, spilled: 0, dropped: 0 })
  const [count] = await query(server.url, 'SELECT COUNT(*) AS n, MAX(sequence) AS last FROM fluxgate_records')
  assert.deepEqual(count, { n: '2100', last: '2100' })
  const messages = log.heard.map(({ message }) => message)
  assert.ok(messages.includes('Ledger cannot be written; rows wait') && messages.includes('Ledger is written again'))
})
