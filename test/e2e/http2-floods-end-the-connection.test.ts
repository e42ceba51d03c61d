import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import {
  block,
  CODE,
  connectHttp2,
  type FieldPair,
  frame,
  type Http2Peer,
  request,
  settings,
  TYPE,
  u32,
} from '../support/http2-peer.ts'
import { residentBytes } from '../support/memory.ts'
import { startOrigin } from '../support/origin.ts'

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]
const GET = block(request('GET', '/up/x', KEY))
const POST = block(request('POST', '/up/x', KEY))
const ROUNDS = 50_000
const MEBIBYTE = 1024 * 1024

/** Sends what `frames` makes, round after round, until the other side has had enough. */
async function flood(client: Http2Peer, frames: (round: number) => Buffer): Promise<number> {
  let round = 0
  for (; round < ROUNDS && client.goaways.length === 0 && !client.isClosed; round++) {
    client.send(frames(round))
    if (client.socket.writableNeedDrain && !client.isClosed) {
      await Promise.race([once(client.socket, 'drain'), once(client.socket, 'close')]).catch(() => {})
    }
  }
  return round
}

const FLOODS: Readonly<Record<string, (round: number) => Buffer>> = {
  'streams that are reset': (n) =>
    Buffer.concat([frame(TYPE.headers, 5, 2 * n + 1, GET), frame(TYPE.rst, 0, 2 * n + 1, u32(CODE.cancel))]),
  'streams that make us reset them': (n) =>
    Buffer.concat([frame(TYPE.headers, 4, 2 * n + 1, POST), frame(TYPE.window, 0, 2 * n + 1, u32(0))]),
  'a header block without end': (n) =>
    n === 0 ? frame(TYPE.headers, 1, 1, GET) : frame(TYPE.continuation, 0, 1, block([['x', 'y']])),
  'empty parts of one': (n) => (n === 0 ? frame(TYPE.headers, 1, 1, GET) : frame(TYPE.continuation, 0, 1)),
  PING: () => frame(TYPE.ping, 0, 0, Buffer.alloc(8)),
  SETTINGS: (n) => frame(TYPE.settings, 0, 0, settings({ 4: n % 2 })),
  PRIORITY: (n) => frame(TYPE.priority, 0, 2 * n + 1, Buffer.alloc(5)),
  'windows of one octet': (n) =>
    n === 0 ? frame(TYPE.headers, 4, 1, POST) : frame(TYPE.window, 0, n % 2 === 0 ? 0 : 1, u32(1)),
  'content without any': (n) => (n === 0 ? frame(TYPE.headers, 4, 1, POST) : frame(TYPE.data, 0, 1)),
  'padding and nothing else': (n) =>
    n === 0 ? frame(TYPE.headers, 4, 1, POST) : frame(TYPE.data, 8, 1, Buffer.from([1, 0])),
  'streams past the limit': (n) => frame(TYPE.headers, 5, 2 * n + 1, GET),
}

test('whoever makes work for nothing is cut off, and nobody else notices', async (t) => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  for (const [name, frames] of Object.entries(FLOODS)) {
    await t.test(name, async () => {
      const before = residentBytes(gateway.pid)
      const requests = origin.requests.length
      using client = await connectHttp2(gateway.port)
      await flood(client, frames)
      await client.until(() => client.goaways.length > 0, 'GOAWAY')
      assert.equal(client.goaways[0]!.code, CODE.calm)
      if (process.platform === 'linux') assert.ok(residentBytes(gateway.pid) - before < 64 * MEBIBYTE)
      // Some streams may have ended before, and made room.
      assert.ok(origin.requests.length - requests <= 400)
      using other = await connectHttp2(gateway.port)
      assert.equal((await other.open(request('GET', '/up/x')).ended()).status, '401')
    })
  }
})

test('a client that reads nothing makes us keep little', { skip: process.platform !== 'linux' }, async () => {
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`)
  })
  await using gateway = await startGateway(upTo(origin))
  const before = residentBytes(gateway.pid)
  using client = await connectHttp2(gateway.port, { settings: { 4: 0 }, takesContent: false })
  for (let n = 0; n < 100; n++) client.open(request('GET', '/up/x', KEY))
  await client.until(
    () => [...client.streams.values()].filter(({ status }) => status === '200').length === 100,
    'all heads',
  )
  assert.ok(residentBytes(gateway.pid) - before < 64 * MEBIBYTE)
  for (const stream of client.streams.values()) assert.equal(stream.bytes, 0)
})
