import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { inTime } from '../support/deadline.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { CODE, connectHttp2, type FieldPair, request } from '../support/http2-peer.ts'
import { startOrigin } from '../support/origin.ts'

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]
const GET = request('GET', '/up/x', KEY)

test('an answer that breaks off is reset, and never ends', async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  for (const [name, answer, how] of [
    ['a length that is short', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', 'fin'],
    ['chunks without their end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', 'fin'],
    ['chunks that are none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', 'nonsense'],
    ['until close, and reset', 'HTTP/1.1 200 OK\r\n\r\nhello', 'rst'],
  ] as const) {
    await t.test(name, async () => {
      origin.answer = async ({ connection }) => {
        await connection.write(answer)
        await client.until(() => client.streams.get(client.lastId)?.bytes === 5, 'what came of it')
        if (how === 'fin') await connection.fin()
        if (how === 'rst') connection.reset()
        if (how === 'nonsense') await connection.write('x\r\n')
      }
      const stream = await client.open(GET).ended()
      assert.equal(stream.text, 'hello')
      assert.equal(stream.hasEnded, false)
      assert.equal(stream.reset, CODE.internal)
    })
  }
  await t.test('until close, and closed: that is whole', async () => {
    origin.answer = async ({ connection }) => {
      await connection.write('HTTP/1.1 200 OK\r\n\r\nhello')
      await connection.fin()
    }
    const stream = await client.open(GET).ended()
    assert.equal(stream.text, 'hello')
    assert.equal(stream.hasEnded, true)
    assert.equal(stream.reset, undefined)
  })
  await t.test('before its head: 502', async () => {
    origin.answer = ({ connection }) => connection.reset()
    const stream = await client.open(request('POST', '/up/x', KEY)).ended()
    assert.equal(stream.status, '502')
    assert.equal(stream.hasEnded, true)
  })
})

test("a client's reset cancels upstream", async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  let n = 0
  await t.test('before the answer', () =>
    inTime(100, async () => {
      origin.answer = () => {}
      const stream = client.open(GET)
      const { connection } = await origin.request(n++)
      const began = performance.now()
      stream.cancel()
      await connection.ended()
      return connection.endedAt - began
    }),
  )
  await t.test('in its middle', () =>
    inTime(100, async () => {
      origin.answer = async ({ connection }) => {
        await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
      }
      const stream = client.open(GET)
      const { connection } = await origin.request(n++)
      await client.until(() => stream.bytes === 5, 'content')
      const began = performance.now()
      stream.cancel()
      await connection.ended()
      return connection.endedAt - began
    }),
  )
  await t.test('in the middle of its request, which never looks whole', async () => {
    origin.answer = () => {}
    const stream = client.open(request('POST', '/up/x', KEY), false)
    stream.data('hello')
    const { connection, message } = await origin.request(n++)
    await origin.until(() => message.bodyBytes > 0, 'content')
    stream.cancel()
    await connection.ended()
    assert.equal(message.state, 'truncated')
  })
  await gateway.until(() => gateway.records().length === n, 'a record each')
  for (const record of gateway.records()) assert.equal(record.outcome, 'client_abort')
  await t.test('and so does the end of its connection', async () => {
    client.open(GET)
    const { connection } = await origin.request(n)
    client.socket.resetAndDestroy()
    await connection.ended()
    assert.equal(
      (await gateway.waitForRecord((record) => gateway.records().indexOf(record) === n)).outcome,
      'client_abort',
    )
  })
})

test('a client that resets right after the end of an event stream has had all of it', async () => {
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\ndata: [DONE]\r\n')
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  const stream = client.open(GET)
  await client.until(() => stream.bytes === 12, 'its last event')
  stream.cancel()
  void (await origin.request()).connection.write('0\r\n\r\n')
  assert.equal((await gateway.waitForRecord()).outcome, 'complete')
})
