import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { CODE, connectHttp2, type FieldPair, Http2Peer, request, startHttp2Origin } from '../support/http2-peer.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

/** What HTTP/1.1 and HTTP/2 have in common: limits, deadlines, balancers, reloads. */

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]
const OTHER_KEY = 'fgk_fedcba9876543210fedcba9876543210'

test('a connection past the limit is told so, and closed', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ ...upTo(origin), server: { max_connections: 1 } })
  using client = await connectHttp2(gateway.port)
  client.open(request('GET', '/up/x', KEY))
  await origin.request()
  using other = await connectHttp2(gateway.port)
  const refused = await other.open(request('GET', '/up/x', KEY)).ended()
  assert.equal(refused.status, '503')
  assert.equal(refused.value('retry-after'), '1')
  await other.until(() => other.isClosed, 'the end')
  assert.equal(other.goaways.at(-1)?.code, CODE.none)
  assert.equal(client.isClosed, false)
})

test('an idle connection makes room', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...upTo(origin), server: { max_connections: 1 } })
  using client = await connectHttp2(gateway.port)
  await client.open(request('GET', '/up/x', KEY)).ended()
  assert.equal((await exchange(gateway.port, get('/up/x'))).text, 'ok')
  await client.until(() => client.isClosed, 'its end')
  assert.equal(client.goaways[0]?.code, CODE.none)
})

test('a balancer tells the client by the PROXY protocol', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({
    ...upTo(origin),
    server: { proxy_protocol: { from: ['127.0.0.1'] } },
  })
  for (const isInPieces of [false, true]) {
    const socket = net.connect({ port: gateway.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    await once(socket, 'connect')
    socket.write('PROXY TCP4 203.0.113.9 198.51.100.1 5000 443\r\n')
    if (isInPieces) for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
    using client = new Http2Peer(socket, false, {})
    const stream = await client.open(request('GET', '/up/x', KEY)).ended()
    assert.equal(stream.text, 'ok')
  }
  await gateway.until(() => gateway.records().length === 2, 'two records')
  for (const record of gateway.records()) {
    assert.equal(record.client_ip, '203.0.113.9')
    assert.equal(record.peer_ip, '127.0.0.1')
  }
})

test('a reload holds for the next stream of a connection, and not for one that runs', async () => {
  let finish = (): void => {}
  await using origin = await startOrigin(async ({ target, connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n')
    if (target === '/slow') finish = () => void connection.write('ok')
    else await connection.write('ok')
  })
  await using second = await startHttp2Origin((stream) => stream.headers([[':status', '204']], true))
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  const slow = client.open(request('GET', '/up/slow', KEY))
  await client.until(() => slow.status, 'its head')
  gateway.rewrite({
    api_keys: { static: [{ id: 'other', key: OTHER_KEY }] },
    upstreams: { up: { request_path: '/up', target_url: second.url, api_key: PROVIDER_KEY, protocol: 'match' } },
  })
  await gateway.waitForLog('reloaded automatically')
  assert.equal((await client.open(request('GET', '/up/x', KEY)).ended()).status, '401')
  const next = client.open(request('GET', '/up/x', ['x-api-key', OTHER_KEY]))
  assert.equal((await next.ended()).status, '204')
  finish()
  assert.equal((await slow.ended()).text, 'ok')
  assert.equal(slow.hasEnded, true)
})

test('the clocks of a request run', async (t) => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({
    ...upTo(origin, { response_timeout_ms: 200 }),
    server: { body_timeout_ms: 200 },
  })
  using client = await connectHttp2(gateway.port)
  await t.test('for its answer', async () => {
    assert.equal((await client.open(request('GET', '/up/x', KEY)).ended()).status, '504')
  })
  await t.test('for its content', async () => {
    const stream = client.open(request('POST', '/up/x', KEY), false)
    stream.data('hello')
    await client.until(() => stream.reset !== undefined, 'a reset')
    assert.equal(stream.status, '408')
    assert.equal(stream.hasEnded, true)
  })
  await t.test('for an answer that stands still', async () => {
    origin.answer = async ({ connection }) => {
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello')
    }
    gateway.rewrite({ ...upTo(origin, { idle_timeout_ms: 200 }) })
    await gateway.waitForLog('reloaded automatically')
    const stream = await client.open(request('GET', '/up/x', KEY)).ended()
    assert.equal(stream.reset, CODE.internal)
    assert.equal(stream.hasEnded, false)
  })
})

test("an expectation is the upstream's to answer", async () => {
  await using origin = await startOrigin(async (incoming) => {
    await incoming.connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    await incoming.ended()
    await incoming.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  const stream = client.open(request('POST', '/up/x', KEY, ['expect', '100-continue'], ['content-length', '5']), false)
  await client.until(() => stream.status === '100', '100')
  stream.data('hello', true)
  await stream.ended()
  assert.equal(stream.status, '200')
  assert.equal((await origin.request()).text, 'hello')
})
