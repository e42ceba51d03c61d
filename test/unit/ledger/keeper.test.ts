import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createCounts, readCounts } from '../../../src/ledger/counts.ts'
import { createKeeper } from '../../../src/ledger/keeper.ts'
import { Packer } from '../../../src/ledger/packing.ts'
import type { Handed } from '../../../src/ledger/queue.ts'
import { NO_KEYS, sampleRecord, sampleUsage, sqliteSettings, temporaryFolder } from '../../support/ledger-rows.ts'
import { handClock } from '../../support/ledger-writer.ts'

/** One row, as a serving thread hands it over. */
function handed(id: number, timeMs: number = Date.now()): Handed {
  const packer = new Packer(1)
  packer.add(sampleRecord({ usage: sampleUsage() }), NO_KEYS, timeMs)
  return { id, instance: 'a', sequence: id, rows: packer.take() }
}

test('what is too old goes soon after the store has had no time for it', async () => {
  using folder = temporaryFolder()
  const settings = sqliteSettings(folder.path, { retentionDays: 1 })
  const { clock, pass } = handClock()
  const shared = createCounts()
  const keeper = createKeeper(shared, clock, () => {})
  const until = async (look: () => boolean, mostMs: number): Promise<void> => {
    for (let passed = 0; !look(); passed += 100) {
      assert.ok(passed < mostMs, `not within ${mostMs} ms`)
      await pass(100)
      await turn()
    }
  }
  let answers = 0
  keeper.use({ ledger: settings, priceTable: undefined })
  keeper.take(handed(1, Date.now() - 3 * 86_400_000), () => void answers++)
  await until(() => answers === 1, 10_000)
  using other = new DatabaseSync(settings.url)
  const count = (): unknown => other.prepare('SELECT COUNT(*) AS n FROM fluxgate_records').get()?.n
  await until(() => count() === 0, 70_000)
  // Busy at the moment at which it would be looked at again.
  other.exec('BEGIN IMMEDIATE')
  keeper.take(handed(2, Date.now() - 3 * 86_400_000), () => {})
  for (let i = 0; i < 62; i++) {
    await pass(1_000)
    await turn()
  }
  other.exec('ROLLBACK')
  await until(() => readCounts(shared).written === 2, 10_000)
  await until(() => count() === 0, 5_000)
  const closing = keeper.close(1_000)
  await until(() => true, 1)
  await pass(2_000)
  await closing
})

test('a stop in the middle of a change still spills in time', async () => {
  using folder = temporaryFolder()
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `clickhouse+http://u:p@127.0.0.1:${(server.address() as AddressInfo).port}/d`
  const hanging = { ...sqliteSettings(folder.path), store: 'clickhouse', url, retentionDays: 0 } as const
  const { clock, pass } = handClock()
  const shared = createCounts()
  const keeper = createKeeper(shared, clock, () => {})
  const sources = { priceTable: undefined }
  keeper.use({ ledger: { ...hanging, spillPath: undefined }, ...sources })
  await turn()
  keeper.take(handed(1), () => {})
  keeper.use({ ledger: hanging, ...sources })
  await turn()
  keeper.take(handed(2), () => {})
  let isClosed = false
  const closing = keeper.close(10_000).then(() => {
    isClosed = true
  })
  for (let passed = 0; passed < 11_500; passed += 100) {
    await pass(100)
    await turn()
  }
  assert.ok(isClosed)
  const { spilled, dropped } = readCounts(shared)
  assert.deepEqual([spilled, dropped], [1, 1])
  await closing
  server.closeAllConnections()
  server.close()
})
