/** A process with a ledger that gets rows without end, and says how many: for tests that kill it. */
import { writeSync } from 'node:fs'
import { createLedgerQueue } from '../../src/ledger/queue.ts'
import { openLedger } from '../../src/ledger/thread.ts'
import { hearLog, offerSample, sourceOf, sqliteSettings } from './ledger-rows.ts'

const [, , folder, queueRows] = process.argv
const settings = sqliteSettings(folder!, queueRows === undefined ? {} : { queueRows: Number(queueRows) })
const log = hearLog()
const ledger = openLedger(sourceOf(settings), log, { onReplaced: () => {} })
const queue = createLedgerQueue(ledger.port())
let offered = 0
setInterval(() => {
  for (let i = 0; i < 50; i++) offerSample(queue)
  offered += 50
  const rows = ledger.rows()
  const said = log.heard.map(({ message }) => message)
  writeSync(1, `${JSON.stringify({ offered, at: Date.now(), safe: rows.written + rows.spilled, rows, said })}\n`)
}, 10)
