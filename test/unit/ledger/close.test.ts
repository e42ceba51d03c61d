import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLedger, createLedgerEnd } from '../../../src/ledger/ledger.ts'
import {
  hearLog,
  NO_KEYS,
  sampleRecord,
  sourceOf,
  sqliteSettings,
  temporaryFolder,
  until,
} from '../../support/ledger-rows.ts'

test('a stop that is told to hurry says what became of all rows, whatever the store does', async () => {
  using folder = temporaryFolder()
  const away = {
    ...sqliteSettings(folder.path),
    store: 'clickhouse' as const,
    url: 'clickhouse+http://u:%zz@127.0.0.1:1/d',
    spillPath: undefined,
  }
  const log = hearLog()
  const ledger = createLedger(log)
  ledger.publish(sourceOf(away))
  const end = createLedgerEnd()
  ledger.join(end.take)
  for (let i = 0; i < 3; i++) end.offer(sampleRecord(), NO_KEYS, Date.now())
  await until(() => log.heard.some(({ message }) => message === 'Ledger cannot be written; rows wait'))
  end.close()
  const told = (): unknown[] => log.heard.filter(({ message }) => message === 'Ledger closed')
  const patient = ledger.close()
  await ledger.close(0)
  const fields = { accepted: 3, written: 0, queued: 0, spilled: 0, dropped: 3 }
  assert.deepEqual(told(), [{ message: 'Ledger closed', fields }])
  await patient
  await ledger.close()
  assert.equal(told().length, 1)
})
