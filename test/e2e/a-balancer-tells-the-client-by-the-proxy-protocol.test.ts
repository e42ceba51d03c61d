import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { get, post, upTo } from '../support/bytes.ts'
import { type ConfigObject, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const V1 = 'PROXY TCP4 203.0.113.9 10.0.0.1 5555 8080\r\n'
const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'
const LOCAL = `${SIGNATURE}\x20\0\0\0`
const V2_IPV6 =
  `${SIGNATURE}\x21\x21\0\x27` +
  Buffer.from('20010db8000000000000000000000009'.padEnd(64, '0'), 'hex').toString('latin1') +
  '\x15\xb3\x1f\x90\x04\0\0'
const V2_UNIX = `${SIGNATURE}\x21\x31\0\xd8${'\0'.repeat(216)}`

const WARNING = 'Closed a connection without a valid PROXY header'

const start = (origin: Origin, server: ConfigObject = {}): Promise<RunningGateway> =>
  startGateway({ server: { proxy_protocol: { from: ['127.0.0.1/32'] }, ...server }, ...upTo(origin) })

function warnings(gateway: RunningGateway): Record<string, unknown>[] {
  const lines = gateway.log().split('\n')
  return lines.filter((line) => line.includes(WARNING)).map((line) => JSON.parse(line) as Record<string, unknown>)
}

for (const [what, header, client] of [
  ['version 1', V1, '203.0.113.9'],
  ['version 2 with more behind the addresses', V2_IPV6, '2001:db8::9'],
  ['a Unix socket in front of the balancer', V2_UNIX, undefined],
] as const) {
  test(`${what}: the record says who the client is, and who the balancer`, async () => {
    await using origin = await startOrigin()
    await using gateway = await start(origin)
    using socket = await connect(gateway.port)
    void socket.write(header + post('/up/1', 'content'))
    assert.equal((await socket.response(0)).status, 200)
    void socket.write(get('/up/2'))
    assert.equal((await socket.response(1)).status, 200)
    await gateway.waitForRecord((record) => record.request_url === '/up/2')
    for (const record of gateway.records()) {
      assert.equal(record.client_ip, client)
      assert.equal(record.peer_ip, '127.0.0.1')
    }
    assert.equal((await origin.request(0)).text, 'content')
    assert.deepEqual((await origin.request(0)).values('X-Forwarded-For'), [], 'nothing is added')
  })
}

test('split at every byte, and the request with its last one', async () => {
  await using origin = await startOrigin()
  await using gateway = await start(origin)
  for (const header of [V1, V2_IPV6]) {
    const splits = Array.from({ length: header.length }, (_, at) => at + 1)
    await Promise.all(
      splits.map(async (at) => {
        using socket = await connect(gateway.port)
        await socket.writePieces([header.slice(0, at), header.slice(at) + get('/up/')])
        assert.equal((await socket.response()).status, 200)
      }),
    )
  }
  using socket = await connect(gateway.port)
  await socket.writePieces(V1 + get('/up/last'))
  assert.equal((await socket.response()).status, 200)
  await gateway.waitForRecord((record) => record.request_url === '/up/last')
  assert.ok(gateway.records().every(({ client_ip }) => client_ip === '203.0.113.9' || client_ip === '2001:db8::9'))
  assert.deepEqual(warnings(gateway), [])
})

test('LOCAL and UNKNOWN: the client is the peer itself', async () => {
  await using origin = await startOrigin()
  await using gateway = await start(origin)
  for (const header of [LOCAL, 'PROXY UNKNOWN\r\n']) {
    assert.equal((await exchange(gateway.port, header + get('/up/'), { methods: ['GET'] })).status, 200)
  }
  await gateway.until(() => gateway.records().length === 2, 'two records')
  for (const record of gateway.records()) {
    assert.equal(record.client_ip, '127.0.0.1')
    assert.equal(record.peer_ip, undefined)
  }
})

test('health checks leave no noise', async () => {
  await using origin = await startOrigin()
  await using gateway = await start(origin)
  for (const bytes of ['', LOCAL, V1, 'PROXY UNKNOWN\r\n', V1.slice(0, 9)]) {
    using fin = await connect(gateway.port)
    await fin.write(bytes)
    await fin.fin()
    assert.equal(await fin.ended(), 'fin')
    using rst = await connect(gateway.port)
    await rst.write(bytes)
    rst.reset()
  }
  assert.equal((await exchange(gateway.port, V1 + get('/up/'), { methods: ['GET'] })).status, 200)
  await gateway.waitForRecord()
  assert.equal(gateway.records().length, 1, JSON.stringify(gateway.records()))
  assert.doesNotMatch(gateway.log(), /"WARN"|"ERROR"/)
})

test('a peer that sends none, or a broken one, is closed at once without an answer', async () => {
  await using origin = await startOrigin()
  for (const [bytes, error] of [
    [get('/up/'), 'no_header'],
    ['G', 'no_header'],
    ['PROXY TCP4 localhost 10.0.0.1 1 2\r\n', 'malformed'],
    ['PROXY UNKNOWN '.padEnd(107), 'too_long'],
    [`${SIGNATURE}\x21\x11\0\x0b`, 'malformed'],
    [`${SIGNATURE}\x21\x11\xff\xff`, 'too_long'],
  ] as const) {
    await using gateway = await start(origin)
    using socket = await connect(gateway.port)
    await socket.write(bytes)
    await socket.ended()
    assert.equal(socket.received, '')
    await gateway.waitForLog(WARNING)
    const [warning] = warnings(gateway)
    assert.equal(warning?.level, 'WARN')
    assert.equal(warning?.peer_ip, '127.0.0.1')
    assert.equal(warning?.error, error)
    // The next ones are counted, and not said one by one.
    for (let i = 0; i < 20; i++) {
      using another = await connect(gateway.port)
      await another.write('GET')
      await another.ended()
    }
    assert.equal((await exchange(gateway.port, V1 + get('/up/'), { methods: ['GET'] })).status, 200)
    await gateway.waitForRecord()
    assert.equal(warnings(gateway).length, 1)
    assert.equal(gateway.records().length, 1, JSON.stringify(gateway.records()))
  }
})

test('from others it is a malformed request, and they need none', async () => {
  await using origin = await startOrigin()
  await using gateway = await start(origin, { proxy_protocol: { from: ['192.0.2.0/24', 'unix'] } })
  assert.equal((await exchange(gateway.port, get('/up/'))).status, 200)
  assert.equal((await exchange(gateway.port, V1 + get('/up/'), { methods: ['GET'] })).status, 400)
  assert.equal((await exchange(gateway.port, V2_IPV6, { methods: ['GET'] })).status, 400)
  await gateway.until(() => gateway.records().some(({ status }) => status === 400), 'the record')
  assert.ok(gateway.records().every(({ client_ip, peer_ip }) => client_ip === '127.0.0.1' && peer_ip === undefined))
})

test('a header that comes too slowly has the time of a head; silence ends without a word', async () => {
  await using origin = await startOrigin()
  await using gateway = await start(origin, { head_timeout_ms: 1500 })
  using silent = await connect(gateway.port)
  await silent.ended()
  assert.equal(silent.received, '')
  assert.deepEqual(warnings(gateway), [])
  using slow = await connect(gateway.port)
  await slow.write(V1.slice(0, 20))
  await slow.ended()
  assert.equal(slow.received, '')
  await gateway.waitForLog(WARNING)
  assert.equal(warnings(gateway)[0]?.error, 'timeout')
})

test('whoever goes before its header is whole has not been slow', async () => {
  await using origin = await startOrigin()
  await using gateway = await start(origin, {
    head_timeout_ms: 300,
    proxy_protocol: { from: ['127.0.0.1', '127.0.0.2'] },
  })
  using gone = await connect(gateway.port)
  await gone.write(V1.slice(0, 20))
  gone.socket.end()
  await gone.ended()
  // Its time is up later.
  const slow = net.connect({ port: gateway.port, host: '127.0.0.1', localAddress: '127.0.0.2' })
  slow.write(V1.slice(0, 20))
  await once(slow.resume(), 'close')
  await gateway.waitForLog(WARNING)
  assert.equal(warnings(gateway)[0]?.peer_ip, '127.0.0.2')
})

test('a reload switches it on and off for connections that come then', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using before = await connect(gateway.port)
  void before.write(get('/up/'))
  assert.equal((await before.response(0)).status, 200)
  gateway.rewrite({ server: { proxy_protocol: { from: ['127.0.0.0/8'] } }, ...upTo(origin) })
  await gateway.waitForLog('reloaded automatically')
  void before.write(get('/up/'))
  assert.equal((await before.response(1)).status, 200)
  using with1 = await connect(gateway.port)
  void with1.write(V1 + get('/up/'))
  assert.equal((await with1.response(0)).status, 200)
  gateway.rewrite(upTo(origin))
  await gateway.waitForLog('reloaded automatically', 2)
  void with1.write(get('/up/'))
  assert.equal((await with1.response(1)).status, 200)
  assert.equal((await exchange(gateway.port, get('/up/'))).status, 200)
})

test('a stop closes who waits with a header, at the limit such a one gives way', async () => {
  await using origin = await startOrigin()
  await using gateway = await start(origin, { max_connections: 1 })
  using first = await connect(gateway.port)
  await first.write(V1.slice(0, 30))
  using second = await connect(gateway.port)
  void second.write(V1 + get('/up/'))
  assert.equal((await second.response()).status, 200)
  assert.equal(await first.ended(), 'fin')
  using third = await connect(gateway.port)
  await third.write(V1.slice(0, 30))
  gateway.signal('SIGTERM')
  await third.ended()
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
  assert.deepEqual(warnings(gateway), [])
})

test('it holds also while the rest of the file is wrong: everybody is told to come back', async () => {
  await using gateway = await startGateway(
    JSON.stringify({
      version: 2,
      server: { bind_address: '127.0.0.1:0', proxy_protocol: { from: ['127.0.0.1'] } },
    }),
  )
  assert.equal((await exchange(gateway.port, V1 + get('/up/'), { methods: ['GET'] })).status, 503)
  assert.equal((await gateway.waitForRecord()).client_ip, '203.0.113.9')
})
