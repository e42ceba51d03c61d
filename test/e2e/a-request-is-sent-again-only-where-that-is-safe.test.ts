import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, post, postChunked, upTo } from '../support/bytes.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, type OriginRequest, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

/** Serves the first request of every connection and ends the connection at the second one. */
const servesOnce =
  (end: (request: OriginRequest) => void) =>
  async (request: OriginRequest): Promise<void> => {
    await request.ended()
    if (request.connection.requests.length > 1) end(request)
    else await request.connection.write(ok('ok'))
  }

const withMethod = (method: string, target: string, content = ''): string =>
  post(target, content).replace('POST', method)
const seen = (origin: Origin): string[] => origin.requests.map((request) => `${request.method} ${request.target}`)

async function warmUp(gateway: RunningGateway): Promise<void> {
  assert.equal((await exchange(gateway.port, get('/up/first'))).status, 200)
}

const ends = {
  reset: (request: OriginRequest) => request.connection.reset(),
  FIN: (request: OriginRequest) => request.connection.fin(),
}
const safe: readonly (readonly [name: string, request: string])[] = [
  ['GET', get('/up/x')],
  ['HEAD', get('/up/x').replace('GET', 'HEAD')],
  ['PUT with content that is still here', withMethod('PUT', '/up/x', 'content')],
  ['DELETE', withMethod('DELETE', '/up/x')],
  ['PUT with 60 KiB of content', withMethod('PUT', '/up/x', 'x'.repeat(61_440))],
]
for (const [name, request] of safe) {
  for (const [how, end] of Object.entries(ends)) {
    test(`${name}, when a kept connection ends with a ${how} before any byte of a response`, async () => {
      await using origin = await startOrigin(servesOnce(end))
      await using gateway = await startGateway(upTo(origin))
      await warmUp(gateway)
      const response = await exchange(gateway.port, request)
      assert.equal(response.status, 200)
      const method = request.slice(0, request.indexOf(' '))
      assert.deepEqual(seen(origin), ['GET /first', `${method} /x`, `${method} /x`])
      const [first, second] = origin.requests.slice(1)
      assert.equal(second?.head, first?.head)
      assert.ok(second?.message.rawBody.equals(first!.message.rawBody))
      assert.notEqual(second?.connection, first?.connection)
    })
  }
}

const unsafe: readonly (readonly [name: string, request: string])[] = [
  ['POST', post('/up/x', 'tokens cost money')],
  ['POST without content', post('/up/x', '')],
  ['PATCH', withMethod('PATCH', '/up/x', 'x')],
  ['a chunked POST', `${postChunked('/up/x')}2\r\nhi\r\n0\r\n\r\n`],
  ['PUT with content that is not here any more', withMethod('PUT', '/up/x', 'x'.repeat(200_000))],
]
for (const [name, request] of unsafe) {
  test(`but not ${name}`, async () => {
    await using origin = await startOrigin(servesOnce(ends.reset))
    await using gateway = await startGateway(upTo(origin))
    await warmUp(gateway)
    const response = await exchange(gateway.port, request)
    assert.equal(response.status, 502)
    assert.equal(response.value('x-fluxgate-error'), 'fluxgate_reused_conn_lost')
    assert.equal(seen(origin).length, 2)
    assert.equal((await gateway.waitForRecord((record) => record.status === 502)).outcome, 'upstream_abort')
  })
}

test('nor anything twice', async () => {
  await using origin = await startOrigin(async (request) => {
    if (request.target === '/first') await request.connection.write(ok('ok'))
    else request.connection.reset()
  })
  await using gateway = await startGateway(upTo(origin))
  await warmUp(gateway)
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 502)
  assert.deepEqual(seen(origin), ['GET /first', 'GET /x', 'GET /x'])
})

test('nor on a fresh connection', async () => {
  await using origin = await startOrigin((request) => request.connection.reset())
  await using gateway = await startGateway(upTo(origin))
  const response = await exchange(gateway.port, get('/up/x'))
  assert.equal(response.status, 502)
  assert.equal(response.value('x-fluxgate-error'), 'fluxgate_upstream_reset')
  assert.deepEqual(seen(origin), ['GET /x'])
})

test('nor once a byte of a response has come', async () => {
  await using origin = await startOrigin(
    servesOnce(async ({ connection }) => {
      await connection.write('HTTP/1.1 103 Early Hints\r\n\r\n')
      connection.fin()
    }),
  )
  await using gateway = await startGateway(upTo(origin))
  await warmUp(gateway)
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 502)
  assert.deepEqual(seen(origin), ['GET /first', 'GET /x'])
})

test('nor what the provider has refused', async () => {
  for (const status of [429, 500, 503, 529]) {
    await using origin = await startOrigin(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`)
    await using gateway = await startGateway(upTo(origin))
    assert.equal((await exchange(gateway.port, get('/up/x'))).status, status)
    assert.equal(origin.requests.length, 1)
  }
})

test('a connection that has ended while it was idle is not used, so that no POST is lost on it', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  for (let i = 0; i < 30; i++) {
    void client.write(post('/up/x', `${i}`))
    assert.equal((await client.response(i)).status, 200, `POST ${i}`)
    origin.requests[i]?.connection.fin() // the next POST leaves in the instant after it
  }
  assert.deepEqual(
    origin.requests.map((request) => request.text),
    Array.from({ length: 30 }, (_, i) => `${i}`),
  )
})

test('nor is one on which something came that nobody asked for', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(post('/up/x', '1'))
  await client.response(0)
  const { connection } = origin.requests[0]!
  await connection.write(ok('poison'))
  await connection.ended()
  void client.write(post('/up/x', '2'))
  assert.equal((await client.response(1)).text, 'ok')
})

test('an upstream that announces how long it keeps connections is left a second before', async () => {
  await using origin = await startOrigin(ok('ok', 'Keep-Alive: timeout=1'))
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  for (let i = 0; i < 2; i++) {
    void client.write(get('/up/x'))
    await client.response(i)
    await (await origin.connection(i)).ended(500)
  }
  assert.equal(origin.connections.length, 2, 'nothing is left of one second less one')
})
