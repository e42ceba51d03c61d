import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

test('in their places, and all others stay as they are', async () => {
  await using origin = await startOrigin()
  const more = {
    remove_fields: ['cf-*', 'Origin', 'x-both', 'x-f*', 'c*', 't*', 'x-req*', 'request-id', 'http*', 'auth*'],
    set_fields: { 'X-Set': 'ours', 'X-Both': { env: 'X_BOTH' }, 'X-End': 'end é' },
  }
  await using gateway = await startGateway(upTo(origin, more), { env: { X_BOTH: 'secret-of-both\n' } })
  const lines = [
    'cF-Ray: 1',
    'TE: trailers',
    'x-set:  theirs',
    'X-Kept:   1 ',
    'ORIGIN: https://a.example',
    'CF-Visitor: {"scheme":"https"}',
    'x-both: 1',
    'Accept:*/*',
    'X-SET: again',
    'X-Fluxgate-Key: ',
    'X-Forwarded-For: 203.0.113.7',
    'Trailer: a',
    'X-Request-Id: 1',
    'HTTP2-Settings: b',
    'Request-Id: 2',
    'x-both: 2',
    'Content-Length: 0',
  ]
  const response = await exchange(gateway.port, get('/up/x', ...lines))
  assert.equal(response.status, 200)
  const request = await origin.request()
  assert.deepEqual(request.lines, [
    `Host: 127.0.0.1:${new URL(origin.url).port}`,
    `Authorization: Bearer ${PROVIDER_KEY}`,
    'TE: trailers',
    'X-Set: ours',
    'X-Kept:   1 ',
    'X-Both: secret-of-both',
    'Accept:*/*',
    'Trailer: a',
    'HTTP2-Settings: b',
    'Content-Length: 0',
    'X-End: end \xc3\xa9',
  ])
  await gateway.waitForRecord()
  assert.ok(!gateway.log().includes('secret-of-both'))
})

test('a field that is set and holds the gateway key is set all the same', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin, { set_fields: { 'X-Set': 'ours' } }))
  await exchange(gateway.port, get('/up/x', `X-Set: ${CLIENT_KEY}`, 'A: 1'))
  const { lines } = await origin.request()
  assert.deepEqual(lines.slice(2), ['A: 1', 'X-Set: ours'])
})

test('the log names the fields, at the start and after a reload', async () => {
  await using origin = await startOrigin()
  const more = { remove_fields: ['CF-*', 'via'], set_fields: { 'X-A': 'value-of-a' }, rewrite_location: true }
  await using gateway = await startGateway(upTo(origin, more), { format: 'text' })
  const said = 'upstream=up removed=cf-*, via set=X-A rewritten=location, content-location'
  await gateway.waitForLog('Fields are changed for upstream')
  const line =
    gateway
      .log()
      .split('\n')
      .find((each) => each.includes('Fields are changed')) ?? ''
  assert.ok(line.replaceAll('"', '').endsWith(said), line)
  gateway.rewrite(upTo(origin, { keep_fields: ['api-key'] }))
  await gateway.waitForLog('kept=api-key')
  assert.ok(!gateway.log().includes('value-of-a'))
})

test('keep_fields: a credential of the client goes on beside the provider key, a gateway key never', async () => {
  const other = 'fgk_another_key_of_somebody_else'
  const keys = {
    static: [
      { id: 'one', key: CLIENT_KEY },
      { id: 'two', key: other },
    ],
  }
  await using origin = await startOrigin()
  const more = { credential: 'x-api-key', keep_fields: ['authorization'] }
  await using gateway = await startGateway({ ...upTo(origin, more), api_keys: keys })
  const ask = async (...lines: string[]): Promise<string[]> => {
    const n = origin.requests.length
    const head = ['GET /up/x HTTP/1.1', 'Host: a', `X-Api-Key: ${CLIENT_KEY}`, ...lines, '', '']
    assert.equal((await exchange(gateway.port, head.join('\r\n'))).status, 200)
    return (await origin.request(n)).lines.slice(1)
  }
  const key = `X-Api-Key: ${PROVIDER_KEY}`
  assert.deepEqual(await ask('Authorization: Bearer sso', 'api-key: theirs'), [key, 'Authorization: Bearer sso'])
  assert.deepEqual(await ask(`Authorization: Bearer ${CLIENT_KEY}`), [key])
  assert.deepEqual(await ask(`Authorization: Token ${other}`), [key], "somebody else's")
  assert.deepEqual(await ask(`Authorization: Basic ${btoa(`u:${other}`)}`), [key], 'in a login')
})

test('a reload changes what is removed and set', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  await exchange(gateway.port, get('/up/x', 'X-A: 1'))
  gateway.rewrite(upTo(origin, { remove_fields: ['x-a'], set_fields: { 'X-B': '2' } }))
  await gateway.waitForLog('Configuration file changed, reloaded automatically')
  await exchange(gateway.port, get('/up/x', 'X-A: 1'))
  assert.deepEqual((await origin.request(0)).lines.slice(2), ['X-A: 1'])
  assert.deepEqual((await origin.request(1)).lines.slice(2), ['X-B: 2'])
})
