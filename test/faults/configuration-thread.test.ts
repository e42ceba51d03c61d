import assert from 'node:assert/strict'
import { closeSync, constants, openSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { get, upTo } from '../support/bytes.ts'
import { within } from '../support/deadline.ts'
import { CLIENT_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'
import { makeFifo } from '../unit/config/configuration-folder.ts'

const RELOADED = 'Configuration file changed, reloaded automatically'
const DIED = 'Configuration thread died, starting another'
const env = { NODE_OPTIONS: `--import=${fileURLToPath(new URL('configuration-thread.ts', import.meta.url))}` }

const status = async ({ port }: RunningGateway, target: string): Promise<number> =>
  (await exchange(port, get(target))).status

const count = (gateway: RunningGateway, text: string): number => gateway.log().split(text).length - 1

/** Until it is released, the thread that watches the configuration waits in the system, as for a file server that has gone. */
async function stick(t: TestContext, { directory }: RunningGateway): Promise<{ release(): void }> {
  const fifo = path.join(directory, 'stuck')
  makeFifo(fifo)
  // Opening it like this works only when somebody is waiting in it.
  const held = await t.waitFor(() => openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK), { timeout: 10_000 })
  return {
    release() {
      rmSync(fifo)
      closeSync(held)
    },
  }
}

describe('a file system that does not answer', { skip: process.platform === 'win32', concurrency: true }, () => {
  test('holds up no request, and what has changed meanwhile is live as soon as it answers', async (t) => {
    await using origin = await startOrigin()
    await using gateway = await startGateway(upTo(origin), { env })
    const { release } = await stick(t, gateway)
    gateway.rewrite(upTo(origin, { request_path: '/next' }))
    for (let n = 0; n < 100; n++) {
      if (n % 10 === 0) gateway.signal('SIGHUP')
      assert.equal(await status(gateway, '/up/x'), 200)
    }
    assert.equal(count(gateway, RELOADED), 0, 'the thread was there all the time')
    release()
    await gateway.waitForLog(RELOADED)
    assert.equal(await status(gateway, '/next/x'), 200)
  })

  test('holds up no stop', async (t) => {
    await using origin = await startOrigin(() => {})
    await using gateway = await startGateway(upTo(origin), { env })
    using client = await connect(gateway.port)
    void client.write(get('/up/x'))
    const { connection } = await origin.request()
    await stick(t, gateway)
    gateway.signal('SIGHUP')
    gateway.signal('SIGTERM')
    await gateway.waitForLog('Shutdown signal received')
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    assert.equal((await client.response()).text, 'ok')
    assert.deepEqual(await within(gateway.exited, 'the exit'), { code: 0, signal: null })
    assert.match(gateway.log().trimEnd().split('\n').at(-1) ?? '', /Proxy server shutdown complete/)
  })

  test('nor one at once', async (t) => {
    await using origin = await startOrigin(() => {})
    await using gateway = await startGateway(upTo(origin), { env })
    using client = await connect(gateway.port)
    void client.write(get('/up/x'))
    await origin.request()
    await stick(t, gateway)
    gateway.signal('SIGTERM')
    await gateway.waitForLog('Shutdown signal received')
    gateway.signal('SIGTERM')
    assert.deepEqual(await within(gateway.exited, 'the exit'), { code: 143, signal: null })
    assert.equal(gateway.records().length, 1)
  })
})

test('a thread that dies takes nothing along, is told once, and the next one sees what has changed', async (t) => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin), { env })
  using client = await connect(gateway.port)
  void client.write(get('/up/stream'))
  const { connection } = await origin.request()
  await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
  await client.untilContent('half')
  // Provably in the place where it is to die.
  const { release } = await stick(t, gateway)
  gateway.rewrite(upTo(origin, { request_path: '/next' }))
  gateway.signal('SIGHUP')
  writeFileSync(path.join(gateway.directory, 'die'), '')
  release()
  await gateway.waitForLog(DIED)
  await gateway.waitForLog(RELOADED)
  assert.equal(count(gateway, DIED), 1)
  assert.match(gateway.log(), /"ERROR","message":"Configuration thread died, starting another".*"error":"exit code 3"/)
  assert.equal(await status(gateway, '/up/x'), 404)
  await connection.write('time')
  assert.equal((await client.response()).text, 'halftime')
})

const MANY_KEYS = Array.from({ length: 1000 }, (_, i) => ({ id: `k${i}`, key: `fgk_${i}_0123456789` }))

test('hundreds of SIGHUPs, of a thousand keys, are a few reloads, and the last one has what was saved before it', async (t) => {
  await using origin = await startOrigin()
  const keys = (...more: object[]) => ({
    api_keys: { static: [{ id: 'test', key: CLIENT_KEY }, ...MANY_KEYS, ...more] },
  })
  await using gateway = await startGateway({ ...upTo(origin), ...keys() })
  const startedAt = performance.now()
  for (let n = 0; n < 300; n++) {
    gateway.signal('SIGHUP')
    assert.equal(await status(gateway, '/up/x'), 200)
  }
  gateway.rewrite({ ...upTo(origin), ...keys({ id: 'last', key: 'fgk_the_last_one' }) })
  gateway.signal('SIGHUP')
  const lastKey = get('/up/x').replace(CLIENT_KEY, 'fgk_the_last_one')
  await t.waitFor(async () => assert.equal((await exchange(gateway.port, lastKey)).status, 200), { timeout: 10_000 })
  // A quarter of a second lies between two of them at least.
  const most = (performance.now() - startedAt) / 250 + 2
  assert.ok(count(gateway, RELOADED) <= most, `${count(gateway, RELOADED)} of at most ${most}`)
})

test('hundreds of SIGHUPs while the file is invalid: told once', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  gateway.rewrite('version: [')
  for (let n = 0; n < 100; n++) {
    gateway.signal('SIGHUP')
    assert.equal(await status(gateway, '/up/x'), 200)
  }
  await gateway.waitForLog('keeping previous settings')
  gateway.rewrite(upTo(origin))
  gateway.signal('SIGHUP')
  await gateway.waitForLog(RELOADED)
  assert.equal(count(gateway, 'keeping previous settings'), 1)
})

test('a change that comes during a stop is no longer taken, and holds nothing up', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  const { connection } = await origin.request()
  gateway.rewrite({ server: { bind_address: '127.0.0.1:0' }, ...upTo(origin, { request_path: '/next' }) })
  gateway.signal('SIGHUP')
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Shutdown signal received')
  gateway.signal('SIGHUP')
  await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  assert.equal((await client.response()).text, 'ok')
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
  assert.doesNotMatch(gateway.log().split('Shutdown signal received')[1]!, /reloaded|listening/)
})
