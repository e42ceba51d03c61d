import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** Of all that is tried with one worker, what is about connections, bodies, stops and reloads. */
const FILES = [
  'a-broken-stream-never-looks-whole',
  'a-key-opens-only-its-upstreams',
  'a-stop-delivers-what-was-answered',
  'a-stop-lets-every-exchange-finish',
  'a-unix-socket-may-be-listened-on',
  'requests-arrive-byte-for-byte',
  'responses-arrive-byte-for-byte',
  'the-client-has-a-deadline-for-its-head',
  'trusted-proxies-tell-the-client',
]

test('two workers serve like one', { timeout: 240_000 }, async () => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const paths = FILES.map((name) => fileURLToPath(new URL(`${name}.test.ts`, import.meta.url)))
  const child = spawn(process.execPath, ['--test', '--test-concurrency=2', '--test-timeout=60000', ...paths], {
    env: { ...env, FLUXGATE_TEST_WORKERS: '2' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const output = await text(child.stdout)
  assert.equal(await exited, 0, output.slice(output.indexOf('failing tests')))
})
