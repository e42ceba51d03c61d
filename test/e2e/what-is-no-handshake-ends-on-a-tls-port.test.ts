import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { get, post, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'
import { connectTls, PemFolder } from '../support/tls-gateway.ts'

const pems = new PemFolder()
const origin = await startOrigin()
const gateway = await startGateway({ ...upTo(origin), server: { tls: pems.pair } })
process.on('exit', () => pems[Symbol.dispose]())
test.after(async () => {
  await gateway.stop()
  await origin[Symbol.asyncDispose]()
})

/** Whoever comes next is served. */
async function stillServes(): Promise<void> {
  using secured = await connectTls(gateway.port)
  await secured.client.write(get('/up/x'))
  assert.equal((await secured.client.response()).status, 200)
}

for (const [name, bytes] of [
  ['plain HTTP', get('/up/plain')],
  ['plain HTTP with content', post('/up/plain', 'x'.repeat(100_000))],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['no protocol at all', '\x00\x01\x02'],
  ['an alert of TLS', '\x15\x03\x01\x00\x02\x02\x28'],
  ['a single byte', 'G'],
] as const) {
  test(`${name} is answered in the clear`, async () => {
    using client = await connect(gateway.port)
    await client.write(bytes)
    if (bytes.length === 1) void client.write('ET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const response = await client.response()
    assert.equal(response.status, 400)
    assert.equal(response.value('x-fluxgate-error'), 'fluxgate_plain_on_tls_port')
    assert.equal(response.value('connection'), 'close')
    assert.match(response.text, /https:\/\//)
    void client.fin()
    await client.ended()
    await stillServes()
  })
}

test('it leaves a record', async () => {
  await exchange(gateway.port, get('/up/recorded'))
  const record = await gateway.waitForRecord(({ request_url }) => request_url === '/up/recorded')
  assert.deepEqual([record.error, record.outcome, record.status], ['plain_on_tls_port', 'refused', 400])
  assert.equal(
    origin.requests.some(({ target }) => target.includes('plain')),
    false,
  )
})

const HELLO = Buffer.from('16030100050100000103', 'hex')
for (const [name, bytes] of [
  ['garbage in a record of TLS', Buffer.concat([HELLO, Buffer.alloc(4_000, 0xff)])],
  ['a record that is too long', Buffer.from(`160301ffff${'00'.repeat(100)}`, 'hex')],
] as const) {
  test(`${name} ends the connection`, async () => {
    using client = await connect(gateway.port)
    await client.write(bytes)
    await client.ended()
    await stillServes()
  })
}

test('a client that leaves in the middle of its handshake is forgotten', async () => {
  for (const leave of ['fin', 'reset'] as const) {
    using client = await connect(gateway.port)
    await client.write(HELLO.subarray(0, 5))
    if (leave === 'reset') client.reset()
    else {
      await client.fin()
      await client.ended()
    }
  }
  using silent = await connect(gateway.port)
  await silent.fin()
  assert.equal(await silent.ended(), 'fin')
  await stillServes()
  assert.equal(/uncaught|bug/i.test(gateway.log()), false, gateway.log())
})

test('it has ten seconds, however busy it looks', async () => {
  using dripping = await connect(gateway.port)
  using silent = await connect(gateway.port)
  const started = performance.now()
  await dripping.write(Buffer.from('1603010200010001fc0303', 'hex'))
  const drip = setInterval(() => void dripping.write('\x00'), 500)
  try {
    await Promise.all([dripping.ended(15_000), silent.ended(15_000)])
  } finally {
    clearInterval(drip)
  }
  assert.ok(performance.now() - started > 9_900)
})

test('it gives way at the limit, and to a stop', async () => {
  await using small = await startGateway({ ...upTo(origin), server: { tls: pems.pair, max_connections: 2 } })
  using one = await connect(small.port)
  using two = await connect(small.port)
  await one.write(HELLO.subarray(0, 5))
  using secured = await connectTls(small.port)
  await secured.client.write(get('/up/x'))
  assert.equal((await secured.client.response()).status, 200)
  await one.ended()
  assert.equal(two.ending, undefined)
  small.signal('SIGTERM')
  await two.ended()
  assert.equal((await small.exited).code, 0)
})

/** The first flight of a client. */
async function clientHello(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const client = tls.connect({ port, host: '127.0.0.1', servername: 'provider.test', ...options })
  client.on('error', () => {})
  const [accepted] = (await once(server, 'connection')) as [net.Socket]
  const [hello] = (await once(accepted, 'data')) as [Buffer]
  client.destroy()
  accepted.destroy()
  server.close()
  return hello
}

test('no mutation of a handshake ends the process', async () => {
  using secured = await connectTls(gateway.port)
  const got = once(secured.socket, 'session') as Promise<[Buffer]>
  await secured.client.write(get('/up/x'))
  const [session] = await got
  const hellos = await Promise.all([
    clientHello({ ALPNProtocols: ['http/1.1'], host: '127.0.0.1', session, servername: '' }),
    clientHello({ maxVersion: 'TLSv1.2', session: Buffer.alloc(0) }),
  ])
  // A generator of its own, so that a failure repeats.
  let state = 1
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state % below
  }
  for (let round = 0; round < 60; round++) {
    await Promise.all(
      hellos
        .flatMap((hello) => [0, 1, 2, 3].map(() => hello))
        .map(async (hello) => {
          const bytes = Buffer.from(hello)
          for (let n = random(4); n >= 0; n--) bytes[1 + random(bytes.length - 1)] = random(256)
          const cut = random(3) === 0 ? random(bytes.length) + 1 : bytes.length
          using client = await connect(gateway.port)
          await client.write(bytes.subarray(0, cut))
          await client.fin()
          await client.ended()
        }),
    )
  }
  await stillServes()
  assert.equal(/uncaught|because of a bug/i.test(gateway.log()), false, gateway.log().slice(-2000))
})
