import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { CODE, connectHttp2, type FieldPair, request } from '../support/http2-peer.ts'
import { startOrigin } from '../support/origin.ts'

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]

test('a stop lets streams run to their end, and says which are the last', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  using idle = await connectHttp2(gateway.port)
  await idle.until(() => idle.hasSettings, 'its SETTINGS')
  const stream = client.open(request('GET', '/up/x', KEY))
  const { connection } = await origin.request()
  gateway.signal('SIGTERM')
  await client.until(() => client.goaways.length === 2, 'two GOAWAY')
  assert.deepEqual(client.goaways, [
    { last: 0x7fffffff, code: CODE.none },
    { last: 1, code: CODE.none },
  ])
  await idle.until(() => idle.isClosed, 'the end of the idle one')
  assert.equal(idle.goaways[0]?.code, CODE.none)
  // It came too late, and its client knows that it was not looked at.
  const late = client.open(request('POST', '/up/late', KEY), false)
  late.headers([['x-sum', '1']], true)
  const later = client.open(request('POST', '/up/later', KEY), false)
  later.data('content')
  later.headers([['x-sum', '1']], true)
  await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await stream.ended()
  assert.equal(stream.text, 'ok')
  assert.equal(stream.hasEnded, true)
  assert.equal(later.reset, undefined)
  await client.until(() => client.isClosed, 'the end')
  for (const { last } of client.goaways.slice(1)) assert.equal(last, 1)
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
  assert.equal(origin.requests.length, 1)
})

test('what a stop has to cut is reset, and never looks whole', async () => {
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello')
  })
  await using gateway = await startGateway({ ...upTo(origin), server: { shutdown_timeout_ms: 300 } })
  using client = await connectHttp2(gateway.port)
  const stream = client.open(request('GET', '/up/x', KEY))
  await client.until(() => stream.bytes === 5, 'content')
  gateway.signal('SIGTERM')
  await stream.ended()
  assert.equal(stream.reset, CODE.cancel)
  assert.equal(stream.hasEnded, false)
  assert.equal((await gateway.exited).code, 1)
})

test('an idle connection has its time, and so has one that says nothing', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({
    ...upTo(origin),
    server: { keep_alive_timeout_ms: 300, head_timeout_ms: 300 },
  })
  using client = await connectHttp2(gateway.port)
  await client.open(request('GET', '/up/x', KEY)).ended()
  await client.until(() => client.isClosed, 'the end')
  assert.deepEqual(client.goaways, [{ last: 1, code: CODE.none }])
  using slow = await connectHttp2(gateway.port)
  await slow.until(() => slow.hasSettings, 'its SETTINGS')
  // A head that never ends.
  slow.send(Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]))
  await slow.until(() => slow.isClosed, 'the end')
  assert.equal(slow.goaways.length, 1)
})
