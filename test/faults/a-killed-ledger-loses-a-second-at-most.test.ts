import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createLedgerQueue } from '../../src/ledger/queue.ts'
import { openLedger } from '../../src/ledger/thread.ts'
import { Watch } from '../support/deadline.ts'
import { assertWhole, hearLog, sourceOf, sqliteSettings, temporaryFolder, until } from '../support/ledger-rows.ts'

const PROCESS = fileURLToPath(new URL('../support/ledger-process.ts', import.meta.url))

interface Said {
  readonly offered: number
  readonly at: number
  readonly safe: number
}

/** Kills it after so many rows; with `isLocked` while somebody else holds the store, so that rows are in the spill. */
async function killAfter(rows: number, isLocked: boolean): Promise<number> {
  using folder = temporaryFolder()
  const child = spawn(process.execPath, [PROCESS, folder.path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const said: Said[] = []
  const watch = new Watch()
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    for (const line of lines) said.push(JSON.parse(line) as Said)
    watch.notice()
  })
  const settings = sqliteSettings(folder.path)
  await watch.until(() => (said.at(-1)?.safe ?? 0) > 0, 'the first rows')
  const db = isLocked ? new DatabaseSync(settings.url, { timeout: 5_000 }) : undefined
  db?.exec('BEGIN IMMEDIATE')
  const begin = said.at(-1)!.offered
  await watch.until(() => said.at(-1)!.offered >= begin + rows, 'more rows', 30_000)
  child.kill('SIGKILL')
  await once(child, 'close')
  const killedAt = Date.now()
  db?.close()

  // The next process finds what the first one has left.
  const ledger = openLedger(sourceOf(settings), hearLog(), { onReplaced: () => {} })
  const queue = createLedgerQueue(ledger.port())
  const { safe, offered } = said.at(-1)!
  await until(() => {
    const { accepted, written } = ledger.rows()
    return accepted === written && countIn(settings.url) >= safe
  })
  queue.close()
  await ledger.close()
  const there = assertWhole(settings.url)
  assert.ok(there >= safe && there <= offered + 50, `${safe} ${there} ${offered}`)
  const firstLost = said.find((line) => line.offered > there)
  return firstLost === undefined ? 0 : killedAt - firstLost.at
}

function countIn(file: string): number {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return Number(db.prepare('SELECT COUNT(*) AS n FROM fluxgate_records').get()?.n)
  } finally {
    db.close()
  }
}

test('kill -9 at any moment doubles no row and loses none that was safe; what is lost is younger than a second', async () => {
  const ages: number[] = []
  for (let i = 0; i < 4; i++) ages.push(await killAfter(100 + Math.floor(Math.random() * 3000), false))
  // Whatever else the machine does makes a row late, never early.
  assert.ok(Math.min(...ages) < 1000, ages.join())
})

test('the same while the store takes nothing, from the spill', async () => {
  const ages: number[] = []
  for (let i = 0; i < 2; i++) ages.push(await killAfter(9_000 + Math.floor(Math.random() * 3000), true))
  assert.ok(Math.min(...ages) < 1000, ages.join())
})
