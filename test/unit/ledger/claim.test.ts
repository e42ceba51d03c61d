import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../../support/ledger-rows.ts'

const CLAIMER = fileURLToPath(new URL('../../support/claimer.ts', import.meta.url))

test('of several that find the file of a dead process, no two have it', async () => {
  using folder = temporaryFolder()
  const claimers = Array.from({ length: 6 }, () => fork(CLAIMER))
  try {
    await Promise.all(claimers.map((claimer) => once(claimer, 'message')))
    for (let round = 0; round < 60; round++) {
      const path = join(folder.path, String(round))
      writeFileSync(path, '4194304 1')
      const atMs = Date.now() + 10
      const claims = claimers.map(async (claimer) => {
        const answer = once(claimer, 'message')
        claimer.send({ path, atMs })
        return (await answer)[0] as boolean
      })
      assert.ok((await Promise.all(claims)).filter(Boolean).length <= 1, `round ${round}`)
    }
  } finally {
    for (const claimer of claimers) claimer.kill()
  }
})
