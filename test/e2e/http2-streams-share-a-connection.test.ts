import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import {
  connectHttp2,
  type FieldPair,
  frame,
  type PeerStream,
  request,
  startHttp2Origin,
  TYPE,
  u32,
} from '../support/http2-peer.ts'
import { startOrigin } from '../support/origin.ts'

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]
const STREAMS = 100
const EVENTS = 20
const event = (stream: string, n: number): string => `data: {"stream":"${stream}","event":${n}}\n\n`
const whole = (stream: string): string => Array.from({ length: EVENTS }, (_, n) => event(stream, n)).join('')

async function readAll(port: number): Promise<void> {
  using client = await connectHttp2(port)
  const streams = Array.from({ length: STREAMS }, (_, n) => client.open(request('GET', `/up/${n}`, KEY)))
  for (const [n, stream] of streams.entries()) {
    await stream.ended()
    assert.equal(stream.hasEnded, true)
    assert.equal(stream.text, whole(`/${n}`))
  }
}

test('a hundred event streams on one connection', async () => {
  await using origin = await startOrigin(async ({ target, connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let n = 0; n < EVENTS; n++) {
      const text = event(target, n)
      await connection.write(`${text.length.toString(16)}\r\n${text}\r\n`)
    }
    await connection.write('0\r\n\r\n')
  })
  await using gateway = await startGateway(upTo(origin))
  await readAll(gateway.port)
  await gateway.until(() => gateway.records().length === STREAMS, 'a record each')
  for (const record of gateway.records()) {
    assert.equal(record.outcome, 'complete')
    assert.equal(record.response_bytes, whole(record.request_url.slice('/up'.length)).length)
  }
})

test('a hundred event streams on one connection of each side', async () => {
  const running: PeerStream[] = []
  await using origin = await startHttp2Origin((stream) => {
    stream.headers([[':status', '200']])
    running.push(stream)
    if (running.length < STREAMS) return
    for (let n = 0; n < EVENTS; n++)
      for (const each of running) each.data(event(each.value(':path')!, n), n === EVENTS - 1)
  })
  await using gateway = await startGateway({
    upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: 'sk-provider-0123', protocol: 'http2' } },
  })
  await readAll(gateway.port)
  assert.equal(origin.peers.length, 1)
})

test('a stream whose client does not read holds up no other', async () => {
  await using origin = await startOrigin(async ({ target, connection }) => {
    const length = target === '/large' ? 1_000_000 : 5
    await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`)
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port, { takesContent: false })
  // Of the connection there is enough.
  client.send(frame(TYPE.window, 0, 0, u32(1_000_000)))
  const large = client.open(request('GET', '/up/large', KEY))
  await client.until(() => large.bytes === 65_535, 'as much as its window allows')
  for (let i = 0; i < 10; i++) {
    const small = await client.open(request('GET', '/up/small', KEY)).ended()
    assert.equal(small.text, 'xxxxx')
  }
  assert.equal(large.bytes, 65_535)
  client.send(frame(TYPE.window, 0, large.id, u32(1_000_000)))
  await large.ended()
  assert.equal(large.bytes, 1_000_000)
  assert.equal(large.hasEnded, true)
})

test('windows that change while they are used up', async () => {
  await using origin = await startOrigin('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789')
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port, { settings: { 4: 0 }, takesContent: false })
  const stream = client.open(request('GET', '/up/x', KEY))
  await client.until(() => stream.status, 'its head')
  assert.equal(stream.bytes, 0)
  const initial = (bytes: number): Buffer =>
    frame(TYPE.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), u32(bytes)]))
  client.send(initial(3))
  await client.until(() => stream.bytes === 3, 'three bytes')
  // Below zero: what is given then fills up to there first.
  client.send(initial(1), frame(TYPE.window, 0, stream.id, u32(4)))
  await client.until(() => stream.bytes === 5, 'two more')
  assert.equal(stream.hasEnded, false)
  client.send(frame(TYPE.window, 0, stream.id, u32(5)))
  await stream.ended()
  assert.equal(stream.text, '0123456789')
})
