import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLIENT_KEY, type ConfigObject, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import {
  CODE,
  connectHttp2,
  type FieldPair,
  frame,
  type Http2Origin,
  type PeerStream,
  request,
  startHttp2Origin,
  TYPE,
  u32,
} from '../support/http2-peer.ts'

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]

const over = (origin: Http2Origin, more: ConfigObject = {}): ConfigObject => ({
  upstreams: {
    up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY, protocol: 'http2', ...more },
  },
})

const goaway = (last: number): Buffer => frame(TYPE.goaway, 0, 0, Buffer.concat([u32(last), u32(CODE.none)]))

/** More than a client without windows takes, and not more than the gateway holds. */
const CONTENT = 'x'.repeat(40_000)

function answer(stream: PeerStream, status: string): void {
  stream.headers([[':status', status]])
  for (let at = 0; at < CONTENT.length; at += 10_000)
    stream.data(CONTENT.slice(at, at + 10_000), at + 10_000 === CONTENT.length)
}

/** Sends an answer whole, which its client does not take yet, and then this. */
async function answered(end: (stream: PeerStream) => void): Promise<{ stream: PeerStream; outcome: unknown }> {
  await using origin = await startHttp2Origin((stream) => {
    answer(stream, '200')
    end(stream)
  })
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port, { settings: { 4: 0 }, takesContent: false })
  const stream = client.open(request('POST', '/up/x', KEY), false)
  await client.until(() => stream.status, 'the head')
  const [peer] = origin.peers
  await peer!.until(() => peer!.isClosed || peer!.pongs > 0, 'what the gateway says to that')
  stream.data('the end', true)
  stream.takeAll()
  await stream.ended()
  return { stream, outcome: (await gateway.waitForRecord()).outcome }
}

for (const [how, end] of [
  [
    'does not want the rest of its request',
    ({ peer, id }) => peer.send(frame(TYPE.rst, 0, id, u32(CODE.none)), frame(TYPE.ping, 0, 0, Buffer.alloc(8))),
  ],
  [
    'has closed its connection',
    ({ peer, id }) => {
      peer.send(goaway(id))
      peer.socket.end()
    },
  ],
] as const satisfies readonly (readonly [string, (stream: PeerStream) => void])[]) {
  test(`an answer that has come whole reaches a slow client, though its upstream ${how}`, async () => {
    const { stream, outcome } = await answered(end)
    assert.equal(stream.reset, undefined)
    assert.equal(stream.text, CONTENT)
    assert.equal(outcome, 'complete')
  })
}

test('an upload whose upstream has answered and gone ends, and its client has its answer', async () => {
  await using origin = await startHttp2Origin((stream) => {
    answer(stream, '413')
    stream.peer.send(goaway(stream.id))
    stream.peer.socket.end()
  })
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port, { settings: { 4: 0 }, takesContent: false })
  const stream = client.open(request('POST', '/up/x', KEY), false)
  await client.until(() => stream.status, 'the head')
  await origin.until(() => origin.peers[0]!.isClosed, 'the end of its connection')
  stream.takeAll()
  await stream.ended()
  assert.equal(stream.text.length, CONTENT.length)
  assert.ok(stream.hasEnded)
  await gateway.waitForRecord()
})
