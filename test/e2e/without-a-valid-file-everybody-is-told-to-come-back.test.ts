import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

/** Right but for one variable that is not set: what a deployment without its secret looks like. */
const incomplete = (url: string): object => ({
  version: 1,
  server: { bind_address: '127.0.0.1:0' },
  upstreams: { up: { request_path: '/up', target_url: url, api_key: { env: 'FLUXGATE_TEST_NOT_SET' } } },
  api_keys: { static: [{ id: 'test', key: CLIENT_KEY }] },
})

test('503 for whoever asks, with a key or without, on the address of the file, until the file is right', async () => {
  await using origin = await startOrigin(ok('served'))
  await using gateway = await startGateway(JSON.stringify(incomplete(origin.url)))
  assert.match(gateway.log(), /Using default configuration due to load failure/)
  for (const request of [get('/up/x'), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', get('/up/x', 'Expect: x')]) {
    using client = await connect(gateway.port)
    void client.write(request)
    const response = await client.response()
    assert.equal(response.status, 503)
    assert.equal(response.value('x-fluxgate-error'), 'fluxgate_not_configured')
    assert.equal(response.value('retry-after'), '5')
    assert.equal(response.value('www-authenticate'), undefined, 'nobody is to throw a login away')
  }
  assert.equal((await gateway.waitForRecord()).outcome, 'refused')
  assert.equal(origin.requests.length, 0)
  gateway.rewrite(upTo(origin))
  await gateway.waitForLog('Configuration file changed, reloaded automatically')
  assert.equal((await exchange(gateway.port, get('/up/x'))).text, 'served')
})

test('a malformed request is still told what it is', async () => {
  await using gateway = await startGateway(JSON.stringify(incomplete('http://127.0.0.1:1')))
  assert.equal((await exchange(gateway.port, 'GET / HTTP/1.0\r\n\r\n')).status, 505)
})

test('--require-configuration: the problems on stderr, and exit 1', async () => {
  const config = JSON.stringify({
    ...incomplete('http://127.0.0.1:1'),
    api_keys: { static: [{ key: PROVIDER_KEY, upstream: ['up'] }] },
  })
  await using gateway = await startGateway(config, { args: ['--require-configuration'], wait: false })
  assert.deepEqual(await gateway.exited, { code: 1, signal: null })
  assert.match(
    gateway.log(),
    /upstreams\.up\.api_key: takes an environment variable that is not set: FLUXGATE_TEST_NOT_SET/,
  )
  assert.match(gateway.log(), /api_keys\.static\[0\]\.upstream: unknown, did you mean upstreams\?/)
  assert.doesNotMatch(gateway.log(), /listening|Using default/)
  assert.ok(!gateway.log().includes(PROVIDER_KEY))
})

test('--require-configuration with a valid file changes nothing', async () => {
  await using origin = await startOrigin(ok('served'))
  await using gateway = await startGateway(upTo(origin), { args: ['--require-configuration'] })
  assert.equal((await exchange(gateway.port, get('/up/x'))).text, 'served')
})
