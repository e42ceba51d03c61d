import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { inTime, WITHIN_A_SECOND_MS } from '../support/deadline.ts'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const RELOADED = 'Configuration file changed, reloaded automatically'
const NEW_KEY = 'fgk_the_next_one'
const keys = (key: string) => ({ api_keys: { static: [{ id: 'test', key }] } })
const ask = async (port: number, key: string): Promise<number> =>
  (await exchange(port, get('/up/x').replace(CLIENT_KEY, key))).status

test('client keys: the old one is refused, the new one let in', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  assert.equal(await ask(gateway.port, CLIENT_KEY), 200)
  assert.equal(await ask(gateway.port, NEW_KEY), 401)
  const changedAt = performance.now()
  gateway.rewrite({ ...keys(NEW_KEY), ...upTo(origin) })
  await gateway.waitForLog(RELOADED)
  assert.ok(performance.now() - changedAt < WITHIN_A_SECOND_MS)
  assert.equal(await ask(gateway.port, CLIENT_KEY), 401)
  assert.equal(await ask(gateway.port, NEW_KEY), 200)
})

test('provider keys and targets: a running stream keeps the old ones, the next request gets the new ones', async () => {
  await using before = await startOrigin(() => {})
  await using after = await startOrigin()
  await using gateway = await startGateway(upTo(before))
  using client = await connect(gateway.port)
  void client.write(get('/up/stream'))
  const { connection } = await before.request()
  await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
  await client.untilContent('half')
  gateway.rewrite(upTo(after, { api_key: 'sk-next' }))
  await gateway.waitForLog(RELOADED)
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  assert.deepEqual((await after.request()).values('authorization'), ['Bearer sk-next'])
  await connection.write('time')
  assert.equal((await client.response()).text, 'halftime')
  void client.write(get('/up/again'))
  assert.equal((await client.response(1)).status, 200, 'its connection is kept')
  assert.equal((await after.request(1)).target, '/again')
  assert.equal(before.requests.length, 1)
})

test('an upload that began before goes where it began', async () => {
  await using before = await startOrigin()
  await using after = await startOrigin()
  await using gateway = await startGateway(upTo(before))
  using client = await connect(gateway.port)
  await client.write(
    `POST /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: 10\r\n\r\nhello`,
  )
  await before.request()
  gateway.rewrite({ ...keys(NEW_KEY), ...upTo(after) })
  await gateway.waitForLog(RELOADED)
  await client.write('world')
  assert.equal((await client.response()).status, 200)
  assert.equal(before.requests[0]?.text, 'helloworld')
  void client.write(get('/up/x'))
  assert.equal((await client.response(1)).status, 401, 'the next request on this connection is judged anew')
})

test('the address: the new one is served, the old one closed, and no connection is dropped', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  const oldPort = gateway.port
  using client = await connect(oldPort)
  void client.write(get('/up/x'))
  const { connection } = await origin.request()
  gateway.rewrite({ server: { bind_address: '127.0.0.2:0' }, ...upTo(origin) })
  await gateway.waitForLog('Bind address changed, restarting server')
  await gateway.waitForLog('Fluxgate proxy server listening on', 2)
  const fresh = await connect(gateway.port, { host: '127.0.0.2' })
  fresh.socket.destroy()
  await assert.rejects(connect(oldPort), { code: 'ECONNREFUSED' })
  await connection.write(ok('from before'))
  assert.equal((await client.response()).text, 'from before')
})

test('an address that cannot be had leaves the old one serving, with everything else of the new file', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  gateway.rewrite({ server: { bind_address: `127.0.0.1:${origin.port}` }, ...keys(NEW_KEY), ...upTo(origin) })
  await gateway.waitForLog('Failed to bind to address')
  assert.equal(await ask(gateway.port, CLIENT_KEY), 401)
  assert.equal(await ask(gateway.port, NEW_KEY), 200)
})

test('an invalid file changes nothing, and says so once', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  const invalid = 'Configuration file changed but validation failed; keeping previous settings'
  gateway.rewrite({ ...upTo(origin), api_keys: { static: [{ id: 'test', key: CLIENT_KEY, upstreams: ['nobody'] }] } })
  await gateway.waitForLog(invalid)
  assert.equal(await ask(gateway.port, CLIENT_KEY), 200)
  gateway.rewrite({ ...keys(NEW_KEY), ...upTo(origin) })
  await gateway.waitForLog(RELOADED)
  assert.equal(await ask(gateway.port, NEW_KEY), 200)
  assert.equal(gateway.log().split(invalid).length, 2)
  assert.ok(!gateway.log().includes(PROVIDER_KEY))
})

/** A file has settled after 150 ms of standing still. */
const BEFORE_IT_SETTLES_MS = 140

test('SIGHUP does not wait for the file to settle', () =>
  inTime(BEFORE_IT_SETTLES_MS, async () => {
    await using origin = await startOrigin()
    await using gateway = await startGateway(upTo(origin))
    gateway.rewrite({ ...keys(NEW_KEY), ...upTo(origin) })
    const changedAt = performance.now()
    gateway.signal('SIGHUP')
    await gateway.waitForLog(RELOADED)
    const elapsed = performance.now() - changedAt
    assert.equal(await ask(gateway.port, NEW_KEY), 200)
    return elapsed
  }))
