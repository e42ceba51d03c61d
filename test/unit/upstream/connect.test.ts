import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import tls from 'node:tls'
import type { Address } from '../../../src/config/snapshot.ts'
import { ClientConnection } from '../../../src/http1/client-connection.ts'
import { connectToAny, type Dial } from '../../../src/upstream/connect.ts'
import { Sessions } from '../../../src/upstream/sessions.ts'
import { CLIENT_CERTIFICATE, CLIENT_KEY } from '../config/compile/pem.ts'
import { FakeTime } from '../runtime/fake-time.ts'
import { type Fate, scriptSockets } from './scripted-sockets.ts'

type Home = ConstructorParameters<typeof ClientConnection>[0]
const HOME = { closed() {} } as unknown as Home

const at = (host: string, port: number): Address => ({ host, port, path: '', text: `${host}:${port}` })

/** A dial that says what came of it. */
function dialWith(
  tell: (outcome: string) => void,
  more: Partial<Dial<ClientConnection<unknown>>> = {},
): Dial<ClientConnection<unknown>> {
  return {
    serverName: 'a.test',
    sessions: new Sessions(),
    secureContext: undefined,
    alpn: ['http/1.1'],
    tunnel: undefined,
    trying() {},
    timeoutMs: 10_000,
    newConnection: (address) => new ClientConnection(HOME, '', address.host),
    connected: ({ address }) => tell(`connected ${address}`),
    failed: (failure, cause) => tell(cause === undefined ? failure : `${failure} ${cause}`),
    ...more,
  }
}

/** Connects in mocked time; the log says what happened at which millisecond. */
function run(
  t: TestContext,
  fates: Readonly<Record<string, readonly Fate[]>>,
  cancelAtMs = -1,
  tunnel?: Dial<ClientConnection<unknown>>['tunnel'],
): string[] {
  const time = new FakeTime(t)
  t.mock.method(Date, 'now', () => time.nowMs)
  const attempts = scriptSockets(t, fates)
  const log: string[] = []
  const cancel = connectToAny(
    Object.keys(fates).map((host) => at(host, 1)),
    dialWith((outcome) => log.push(`${Date.now()} ${outcome}`), { tunnel }),
  )
  for (let ms = 0; ms < 11_000; ms++) {
    if (ms === cancelAtMs) cancel()
    time.pass(1)
  }
  const left = attempts.filter((attempt) => !attempt.isDestroyed).map(({ address }) => address)
  return [...attempts.map(({ address, atMs }) => `${atMs} to ${address}`), ...log, `left: ${left.join(' ')}`]
}

const CASES: Readonly<Record<string, readonly [Readonly<Record<string, readonly Fate[]>>, readonly string[]]>> = {
  'one address that answers': [{ a: ['connects'] }, ['0 to a', '1 connected a', 'left: a']],
  'a dead first address': [
    { a: ['ECONNREFUSED'], b: ['connects'] },
    ['0 to a', '1 to b', '2 connected b', 'left: a b'],
  ],
  'a black hole is joined by the next address after a while': [
    { a: ['black hole'], b: ['connects after 5'] },
    ['0 to a', '250 to b', '255 connected b', 'left: b'],
  ],
  'a slow first address may still win': [
    { a: ['connects after 300'], b: ['black hole'] },
    ['0 to a', '250 to b', '300 connected a', 'left: a'],
  ],
  'three black holes are joined one by one': [
    { a: ['black hole'], b: ['black hole'], c: ['connects after 5'] },
    ['0 to a', '250 to b', '500 to c', '505 connected c', 'left: c'],
  ],
  'an error starts the next at once, and its time anew': [
    { a: ['EHOSTUNREACH after 100'], b: ['black hole'], c: ['connects after 5'] },
    ['0 to a', '100 to b', '350 to c', '355 connected c', 'left: a c'],
  ],
  'all fail, and one more attempt is made': [
    { a: ['ECONNREFUSED', 'connects after 5'], b: ['ECONNREFUSED'] },
    ['0 to a', '1 to b', '52 to a', '57 connected a', 'left: a b a'],
  ],
  'all fail for good': [
    { a: ['ECONNREFUSED'], b: ['EHOSTUNREACH after 10'] },
    ['0 to a', '1 to b', '61 to a', '62 connect_refused ECONNREFUSED', 'left: a b a'],
  ],
  'the last failure is the one that is told': [
    { a: ['ECONNREFUSED', 'EHOSTUNREACH after 10'] },
    ['0 to a', '51 to a', '61 connect_failed EHOSTUNREACH', 'left: a a'],
  ],
  'a failure waits for the attempt beside it': [
    { a: ['black hole'], b: ['ECONNREFUSED'] },
    ['0 to a', '250 to b', '10000 connect_timeout', 'left: b'],
  ],
  'nothing but black holes': [
    { a: ['black hole'], b: ['black hole'] },
    ['0 to a', '250 to b', '10000 connect_timeout', 'left: '],
  ],
}

describe('connecting to any of several addresses', () => {
  for (const [what, [fates, log]] of Object.entries(CASES)) test(what, (t) => assert.deepEqual(run(t, fates), log))

  test('cancelled, it tells nothing and leaves nothing', (t) => {
    const log = run(t, { a: ['black hole'], b: ['connects after 100'] }, 300)
    assert.deepEqual(log, ['0 to a', '250 to b', 'left: '])
  })

  test('cancelled before the one more attempt, it makes none', (t) => {
    assert.deepEqual(run(t, { a: ['ECONNREFUSED', 'connects'] }, 20), ['0 to a', 'left: a'])
  })
})

describe('connecting through a proxy with several addresses', () => {
  const tunnel = { authority: 'a.test:443', authorization: undefined }

  test('one that has been reached has all the time there is: another of its addresses would be no faster', (t) => {
    const log = run(t, { a: ['connects after 100'], b: ['connects'] }, -1, tunnel)
    assert.deepEqual(log, ['0 to a', '10000 connect_timeout', 'left: '])
  })

  test('one that cannot be reached is joined by the next as ever', (t) => {
    const log = run(t, { a: ['black hole'], b: ['connects'], c: ['connects'] }, -1, tunnel)
    assert.deepEqual(log, ['0 to a', '250 to b', '10000 connect_timeout', 'left: '])
  })
})

describe('with real sockets', () => {
  async function outcomeOf(
    server: net.Server,
    addresses: readonly string[],
    more: Partial<Dial<ClientConnection<unknown>>> = {},
  ) {
    server.listen(0, '127.0.0.2')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    try {
      return await new Promise<string>((tell) => {
        const dial = dialWith(tell, more)
        connectToAny(
          addresses.map((address) => at(address, port)),
          {
            ...dial,
            connected(connection) {
              dial.connected(connection)
              connection.close()
            },
          },
        )
      })
    } finally {
      server.close()
    }
  }

  test('the second address answers where the first refuses', async () => {
    assert.equal(await outcomeOf(net.createServer(), ['127.0.0.3', '127.0.0.2']), 'connected 127.0.0.2')
  })

  test('nobody listens', async () => {
    assert.equal(await outcomeOf(net.createServer(), ['127.0.0.3', '127.0.0.4']), 'connect_refused ECONNREFUSED')
  })

  test('a TLS handshake with a server in the clear', async () => {
    const server = net.createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    assert.equal(
      await outcomeOf(server, ['127.0.0.2'], { secureContext: tls.createSecureContext() }),
      'tls ERR_SSL_WRONG_VERSION_NUMBER',
    )
  })

  test('a TLS handshake that is hung up on', async () => {
    const server = net.createServer((socket) => socket.once('data', () => socket.destroy()))
    assert.equal(await outcomeOf(server, ['127.0.0.2'], { secureContext: tls.createSecureContext() }), 'tls ECONNRESET')
  })

  for (const [what, options, outcome] of [
    ['that nobody vouches for', {}, 'tls_verify DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['for another name', { ca: CLIENT_CERTIFICATE }, 'tls_verify ERR_TLS_CERT_ALTNAME_INVALID'],
  ] as const) {
    test(`a certificate ${what}`, async () => {
      const server = tls.createServer({ key: CLIENT_KEY, cert: CLIENT_CERTIFICATE }).on('tlsClientError', () => {})
      const secureContext = tls.createSecureContext(options)
      assert.equal(await outcomeOf(server, ['127.0.0.2'], { secureContext }), outcome)
    })
  }
})
