/** A process with a ledger that gets rows without end, and says how many: for tests that kill it. */
import { writeSync } from 'node:fs'
import { createLedgerQueue } from '../../src/ledger/queue.ts'
import { openLedger } from '../../src/ledger/thread.ts'
import { hearLog, sampleRow, sourceOf, sqliteSettings } from './ledger-rows.ts'

const folder = process.argv[2]!
const ledger = openLedger(sourceOf(sqliteSettings(folder)), hearLog(), { onReplaced: () => {} })
const queue = createLedgerQueue(ledger.port())
let offered = 0
setInterval(() => {
  for (let i = 0; i < 50; i++) queue.offer(sampleRow())
  offered += 50
  const { written, spilled } = ledger.rows()
  writeSync(1, `${JSON.stringify({ offered, at: Date.now(), safe: written + spilled })}\n`)
}, 10)
