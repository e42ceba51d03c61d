import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { get, ok, post, postChunked } from '../support/bytes.ts'
import { PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Answer, type Origin, type OriginRequest, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

/** Serves the first request of every connection and ends the connection at the second one. */
const servesOnce =
  (end: (request: OriginRequest) => void) =>
  async (request: OriginRequest): Promise<void> => {
    await request.ended()
    if (request.connection.requests.length > 1) end(request)
    else await request.connection.write(ok('ok'))
  }

const withMethod = (method: string, content = ''): string => post('/up/x', content).replace('POST', method)
const seen = (origin: Origin): string[] => origin.requests.map((request) => `${request.method} ${request.target}`)

const ends: Readonly<Record<string, (request: OriginRequest) => void>> = {
  reset: (request) => request.connection.reset(),
  FIN: (request) => void request.connection.fin(),
}
const safe: readonly (readonly [name: string, request: string])[] = [
  ['GET', get('/up/x')],
  ['HEAD', get('/up/x').replace('GET', 'HEAD')],
  ['PUT with content that is still here', withMethod('PUT', 'content')],
  ['DELETE', withMethod('DELETE')],
  ['PUT with 60 KiB of content', withMethod('PUT', 'x'.repeat(61_440))],
]
const unsafe: readonly (readonly [name: string, request: string])[] = [
  ['POST', post('/up/x', 'tokens cost money')],
  ['POST without content', post('/up/x', '')],
  ['PATCH', withMethod('PATCH', 'x')],
  ['a chunked POST', `${postChunked('/up/x')}2\r\nhi\r\n0\r\n\r\n`],
  ['PUT with content that is not here any more', withMethod('PUT', 'x'.repeat(200_000))],
]

/** Each test has an origin to itself; one gateway serves them all. */
const ORIGINS = 32

describe('a request is sent again', () => {
  let gateway: RunningGateway
  let origins: Origin[]
  let used = 0
  before(async () => {
    origins = await Promise.all(Array.from({ length: ORIGINS }, () => startOrigin()))
    const upstreams = origins.map((origin, i) => [
      `u${i}`,
      { request_path: `/${i}`, target_url: origin.url, api_key: PROVIDER_KEY },
    ])
    gateway = await startGateway({ upstreams: Object.fromEntries(upstreams) })
  })
  after(() => Promise.all([gateway.stop(), ...origins.map((origin) => origin.close())]))

  /** An origin and the way to send it what is written for `/up`. */
  function take(answer: Answer): { origin: Origin; to: (request: string) => string } {
    const n = used++
    const origin = origins[n]!
    origin.answer = answer
    return { origin, to: (request) => request.replace(' /up/', ` /${n}/`) }
  }

  for (const [name, request] of safe) {
    for (const [how, end] of Object.entries(ends)) {
      it(`if it is ${name} and a kept connection ended with a ${how} before any byte of a response`, async () => {
        const { origin, to } = take(servesOnce(end))
        assert.equal((await exchange(gateway.port, to(get('/up/first')))).status, 200)
        const response = await exchange(gateway.port, to(request))
        assert.equal(response.status, 200)
        const method = request.slice(0, request.indexOf(' '))
        assert.deepEqual(seen(origin), ['GET /first', `${method} /x`, `${method} /x`])
        const [first, second] = origin.requests.slice(1)
        assert.equal(second?.head, first?.head)
        assert.ok(second?.message.rawBody.equals(first!.message.rawBody))
        assert.notEqual(second?.connection, first?.connection)
      })
    }
  }

  for (const [name, request] of unsafe) {
    it(`but not ${name}`, async () => {
      const { origin, to } = take(servesOnce(ends['reset']!))
      assert.equal((await exchange(gateway.port, to(get('/up/first')))).status, 200)
      const response = await exchange(gateway.port, to(request))
      assert.equal(response.status, 502)
      assert.equal(response.value('x-fluxgate-error'), 'fluxgate_reused_conn_lost')
      assert.equal(seen(origin).length, 2)
    })
  }

  it('but not twice', async () => {
    const { origin, to } = take(async (request) => {
      if (request.target === '/first') await request.connection.write(ok('ok'))
      else request.connection.reset()
    })
    assert.equal((await exchange(gateway.port, to(get('/up/first')))).status, 200)
    assert.equal((await exchange(gateway.port, to(get('/up/x')))).status, 502)
    assert.deepEqual(seen(origin), ['GET /first', 'GET /x', 'GET /x'])
  })

  it('but not after it failed on a fresh connection', async () => {
    const { origin, to } = take((request) => request.connection.reset())
    const response = await exchange(gateway.port, to(get('/up/x')))
    assert.equal(response.status, 502)
    assert.equal(response.value('x-fluxgate-error'), 'fluxgate_upstream_reset')
    assert.deepEqual(seen(origin), ['GET /x'])
  })

  it('but not once a byte of a response has come', async () => {
    const end = ({ connection }: OriginRequest): void => {
      void connection.write('HTTP/1.1 103 Early Hints\r\n\r\n')
      void connection.fin()
    }
    const { origin, to } = take(servesOnce(end))
    assert.equal((await exchange(gateway.port, to(get('/up/first')))).status, 200)
    assert.equal((await exchange(gateway.port, to(get('/up/x')))).status, 502)
    assert.deepEqual(seen(origin), ['GET /first', 'GET /x'])
  })

  it('but not when the provider has refused it', async () => {
    for (const status of [429, 500, 503, 529]) {
      const { origin, to } = take(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`)
      assert.equal((await exchange(gateway.port, to(get('/up/x')))).status, status)
      assert.equal(origin.requests.length, 1)
    }
  })

  it('and that need be rare: a connection that ended while it was idle is not used, so that no POST is lost on it', async () => {
    const { origin, to } = take(ok('ok'))
    using client = await connect(gateway.port)
    for (let i = 0; i < 30; i++) {
      void client.write(to(post('/up/x', `${i}`)))
      assert.equal((await client.response(i)).status, 200, `POST ${i}`)
      await origin.requests[i]?.connection.fin() // the next POST leaves in the instant after it
    }
    const contents = origin.requests.map((request) => request.text)
    assert.deepEqual(
      contents,
      Array.from({ length: 30 }, (_, i) => `${i}`),
    )
  })

  it('nor is a connection used on which something came that nobody asked for', async () => {
    const { origin, to } = take(ok('ok'))
    using client = await connect(gateway.port)
    void client.write(to(post('/up/x', '1')))
    await client.response(0)
    const { connection } = origin.requests[0]!
    await connection.write(ok('poison'))
    await connection.ended()
    void client.write(to(post('/up/x', '2')))
    assert.equal((await client.response(1)).text, 'ok')
  })

  it('and an upstream that says how long it keeps connections is left a second before', async () => {
    const { origin, to } = take(ok('ok', 'Keep-Alive: timeout=1'))
    using client = await connect(gateway.port)
    for (let i = 0; i < 2; i++) {
      void client.write(to(get('/up/x')))
      await client.response(i)
      await (await origin.connection(i)).ended(500)
    }
    assert.equal(origin.connections.length, 2, 'nothing is left of one second less one')
  })
})
