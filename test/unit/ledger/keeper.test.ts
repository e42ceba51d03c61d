import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createCounts, readCounts } from '../../../src/ledger/counts.ts'
import { createKeeper } from '../../../src/ledger/keeper.ts'
import { AT, type Row } from '../../../src/ledger/row.ts'
import { sampleRow, sqliteSettings, temporaryFolder } from '../../support/ledger-rows.ts'
import { handClock } from '../../support/ledger-writer.ts'

function numbered(row: Row, sequence: number): Row {
  row[AT.instance] = 'a'
  row[AT.sequence] = sequence
  return row
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
  keeper.use({ ledger: settings, prices: [], providers: {} })
  keeper.take({ id: 1, rows: [numbered(sampleRow({}, {}, Date.now() - 3 * 86_400_000), 1)] }, () => void answers++)
  await until(() => answers === 1, 10_000)
  using other = new DatabaseSync(settings.url)
  const count = (): unknown => other.prepare('SELECT COUNT(*) AS n FROM fluxgate_records').get()?.n
  await until(() => count() === 0, 70_000)
  // Busy at the moment at which it would be looked at again.
  other.exec('BEGIN IMMEDIATE')
  keeper.take({ id: 2, rows: [numbered(sampleRow({}, {}, Date.now() - 3 * 86_400_000), 2)] }, () => {})
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
