import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { LedgerRows } from '../../src/ledger/counts.ts'
import { Watch } from '../support/deadline.ts'
import { temporaryFolder } from '../support/ledger-rows.ts'

const PROCESS = fileURLToPath(new URL('../support/ledger-process.ts', import.meta.url))
const canMount =
  spawnSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs none /mnt'], { stdio: 'ignore' }).status === 0

interface Said {
  readonly offered: number
  readonly rows: LedgerRows
  readonly said: readonly string[]
}

test('a full disk stops the ledger and nothing else; every row is accounted for', {
  skip: canMount ? false : 'no disk of a test can be mounted here',
}, async () => {
  using folder = temporaryFolder()
  // A disk of its own that nobody else sees, and that goes with the process.
  const script = 'mount -t tmpfs -o size=2m none "$1" && exec "$0" "$2" "$1" 2000'
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, process.execPath, folder.path, PROCESS], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const watch = new Watch()
  let last: Said | undefined
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    for (const line of lines) last = JSON.parse(line) as Said
    watch.notice()
  })
  try {
    const full = await watch.until(() => (last?.rows.dropped ?? 0) > 100 && last, 'rows that are dropped', 60_000)
    assert.ok(full.said.includes('Ledger cannot be written; rows wait'), full.said.join())
    const { accepted, written, queued, spilled, dropped } = full.rows
    assert.ok(written > 0)
    assert.equal(accepted, written + queued + spilled + dropped)
    assert.equal(accepted, full.offered)
    // It goes on.
    await watch.until(() => last!.offered > full.offered + 1000, 'more rows')
  } finally {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
})
