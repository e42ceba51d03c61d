import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { get, ok, post, postChunked, upTo } from '../support/bytes.ts'
import { SELF_SIGNED_CERTIFICATE, SELF_SIGNED_KEY } from '../support/certificates.ts'
import { type ConfigObject, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'
import { connectTls, PemFolder } from '../support/tls-gateway.ts'

function start(origin: Origin, tls: ConfigObject, server: ConfigObject = {}): Promise<RunningGateway> {
  return startGateway({ ...upTo(origin), server: { tls, ...server } })
}

/** The code of the alert that a client's handshake ends with. */
async function refusal(port: number, options: ConnectionOptions): Promise<string | undefined> {
  const error = await connectTls(port, options).then(
    () => undefined,
    (reason: NodeJS.ErrnoException) => reason,
  )
  return error?.code
}

test('and everything passes as it does in the clear', async () => {
  using pems = new PemFolder()
  const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n'
  await using origin = await startOrigin(answer)
  await using gateway = await start(origin, pems.pair)
  using secured = await connectTls(gateway.port)
  const { client, socket } = secured
  assert.equal(socket.getProtocol(), 'TLSv1.3')
  const large = 'x'.repeat(300_000)
  const requests = [post('/up/x', large), `${postChunked('/up/x')}1\r\na\r\n2\r\nbc\r\n0\r\n\r\n`, get('/up/y')]
  for (const [n, request] of requests.entries()) {
    await client.write(request)
    const response = await client.response(n)
    assert.equal(response.text, 'hello')
    assert.deepEqual(response.trailers, ['X-T: 1'])
  }
  assert.deepEqual(
    origin.requests.map(({ text }) => text.length),
    [large.length, 3, 0],
  )
  socket.end()
  assert.equal(await client.ended(), 'fin')
})

test('from the version on that is asked for', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin()
  await using gateway = await start(origin, pems.pair)
  await using strict = await start(origin, { ...pems.pair, min_version: 1.3 })
  const old: ConnectionOptions = { maxVersion: 'TLSv1.2' }
  using twelve = await connectTls(gateway.port, old)
  assert.equal(twelve.socket.getProtocol(), 'TLSv1.2')
  await twelve.client.write(get('/up/x'))
  assert.equal((await twelve.client.response()).status, 200)
  assert.equal(await refusal(strict.port, old), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  const older: ConnectionOptions = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
  assert.equal(await refusal(gateway.port, older), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  await strict.waitForLog('TLS handshakes with clients failed')
  assert.match(strict.log(), /"cause":"ERR_SSL_UNSUPPORTED_PROTOCOL"/)
})

test('with the certificate that carries the name a client asks for, else with the first', async () => {
  using pems = new PemFolder()
  pems.write('self.pem', SELF_SIGNED_CERTIFICATE)
  pems.write('self-key.pem', SELF_SIGNED_KEY)
  const named = { cert: pems.file('named.pem'), key: pems.file('named-key.pem') }
  const first = { cert: pems.file('self.pem'), key: pems.file('self-key.pem') }
  await using origin = await startOrigin()
  await using gateway = await start(origin, { certificates: [first, named] })
  const shownTo = async (servername: string | undefined): Promise<string> => {
    using secured = await connectTls(gateway.port, {
      rejectUnauthorized: false,
      ...(servername !== undefined && { servername }),
    })
    await secured.client.write(get('/up/x'))
    assert.equal((await secured.client.response()).status, 200)
    return secured.commonName
  }
  assert.deepEqual(
    [
      await shownTo('provider.test'),
      await shownTo('PROVIDER.TEST'),
      await shownTo('other.test'),
      await shownTo(undefined),
    ],
    ['othername', 'othername', 'self', 'self'],
  )
})

test('with HTTP/1.1 where a client offers that or nothing, and a fatal alert where it offers neither', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin()
  await using gateway = await start(origin, pems.pair)
  using both = await connectTls(gateway.port, { ALPNProtocols: ['spdy/3', 'http/1.1'] })
  assert.equal(both.socket.alpnProtocol, 'http/1.1')
  using silent = await connectTls(gateway.port)
  assert.equal(silent.socket.alpnProtocol, false)
  const code = await refusal(gateway.port, { ALPNProtocols: ['spdy/3'] })
  assert.equal(code, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL')
})

test('behind a PROXY header, which comes before it in the clear', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin()
  await using gateway = await start(origin, pems.pair, { proxy_protocol: { from: ['127.0.0.1'] } })
  for (const header of ['PROXY TCP4 203.0.113.9 10.0.0.1 5555 443\r\n', 'PROXY UNKNOWN\r\n']) {
    const socket = net.connect(gateway.port, '127.0.0.1')
    // Both wait until it is connected, so they come together.
    socket.write(header)
    using secured = await connectTls(gateway.port, { socket })
    await secured.client.write(get('/up/x'))
    assert.equal((await secured.client.response()).status, 200)
  }
  await gateway.until(() => gateway.records().length === 2, 'two records')
  const ips = gateway.records().map(({ client_ip, peer_ip }) => [client_ip, peer_ip])
  assert.deepEqual(ips, [
    ['203.0.113.9', '127.0.0.1'],
    ['127.0.0.1', undefined],
  ])
  using headless = await connect(gateway.port)
  await headless.write('\x16\x03\x01')
  await headless.ended()
  await gateway.waitForLog('Closed a connection without a valid PROXY header')
})

test('to a client that reads slowly, without holding its answer', async () => {
  using pems = new PemFolder()
  const size = 20_000_000
  await using origin = await startOrigin(ok('x'.repeat(size)))
  await using gateway = await start(origin, pems.pair)
  using secured = await connectTls(gateway.port, { paused: true, keepBytes: 0 })
  const { client } = secured
  await client.write(get('/up/x'))
  const { connection } = await origin.request()
  // Until everything between the two is full.
  let last = -1
  for (let same = 0; same < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    const left = connection.socket.writableLength
    same = left === last ? same + 1 : 0
    last = left
  }
  assert.ok(last > 0, 'the origin is held back')
  client.resume()
  const response = await client.response()
  assert.equal(response.contentBytes, size)
})

for (const leave of ['close_notify', 'FIN', 'RST'] as const) {
  test(`a client that leaves by ${leave} cancels its exchange`, async () => {
    using pems = new PemFolder()
    await using origin = await startOrigin(async ({ connection }) => {
      await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n')
    })
    await using gateway = await start(origin, pems.pair)
    const lower = net.connect(gateway.port, '127.0.0.1')
    using secured = await connectTls(gateway.port, { socket: lower })
    await secured.client.write(get('/up/x'))
    await secured.client.untilContent('some')
    if (leave === 'close_notify') secured.socket.end()
    else if (leave === 'FIN') lower.end()
    else lower.resetAndDestroy()
    const { connection } = await origin.request()
    await connection.ended()
    assert.equal((await gateway.waitForRecord()).outcome, 'client_abort')
  })
}

test('on a Unix socket as well', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin()
  const socketPath = pems.file('gateway.sock')
  await using gateway = await start(origin, pems.pair, { bind_address: `unix:${socketPath}` })
  using secured = await connectTls(0, { socket: net.connect(socketPath), host: '127.0.0.1' } as ConnectionOptions)
  await secured.client.write(get('/up/x'))
  assert.equal((await secured.client.response()).status, 200)
  assert.equal((await gateway.waitForRecord()).client_ip, undefined)
})

test('a WebSocket goes through it', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello')
    connection.socket.on('data', (bytes: Buffer) => connection.socket.write(bytes))
  })
  const upstreams = { up: { request_path: '/up', target_url: origin.url, api_key: 'provider-key', websocket: true } }
  await using gateway = await startGateway({ upstreams, server: { tls: pems.pair } })
  using secured = await connectTls(gateway.port)
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  ]
  await secured.client.write(get('/up/ws', ...upgrade))
  await secured.client.until(() => secured.client.received.endsWith('hello'), 'what came behind the 101')
  const large = 'x'.repeat(200_000)
  await secured.client.write(large)
  await secured.client.until(() => secured.client.received.endsWith(`hello${large}`), 'the echo')
  secured.socket.end()
  await secured.client.ended()
})

test('while the rest of the file is wrong, so that its clients are told to come back', async () => {
  using pems = new PemFolder()
  await using gateway = await startGateway({ upstreams: { up: { request_path: 'wrong' } }, server: { tls: pems.pair } })
  using secured = await connectTls(gateway.port)
  await secured.client.write(get('/up/x'))
  assert.equal((await secured.client.response()).status, 503)
})
