import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { within } from '../../support/deadline.ts'
import { makeFifo } from '../config/configuration-folder.ts'

const PROCESS = fileURLToPath(new URL('threaded-process.ts', import.meta.url))

async function run(t: TestContext, ...args: string[]): Promise<{ code: unknown; out: string; err: string }> {
  const child = spawn(process.execPath, [PROCESS, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const [[code, signal], out, err] = await within(
    Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]),
    'the end of the process',
  )
  return { code: code ?? signal, out, err }
}

test('a thread that waits holds no process', async (t) => {
  assert.deepEqual(await run(t, 'wait', ''), { code: 0, out: '', err: 'up\n' })
})

test('what a thread writes goes nowhere, and the process exits with its code', async (t) => {
  assert.deepEqual(await run(t, 'talk', '', '7'), { code: 7, out: '', err: 'up\n' })
})

test('and so it does while the thread waits for the system, for ever', {
  skip: process.platform === 'win32' ? 'there are no FIFOs' : false,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fluxgate-threads-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const fifo = join(folder, 'fifo')
  makeFifo(fifo)
  for (const code of [0, 143]) {
    assert.deepEqual(await run(t, 'stuck', fifo, String(code)), { code, out: '', err: 'up\n' })
    assert.deepEqual(await run(t, 'stuck', fifo, String(code), '/proc'), { code, out: '', err: 'up\n' })
  }
  // The code is lost, and the end is not.
  assert.deepEqual(await run(t, 'stuck', fifo, '0', 'filter'), { code: 'SIGKILL', out: '', err: 'up\n' })
  // Nobody is in it any more.
  assert.throws(() => openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK), { code: 'ENXIO' })
})
