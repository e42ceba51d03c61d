import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ok, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const head = (key: string, expectation = '100-continue', length = 5): string =>
  `POST /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\nExpect: ${expectation}\r\nContent-Length: ${length}\r\n\r\n`

test('its 100 is relayed, and then the content', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(head(CLIENT_KEY))
  const request = await origin.request()
  assert.deepEqual(request.values('expect'), ['100-continue'])
  await request.connection.write('HTTP/1.1 100 Go on\r\nX-A: 1\r\n\r\n')
  const interim = await client.until(() => client.heads[0], 'the 100')
  assert.equal(interim.head, 'HTTP/1.1 100 Go on\r\nX-A: 1\r\n\r\n')
  void client.write('hello')
  assert.equal((await request.ended()).text, 'hello')
  await request.connection.write(ok('done'))
  assert.equal((await client.response()).text, 'done')
})

test('its refusal is relayed, and no 100 is invented', async () => {
  await using origin = await startOrigin(({ connection }) => {
    void connection.write('HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno')
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(head(CLIENT_KEY))
  // What the client sends next may be its body or another request: nobody can know, so the connection closes.
  const refusal = await client.response()
  assert.equal(refusal.head, 'HTTP/1.1 417 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\n')
  assert.equal(client.heads.length, 1)
  void client.write(`GET /up/next HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n\r\n`)
  await client.ended()
  assert.equal(origin.requests.length, 1)
  assert.equal(origin.requests[0]?.text, '', 'nothing that came later is taken for the body')
})

test('a client that does not wait is fine', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  assert.equal((await exchange(gateway.port, `${head(CLIENT_KEY)}hello`)).status, 200)
  assert.equal(origin.requests[0]?.text, 'hello')
})

test('what must be refused is refused before any 100', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  for (const length of [5, 1_000_000_000]) {
    using client = await connect(gateway.port)
    void client.write(head('nobody', '100-continue', length))
    const response = await client.response()
    assert.equal(response.status, 401)
    assert.equal(response.interim.length, 0)
    assert.equal(response.value('connection'), 'close', 'whether the content will come is unknown')
    await client.ended()
  }
  assert.equal(origin.requests.length, 0)
})

test('any other expectation is refused', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  assert.equal((await exchange(gateway.port, `${head(CLIENT_KEY, '200-ok')}hello`)).status, 417)
  assert.equal((await exchange(gateway.port, `${head(CLIENT_KEY, '100-continue, x')}hello`)).status, 417)
  assert.equal(origin.requests.length, 0)
})
