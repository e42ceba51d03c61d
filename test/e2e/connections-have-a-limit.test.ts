import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { within } from '../support/deadline.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'

const server = { max_connections: 2 }

test('past it, a request gets 503 while all others are at work', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server, ...upTo(origin) })
  using first = await connect(gateway.port)
  using second = await connect(gateway.port)
  void first.write(get('/up/1'))
  void second.write(get('/up/2'))
  await origin.request(1)
  for (let i = 0; i < 3; i++) {
    using late = await connect(gateway.port)
    void late.write(get('/up/3'))
    const response = await late.response()
    assert.equal(response.status, 503)
    assert.equal(response.value('retry-after'), '1')
    assert.equal(response.value('connection'), 'close')
    assert.equal(response.value('x-fluxgate-error'), 'fluxgate_max_connections')
    assert.equal(await late.ended(), 'fin')
  }
  assert.equal((await gateway.waitForRecord()).outcome, 'refused')
  assert.equal(origin.requests.length, 2)
  for (const [i, client] of [first, second].entries()) {
    await origin.requests[i]?.connection.write(ok('ok'))
    assert.equal((await client.response()).text, 'ok', 'who was there before is served')
  }
})

test('past it, a new connection takes the place of the longest idle one', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server, ...upTo(origin) })
  using first = await connect(gateway.port)
  void first.write(get('/up/1'))
  await first.response()
  using second = await connect(gateway.port)
  void second.write(get('/up/2'))
  await second.response()
  using third = await connect(gateway.port)
  void third.write(get('/up/3'))
  assert.equal((await third.response()).status, 200)
  assert.equal(await first.ended(), 'fin')
  assert.equal(second.ending, undefined)
  using fourth = await connect(gateway.port)
  void fourth.write(get('/up/4'))
  assert.equal((await fourth.response()).status, 200)
  await second.ended()
  assert.equal(third.ending, undefined)
})

test('one that has not sent a byte is idle', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server, ...upTo(origin) })
  using silent = await connect(gateway.port)
  using other = await connect(gateway.port)
  void other.write(get('/up/1'))
  await other.response()
  using late = await connect(gateway.port)
  void late.write(get('/up/2'))
  assert.equal((await late.response()).status, 200)
  await silent.ended()
  assert.equal(silent.receivedBytes, 0)
  assert.equal(other.ending, undefined)
})

test('one that has ended does not count', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server, ...upTo(origin) })
  using busy = await connect(gateway.port)
  void busy.write(get('/up/busy'))
  const { connection } = await origin.request()
  for (let i = 1; i <= 20; i++) {
    using client = await connect(gateway.port)
    void client.write(get(`/up/${i}`))
    await (await origin.request(i)).connection.write(ok('ok'))
    assert.equal((await client.response()).status, 200)
    client.reset()
  }
  await connection.write(ok('ok'))
  assert.equal((await busy.response()).status, 200, 'nobody took its place')
})

for (const [what, request] of [
  ['refused for good', 'GET / HTTP/1.0\r\n\r\n'],
  ['answered for the last time', get('/up/last', 'Connection: close')],
] as const) {
  test(`one that has been ${what} gives way, before an idle one`, async () => {
    await using origin = await startOrigin()
    await using gateway = await startGateway({ server, ...upTo(origin) })
    using idle = await connect(gateway.port)
    void idle.write(get('/up/1'))
    await idle.response()
    // It neither closes nor stops sending.
    using answered = await connect(gateway.port)
    void answered.write(request)
    await answered.response()
    await answered.write('x')
    using late = await connect(gateway.port)
    void late.write(get('/up/2'))
    assert.equal((await late.response()).status, 200)
    assert.equal(idle.ending, undefined)
    await answered.ended()
  })
}

test('those past the limit that have been answered give way to others past it', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server: { max_connections: 1 }, ...upTo(origin) })
  using busy = await connect(gateway.port)
  void busy.write(get('/up/busy'))
  await origin.request()
  const answered: RawClient[] = []
  try {
    for (let i = 0; i < 600; i++) {
      const client = await connect(gateway.port)
      answered.push(client)
      void client.write(get('/up/late'))
      assert.equal((await client.response()).status, 503, `client ${i}`)
    }
  } finally {
    for (const client of answered) client[Symbol.dispose]()
  }
})

test('who waits past it without a word holds up no stop', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server: { max_connections: 1 }, ...upTo(origin) })
  using first = await connect(gateway.port)
  void first.write(get('/up/1'))
  const { connection } = await origin.request()
  using silent = await connect(gateway.port)
  using late = await connect(gateway.port)
  // Connections are taken in in their order.
  void late.write(get('/up/2'))
  assert.equal((await late.response()).status, 503)
  gateway.signal('SIGTERM')
  await silent.ended()
  await connection.write(ok('ok'))
  assert.equal((await first.response()).text, 'ok')
  assert.deepEqual(await within(gateway.exited, 'the exit'), { code: 0, signal: null })
})
