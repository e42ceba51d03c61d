import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { COMMAND, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connectUnix, exchange } from '../support/raw-client.ts'

test('several gateways with one file, and reloads move none of them', async () => {
  await using origin = await startOrigin()
  const config = { server: { bind_address: '127.0.0.1:1' }, ...upTo(origin) }
  await using gateway = await startGateway(config, { args: ['--bind-address', '127.0.0.2:0'] })
  const host = '127.0.0.2'
  assert.equal((await exchange(gateway.port, get('/up/'), { host })).status, 200)
  gateway.rewrite({ server: { bind_address: '127.0.0.1:0' }, ...upTo(origin) })
  await gateway.waitForLog('reloaded automatically')
  assert.equal((await exchange(gateway.port, get('/up/'), { host })).status, 200)
  assert.doesNotMatch(gateway.log(), /Bind address changed|Failed to bind/)
})

test('a Unix socket, with the mode that the file gives, now and later', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'fg-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const socket = path.join(folder, 'x.sock')
  await using origin = await startOrigin()
  const config = (socket_mode: string) => ({ server: { socket_mode }, ...upTo(origin) })
  await using gateway = await startGateway(config('0600'), { args: [`--bind-address=unix:${socket}`] })
  using client = await connectUnix(socket)
  void client.write(get('/up/'))
  assert.equal((await client.response()).status, 200)
  assert.ok(gateway.log().includes(`listening on unix:${socket}`))
  gateway.rewrite(config('0666'))
  await gateway.waitForLog('reloaded automatically')
  void client.write(get('/up/'))
  assert.equal((await client.response(1)).status, 200)
})

test('it holds while the file is missing or wrong, even in its address', async () => {
  for (const text of ['version: 2\n', 'version: 1\nserver: { bind_address: localhost:80 }\n', '{']) {
    await using gateway = await startGateway(text, { args: ['--bind-address', '127.0.0.1:0'] })
    assert.equal((await exchange(gateway.port, get('/up/'))).status, 503)
  }
})

test('what is no address is a mistake on the command line', () => {
  for (const text of ['localhost:80', '8080', 'unix:', `unix:/${'x'.repeat(200)}`]) {
    const { status, stderr, stdout } = spawnSync(COMMAND, ['--bind-address', text], { encoding: 'utf8' })
    assert.equal(status, 2)
    assert.ok(stderr.startsWith(`error: invalid value '${text}' for '--bind-address <ADDRESS>': `), stderr)
    assert.match(stderr, /\nUsage: fluxgate \[OPTIONS\]\n/)
    assert.equal(stdout, '')
  }
})

test('the demo has no use for a Unix socket', () => {
  const { status, stderr } = spawnSync(COMMAND, ['demo', '--bind-address', 'unix:/tmp/x'], { encoding: 'utf8' })
  assert.equal(status, 2)
  assert.match(stderr, /^error: .*not on a Unix socket\n/)
})
