import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { createLedgerQueue, type LedgerQueue } from '../../../src/ledger/queue.ts'
import { type LedgerThread, openLedger } from '../../../src/ledger/thread.ts'
import {
  assertWhole,
  hearLog,
  offerSample,
  readAll,
  sourceOf,
  sqliteSettings,
  temporaryFolder,
  until,
} from '../../support/ledger-rows.ts'
import { priceTable } from '../../support/price-table.ts'

function start(source: Parameters<typeof openLedger>[0], entry?: URL) {
  const log = hearLog()
  const queues = new Map<unknown, LedgerQueue>()
  const ledger = openLedger(source, log, {
    onReplaced: (port, next) => queues.get(port)?.attach(next),
    ...(entry && { entry }),
  })
  const queue = (): LedgerQueue => {
    const port = ledger.port()
    const made = createLedgerQueue(port)
    queues.set(port, made)
    return made
  }
  return { ledger, log, queue }
}

function offer(queue: LedgerQueue, count: number): void {
  for (let i = 0; i < count; i++) offerSample(queue)
}

const written = (ledger: LedgerThread, count: number): Promise<void> => until(() => ledger.rows().written === count)

test('rows of several threads are written once each, with cost, and the counts say so', async () => {
  using folder = temporaryFolder()
  const { ledger, log, queue } = start(sourceOf(sqliteSettings(folder.path)))
  const queues = [queue(), queue()]
  for (const each of queues) offer(each, 1234)
  await written(ledger, 2468)
  offer(queues[0]!, 7)
  for (const each of queues) each.close()
  await ledger.close()
  assert.deepEqual(ledger.rows(), { accepted: 2475, written: 2475, queued: 0, spilled: 0, dropped: 0 })
  const file = sqliteSettings(folder.path).url
  assert.equal(assertWhole(file), 2475)
  const [row] = readAll(file, 'SELECT * FROM fluxgate_records LIMIT 1')
  assert.equal(row?.cost_usd, 0.000435)
  assert.equal(row?.request_url, '/openai/v1/chat/completions?key=***')
  assert.deepEqual(readAll(file, 'SELECT SUM(requests) AS n, SUM(cost_nano_usd) AS c FROM fluxgate_hours'), [
    { n: 2475, c: 2475 * 435_000 },
  ])
  const [opened, ...rest] = log.heard
  assert.equal(opened?.message, 'Ledger opened')
  assert.deepEqual(rest, [
    { message: 'Ledger closed', fields: { accepted: 2475, written: 2475, queued: 0, spilled: 0, dropped: 0 } },
  ])
})

test('a file that somebody deletes is made anew, and said so', async () => {
  using folder = temporaryFolder()
  const settings = sqliteSettings(folder.path)
  const { ledger, log, queue } = start(sourceOf(settings))
  const rows = queue()
  offer(rows, 10)
  await written(ledger, 10)
  for (const end of ['', '-wal', '-shm']) rmSync(settings.url + end, { force: true })
  offer(rows, 5)
  await written(ledger, 15)
  assert.equal(readAll(settings.url, 'SELECT * FROM fluxgate_records').length, 5)
  assert.ok(log.heard.some(({ message }) => message === 'Ledger file was gone; made a new one'))
  rows.close()
  await ledger.close()
})

test('past the bound of the queue rows are dropped and counted', async () => {
  using folder = temporaryFolder()
  const { ledger, queue } = start(sourceOf(sqliteSettings(folder.path, { queueRows: 100 })))
  const rows = queue()
  // In one turn of the loop: nobody can have taken any of them.
  offer(rows, 150)
  rows.close()
  await ledger.close()
  const { accepted, written: count, dropped } = ledger.rows()
  assert.equal(accepted, 150)
  assert.equal(count + dropped, 150)
  assert.ok(count >= 100 && dropped > 0, `${count} ${dropped}`)
})

test('a queue of any size is one from the start', async () => {
  using folder = temporaryFolder()
  const { ledger, queue } = start(sourceOf(sqliteSettings(folder.path, { queueRows: 3_000_000_000 })))
  const rows = queue()
  offer(rows, 10)
  assert.equal(ledger.rows().dropped, 0)
  await written(ledger, 10)
  rows.close()
  await ledger.close()
})

test('another store takes over on a reload, and none ends it', async () => {
  using one = temporaryFolder()
  using two = temporaryFolder()
  const { ledger, queue } = start(sourceOf(sqliteSettings(one.path)))
  const rows = queue()
  offer(rows, 3)
  await written(ledger, 3)
  ledger.publish(sourceOf(sqliteSettings(two.path)))
  offer(rows, 4)
  await written(ledger, 7)
  rows.close()
  await ledger.close()
  assert.equal(assertWhole(sqliteSettings(one.path).url) + assertWhole(sqliteSettings(two.path).url), 7)
})

test('a reload that ends the ledger takes no row along that came before', async () => {
  using folder = temporaryFolder()
  const settings = sqliteSettings(folder.path)
  const { ledger, queue } = start(sourceOf(settings))
  const rows = queue()
  offer(rows, 5)
  ledger.publish(sourceOf(undefined))
  await written(ledger, 5)
  rows.close()
  await ledger.close()
  assert.equal(assertWhole(settings.url), 5)
})

test('a spill that comes back with a reload is not counted twice', async () => {
  using folder = temporaryFolder()
  const settings = sqliteSettings(folder.path)
  const wrong = { ...settings, store: 'clickhouse', url: 'clickhouse+http://u:%zz@127.0.0.1:1/d' } as const
  const { ledger, log, queue } = start(sourceOf(wrong))
  const rows = queue()
  offer(rows, 3)
  await until(() => ledger.rows().spilled === 3)
  const others = [
    { ...wrong, spillPath: join(folder.path, 'other') },
    undefined,
    { ...wrong, spillPath: undefined },
  ] as const
  for (const [index, other] of others.entries()) {
    ledger.publish(sourceOf(other))
    ledger.publish(sourceOf({ ...wrong, queueRows: 1000 + index }))
  }
  const opened = (): number => log.heard.filter(({ message }) => message === 'Ledger opened').length
  await until(() => opened() === 6)
  offer(rows, 2)
  await until(() => ledger.rows().spilled === 5)
  assert.deepEqual(ledger.rows(), { accepted: 5, written: 0, queued: 0, spilled: 5, dropped: 0 })
  ledger.publish(sourceOf(settings))
  await written(ledger, 5)
  rows.close()
  await ledger.close()
  assert.deepEqual(ledger.rows(), { accepted: 5, written: 5, queued: 0, spilled: 0, dropped: 0 })
})

test('a store that cannot even be opened is one that is away: its rows spill, and the next one gets them', async () => {
  using folder = temporaryFolder()
  const settings = sqliteSettings(folder.path)
  const wrong = { ...settings, store: 'clickhouse', url: 'clickhouse+http://u:%zz@127.0.0.1:1/d' } as const
  const { ledger, log, queue } = start(sourceOf(wrong))
  const rows = queue()
  offer(rows, 3)
  await until(() => ledger.rows().spilled === 3)
  ledger.publish(sourceOf(settings))
  await written(ledger, 3)
  rows.close()
  await ledger.close()
  assert.equal(assertWhole(settings.url), 3)
  const messages = log.heard.map(({ message }) => message)
  assert.ok(messages.includes('Ledger cannot be written; rows wait'), `${messages}`)
  assert.ok(!messages.includes('Ledger thread died, starting another'))
})

test('a thread that dies takes no row along', async () => {
  using folder = temporaryFolder()
  process.env.FLUXGATE_TEST_MORTAL = join(folder.path, 'mark')
  const entry = new URL('../../support/mortal-ledger.ts', import.meta.url)
  const { ledger, log, queue } = start(sourceOf(sqliteSettings(folder.path)), entry)
  const rows = queue()
  offer(rows, 1000)
  await until(() => log.heard.some(({ message }) => message === 'Ledger thread died, starting another'))
  offer(rows, 500)
  await written(ledger, 1500)
  rows.close()
  await ledger.close()
  assert.equal(assertWhole(sqliteSettings(folder.path).url), 1500)
})

test('which version of the public prices is in force is told, once for each', async () => {
  using folder = temporaryFolder()
  const settings = sqliteSettings(folder.path)
  const { ledger, log, queue } = start({ ...sourceOf(settings), priceTable: priceTable('one', 1) })
  const rows = queue()
  offer(rows, 1)
  await written(ledger, 1)
  ledger.publish({ ...sourceOf(settings), priceTable: priceTable('one', 1) })
  ledger.publish({ ...sourceOf(settings), priceTable: priceTable('two', 2) })
  await until(() => log.heard.some(({ message }) => message === 'Public prices replaced'))
  rows.close()
  await ledger.close()
  assert.deepEqual(
    log.heard.slice(0, 2).map(({ fields }) => fields.prices),
    ['one', 'two'],
  )
})

test('what a serving thread takes along into its end is dropped, and takes no room', async () => {
  using folder = temporaryFolder()
  const { ledger, queue } = start(sourceOf(sqliteSettings(folder.path, { queueRows: 100 })))
  const port = ledger.port()
  const entry = new URL('../../support/ledger-serving.ts', import.meta.url)
  const serving = new Worker(entry, { workerData: port, transferList: [port.port] })
  await once(serving, 'message')
  await serving.terminate()
  ledger.forget(port)
  await written(ledger, 30)
  assert.deepEqual(ledger.rows(), { accepted: 90, written: 30, queued: 0, spilled: 0, dropped: 60 })
  const rows = queue()
  offer(rows, 100)
  rows.close()
  await ledger.close()
  assert.deepEqual(ledger.rows(), { accepted: 190, written: 130, queued: 0, spilled: 0, dropped: 60 })
})
