import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { describe, test } from 'node:test'
import type { TLSSocket, TlsOptions } from 'node:tls'
import { get, ok, post, upTo } from '../support/bytes.ts'
import { CA, NAMED_CERTIFICATE, NAMED_KEY, SERVER_CERTIFICATE, SERVER_KEY } from '../support/certificates.ts'
import { ESTABLISHED, type ProxyAnswer, startConnectProxy } from '../support/connect-proxy.ts'
import { CLIENT_KEY, type ConfigObject, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { OK, type Origin, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const good: TlsOptions = { cert: SERVER_CERTIFICATE, key: SERVER_KEY }
const PASSWORD = 'fake proxy password: with a colon'
const LOGIN = `Basic ${Buffer.from(`gateway:${PASSWORD}`).toString('base64')}`

/** `/up` leads to the origin by a name that only the proxy can know. */
function byName(origin: Origin, proxy: ConfigObject, more: ConfigObject = {}): ConfigObject {
  const scheme = origin.url.split(':')[0]
  return upTo(origin, { target_url: `${scheme}://provider.test:${origin.port}`, proxy, ...more })
}

async function startWithCa(config: ConfigObject): Promise<RunningGateway> {
  const gateway = await startGateway({})
  writeFileSync(path.join(gateway.directory, 'ca.pem'), CA)
  writeFileSync(path.join(gateway.directory, 'password'), `${PASSWORD}\n`)
  gateway.rewrite(config)
  await gateway.waitForLog('reloaded automatically')
  return gateway
}

function assertNoSecret(gateway: RunningGateway): void {
  for (const secret of [PASSWORD, LOGIN, LOGIN.slice(6)]) assert.ok(!gateway.log().includes(secret), gateway.log())
}

describe('by a tunnel', () => {
  test('with TLS from end to end, so that the proxy sees no byte of it', async () => {
    await using origin = await startOrigin(undefined, { tls: good })
    await using proxy = await startConnectProxy(() => ({ head: ESTABLISHED, port: origin.port }))
    await using gateway = await startWithCa(
      byName(origin, { url: proxy.url, user: 'gateway', password: { file: 'password' } }, { tls: { ca: 'ca.pem' } }),
    )
    for (let i = 0; i < 3; i++) assert.equal((await exchange(gateway.port, post('/up/x', `${i}`))).text, 'ok')
    const authority = `provider.test:${origin.port}`
    assert.deepEqual(proxy.heads, [
      `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nProxy-Authorization: ${LOGIN}\r\n\r\n`,
    ])
    assert.equal((origin.connections[0]!.socket as TLSSocket).servername, 'provider.test')
    for (const request of origin.requests) {
      assert.deepEqual(request.values('host'), [authority])
      assert.deepEqual(request.values('proxy-authorization'), [])
    }
    const sent = Buffer.concat(proxy.sent[0]!)
    for (const text of [PROVIDER_KEY, CLIENT_KEY, 'POST ']) assert.ok(!sent.includes(text))
    assert.equal((await gateway.waitForRecord()).target_url, `https://${authority}/x`)
    assertNoSecret(gateway)
  })

  test('in the clear as well', async () => {
    await using origin = await startOrigin()
    await using proxy = await startConnectProxy(() => ({ head: ESTABLISHED, port: origin.port }))
    await using gateway = await startGateway(byName(origin, { url: proxy.url }))
    for (let i = 0; i < 3; i++) assert.equal((await exchange(gateway.port, post('/up/x', `${i}`))).text, 'ok')
    const authority = `provider.test:${origin.port}`
    assert.deepEqual(proxy.heads, [`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`])
    assert.equal(origin.requests.length, 3)
    assert.deepEqual(origin.requests[0]!.values('host'), [authority])
  })

  for (const [what, tls] of [
    ['over TLS', good],
    ['in the clear', undefined],
  ] as const) {
    test(`${what}, bodies of any size arrive whole both ways`, async () => {
      const content = Array.from({ length: 400_000 }, (_, i) => String.fromCharCode(i % 251)).join('')
      await using origin = await startOrigin(ok(content), tls === undefined ? {} : { tls })
      await using proxy = await startConnectProxy(() => ({ head: ESTABLISHED, port: origin.port }))
      await using gateway = await startWithCa(
        byName(origin, { url: proxy.url }, tls === undefined ? {} : { tls: { ca: 'ca.pem' } }),
      )
      for (let i = 0; i < 3; i++) {
        const response = await exchange(gateway.port, post('/up/x', content))
        assert.ok(response.text === content)
        assert.ok(origin.requests[i]!.text === content)
      }
      assert.equal(origin.connections.length, 1)
    })
  }

  test('whatever a good answer of the proxy looks like', async () => {
    await using origin = await startOrigin()
    const heads = [
      'HTTP/1.0 200 OK\r\n\r\n',
      'HTTP/1.1 204 \r\nX-A: b\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 299 Fine\r\nTransfer-Encoding: chunked\r\n\r\n',
    ]
    let n = 0
    await using proxy = await startConnectProxy(() => ({ head: heads[n++]!, port: origin.port }))
    await using gateway = await startGateway(byName(origin, { url: proxy.url }, { keep_alive_timeout_ms: 0 }))
    for (const head of heads) assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200, head)
  })

  test('a byte behind the answer of the proxy is the first one of the tunnel', async () => {
    await using origin = await startOrigin(() => {})
    const early = ok('early', 'Connection: close')
    await using proxy = await startConnectProxy(() => ({ head: ESTABLISHED, port: origin.port, first: early }))
    await using gateway = await startGateway(byName(origin, { url: proxy.url }))
    assert.equal((await exchange(gateway.port, get('/up/x'))).text, 'early')
  })

  test('and of TLS too', async () => {
    await using origin = await startOrigin(() => {}, { tls: good })
    // An alert of the target, before it has been greeted.
    const first = '\x15\x03\x03\x00\x02\x02\x28'
    await using proxy = await startConnectProxy(() => ({ head: ESTABLISHED, port: origin.port, first }))
    await using gateway = await startWithCa(byName(origin, { url: proxy.url }, { tls: { ca: 'ca.pem' } }))
    const response = await exchange(gateway.port, get('/up/x'))
    assert.equal(response.value('x-fluxgate-error'), 'fluxgate_tls')
  })

  test('where the certificate is for another name, not a byte is sent', async () => {
    await using origin = await startOrigin(undefined, { tls: { cert: NAMED_CERTIFICATE, key: NAMED_KEY } })
    await using proxy = await startConnectProxy(() => ({ head: ESTABLISHED, port: origin.port }))
    await using gateway = await startWithCa(
      upTo(origin, {
        target_url: `https://127.0.0.1:${origin.port}`,
        proxy: { url: proxy.url },
        tls: { ca: 'ca.pem' },
      }),
    )
    const response = await exchange(gateway.port, get('/up/x'))
    assert.equal(response.value('x-fluxgate-error'), 'fluxgate_tls_verify')
    assert.equal(origin.requests.length, 0)
  })
})

const refusals: readonly (readonly [what: string, answer: ProxyAnswer, error: string])[] = [
  [
    'wants a login',
    { head: 'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n' },
    'proxy_auth',
  ],
  ['knows another password', { head: 'HTTP/1.1 401 Unauthorized\r\n\r\n' }, 'proxy_auth'],
  ['forbids it', { head: 'HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnono' }, 'proxy_refused'],
  ['cannot reach the upstream', { head: 'HTTP/1.1 503 Service Unavailable\r\n\r\n' }, 'proxy_refused'],
  ['redirects', { head: 'HTTP/1.1 302 Found\r\nLocation: http://a.test/\r\n\r\n' }, 'proxy_refused'],
  ['switches protocols', { head: 'HTTP/1.1 101 Switching Protocols\r\n\r\n' }, 'proxy_refused'],
  ['hangs up', { head: '' }, 'proxy_refused'],
  ['speaks no HTTP', { head: 'SSH-2.0-OpenSSH_9.2\r\n\r\n' }, 'proxy_refused'],
  ['ends its lines in its own way', { head: 'HTTP/1.1 200 OK\nX: y\r\n\r\n' }, 'proxy_refused'],
  ['never ends its head', { head: `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}` }, 'proxy_refused'],
  ['has nothing but interim answers', { head: 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(9) }, 'proxy_refused'],
]
for (const [what, answer, error] of refusals) {
  test(`502 and ${error} from a proxy that ${what}`, async () => {
    await using origin = await startOrigin()
    await using proxy = await startConnectProxy(() => answer)
    await using gateway = await startGateway(
      byName(origin, { url: proxy.url, user: 'gateway', password: { env: 'PROXY_PASSWORD' } }),
      { env: { PROXY_PASSWORD: PASSWORD } },
    )
    const response = await exchange(gateway.port, post('/up/x', 'content'))
    assert.equal(response.status, 502)
    assert.equal(response.value('x-fluxgate-error'), `fluxgate_${error}`)
    assert.equal((await gateway.waitForRecord()).error, error)
    assert.equal(origin.requests.length, 0)
    await proxy.until(() => proxy.connections === 0, 'the end of the connections to the proxy')
    assertNoSecret(gateway)
  })
}

test('502 and proxy_unreachable where nobody listens', async () => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  await using origin = await startOrigin()
  await using gateway = await startGateway(byName(origin, { url: `http://127.0.0.1:${port}` }))
  const response = await exchange(gateway.port, post('/up/x', 'content'))
  assert.equal(response.status, 502)
  assert.equal(response.value('x-fluxgate-error'), 'fluxgate_proxy_unreachable')
})

test('504 where the proxy does not answer in the time to connect, and the connection to it is closed', async () => {
  await using origin = await startOrigin()
  await using proxy = await startConnectProxy(() => undefined)
  await using gateway = await startGateway(byName(origin, { url: proxy.url }, { connect_timeout_ms: 300 }))
  const response = await exchange(gateway.port, post('/up/x', 'content'))
  assert.equal(response.status, 504)
  assert.equal(response.value('x-fluxgate-error'), 'fluxgate_connect_timeout')
  await proxy.until(() => proxy.connections === 0, 'the end of the connection to the proxy')
})

test('504 where the tunnel is there and TLS in it stands still, and the tunnel is closed', async () => {
  await using origin = await startOrigin(() => {})
  await using proxy = await startConnectProxy(() => ({ head: ESTABLISHED, port: origin.port }))
  await using gateway = await startGateway(
    byName(origin, { url: proxy.url }, { target_url: 'https://provider.test', connect_timeout_ms: 400 }),
  )
  const response = await exchange(gateway.port, post('/up/x', 'content'))
  assert.equal(response.status, 504)
  assert.equal(response.value('x-fluxgate-error'), 'fluxgate_connect_timeout')
  await proxy.until(() => proxy.connections === 0, 'the end of the tunnel')
})

for (const [what, answer] of [
  ['answer', undefined],
  ['open TLS', { head: ESTABLISHED }],
] as const) {
  test(`a client that leaves while the proxy has yet to ${what} takes its connection along`, async () => {
    await using origin = await startOrigin(() => {})
    await using proxy = await startConnectProxy(() => answer && { ...answer, port: origin.port })
    await using gateway = await startGateway(
      byName(origin, { url: proxy.url }, { target_url: 'https://provider.test' }),
    )
    using client = await connect(gateway.port)
    void client.write(post('/up/x', 'content'))
    await proxy.until(() => proxy.heads.length === 1, 'a CONNECT')
    client.reset()
    await proxy.until(() => proxy.connections === 0, 'the end of the connection to the proxy')
    assert.equal((await gateway.waitForRecord()).outcome, 'client_abort')
  })
}

test('a connection through it is not shared with upstreams that go straight, or by another login', async () => {
  await using origin = await startOrigin()
  await using proxy = await startConnectProxy(() => ({ head: ESTABLISHED, port: origin.port }))
  const to = (request_path: string, more: ConfigObject): ConfigObject => ({
    request_path,
    target_url: origin.url,
    api_key: PROVIDER_KEY,
    ...more,
  })
  await using gateway = await startGateway({
    upstreams: {
      straight: to('/straight', {}),
      proxied: to('/proxied', { proxy: { url: proxy.url } }),
      again: to('/again', { proxy: { url: proxy.url } }),
      a: to('/a', { proxy: { url: proxy.url, user: 'a', password: 'fake' } }),
    },
  })
  for (const name of ['straight', 'proxied', 'again', 'a']) {
    assert.equal((await exchange(gateway.port, get(`/${name}/x`))).status, 200)
  }
  assert.equal(origin.connections.length, 3)
  assert.equal(proxy.heads.length, 2)
})

test('the proxies of the environment are not used, and the start says so without their values', async () => {
  await using origin = await startOrigin(OK)
  await using proxy = await startConnectProxy(() => ({ head: ESTABLISHED, port: origin.port }))
  const url = proxy.url.replace('//', '//user:fake-password@')
  await using gateway = await startGateway(upTo(origin), {
    env: { HTTP_PROXY: url, https_proxy: url, ALL_PROXY: '', all_proxy: url },
  })
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  assert.equal(proxy.heads.length, 0)
  const line = gateway
    .log()
    .split('\n')
    .find((each) => each.includes('Proxy variables of the environment are not used'))
  const { level, names } = JSON.parse(line!)
  assert.deepEqual([level, names], ['INFO', 'HTTP_PROXY https_proxy all_proxy'])
  assert.ok(!gateway.log().includes('fake-password'))
})

test('nothing is said of an environment without proxies', async () => {
  await using gateway = await startGateway(
    {},
    {
      env: {
        HTTP_PROXY: '',
        HTTPS_PROXY: '',
        ALL_PROXY: '',
        http_proxy: '',
        https_proxy: '',
        all_proxy: '',
        NO_PROXY: 'a',
      },
    },
  )
  assert.ok(!gateway.log().includes('Proxy variables'))
})
