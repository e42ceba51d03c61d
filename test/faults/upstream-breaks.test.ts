import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, post, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import type { Message } from '../support/message.ts'
import { type OriginConnection, type OriginRequest, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'
import { assertAftermath } from './aftermath.ts'

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

type Break = (connection: OriginConnection) => void
const ends: Readonly<Record<string, Break>> = {
  FIN: (connection) => void connection.fin(),
  reset: (connection) => connection.reset(),
}
const requests: Readonly<Record<string, string>> = { GET: get('/up/x'), POST: post('/up/x', 'tokens cost money') }

function assertRefused(response: Message, status: number, error: string): void {
  assert.equal(response.status, status)
  assert.equal(response.value('x-fluxgate-error'), `fluxgate_${error}`)
  assert.equal(response.state, 'complete')
}

for (const [how, end] of Object.entries(ends)) {
  for (const [method, request] of Object.entries(requests)) {
    test(`a ${how} before the head on a fresh connection: 502, and the ${method} is not sent again`, async () => {
      await using origin = await startOrigin(async (each) => {
        await each.ended()
        end(each.connection)
      })
      await using gateway = await startGateway(upTo(origin))
      assertRefused(await exchange(gateway.port, request), 502, 'upstream_reset')
      await assertAftermath(gateway, '502 upstream_abort upstream_reset')
      assert.equal(origin.requests.length, 1)
    })

    test(`a ${how} in the middle of the head: 502, and the ${method} is not sent again, reused connection or not`, async () => {
      const breakAt =
        (n: number) =>
        async (each: OriginRequest): Promise<void> => {
          await each.ended()
          if (origin.requests.length < n) return void (await each.connection.write(ok('ok')))
          await each.connection.write('HTTP/1.1 200 OK\r\nContent-')
          end(each.connection)
        }
      await using origin = await startOrigin(breakAt(1))
      await using gateway = await startGateway(upTo(origin))
      assertRefused(await exchange(gateway.port, request), 502, 'upstream_reset')
      origin.answer = breakAt(3)
      assert.equal((await exchange(gateway.port, request)).status, 200)
      assertRefused(await exchange(gateway.port, request), 502, 'upstream_reset')
      assert.equal(origin.requests[2]?.connection, origin.requests[1]?.connection)
      await assertAftermath(
        gateway,
        '200 complete -',
        '502 upstream_abort upstream_reset',
        '502 upstream_abort upstream_reset',
      )
      assert.equal(origin.requests.length, 3)
    })
  }

  test(`a ${how} on a reused connection in the instant of its reuse: a POST gets 502 and is not sent again, a GET is`, async () => {
    await using origin = await startOrigin(async (each) => {
      await each.ended()
      if (each.connection.requests.length > 1) end(each.connection)
      else await each.connection.write(ok('ok'))
    })
    await using gateway = await startGateway(upTo(origin))
    assert.equal((await exchange(gateway.port, get('/up/1'))).status, 200)
    assertRefused(await exchange(gateway.port, post('/up/2', 'tokens')), 502, 'reused_conn_lost')
    assert.equal((await exchange(gateway.port, get('/up/3'))).status, 200)
    assert.equal((await exchange(gateway.port, get('/up/4'))).status, 200)
    const seen = origin.requests.map((each) => `${each.method} ${each.target}`)
    assert.deepEqual(seen, ['GET /1', 'POST /2', 'GET /3', 'GET /4', 'GET /4'])
    const complete = '200 complete -'
    await assertAftermath(gateway, complete, '502 upstream_abort reused_conn_lost', complete, complete)
  })
}

const nonsense: Readonly<Record<string, string>> = {
  'that is none': 'SSH-2.0-OpenSSH_9.2\r\n',
  'with a status beyond 599': 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n',
  'with a NUL in a value': 'HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n',
  'with two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!',
  'with a coding that is not chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'and a first chunk without a size': `${CHUNKED}nonsense\r\n`,
  'of more than 64 KiB': `HTTP/1.1 200 OK\r\nX-A: ${'x'.repeat(70_000)}\r\nContent-Length: 0\r\n\r\n`,
  'of 101, which nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw',
}
for (const [what, answer] of Object.entries(nonsense)) {
  test(`a head ${what}: 502, and the connection is not used again`, async () => {
    await using origin = await startOrigin(answer)
    await using gateway = await startGateway(upTo(origin))
    assertRefused(await exchange(gateway.port, requests['POST']!), 502, 'upstream_protocol')
    await (await origin.connection()).ended()
    origin.answer = ok('fine')
    assert.equal((await exchange(gateway.port, get('/up/next'))).text, 'fine')
    await assertAftermath(gateway, '502 upstream_abort upstream_protocol', '200 complete -')
    assert.deepEqual(
      origin.connections.map((connection) => connection.requests.length),
      [1, 1],
    )
  })
}

test('a flood of interim responses: 502 after 32 of them, and the upstream is hung up on', async () => {
  await using origin = await startOrigin(async ({ connection }) => {
    while (await connection.write('HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n'.repeat(100)));
  })
  await using gateway = await startGateway(upTo(origin))
  const response = await exchange(gateway.port, requests['POST']!)
  assertRefused(response, 502, 'upstream_protocol')
  assert.equal(response.interim.length, 32)
  await (await origin.connection()).ended()
  await assertAftermath(gateway, '502 upstream_abort upstream_protocol')
  assert.equal(origin.requests.length, 1)
})

test('silence before the head: 504, and the upstream is hung up on', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin, { response_timeout_ms: 300 }))
  for (const request of Object.values(requests)) {
    assertRefused(await exchange(gateway.port, request), 504, 'response_timeout')
  }
  for (const connection of origin.connections) await connection.ended()
  await assertAftermath(gateway, '504 timeout response_timeout', '504 timeout response_timeout')
  assert.equal(origin.requests.length, 2)
})

test('silence in the stream: it is cut visibly, with nothing added to what has come', async () => {
  await using origin = await startOrigin(({ connection }) => {
    void connection.write(`${CHUNKED}b\r\ndata: one\n\n\r\n`)
  })
  await using gateway = await startGateway(upTo(origin, { idle_timeout_ms: 300 }))
  using client = await connect(gateway.port)
  void client.write(requests['POST']!)
  const response = await client.response()
  assert.equal(`${response.status} ${response.state}`, '200 truncated')
  assert.equal(response.rawBody.toString(), 'b\r\ndata: one\n\n\r\n')
  await (await origin.connection()).ended()
  await assertAftermath(gateway, '200 timeout idle_timeout')
  assert.equal(origin.requests.length, 1)
})

const truncated: readonly (readonly [what: string, start: string, how: keyof typeof ends])[] = [
  ['a length that is not reached, with a FIN', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello', 'FIN'],
  ['a length that is not reached, with a reset', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello', 'reset'],
  ['chunks without the last one, with a FIN', `${CHUNKED}5\r\nhello\r\n`, 'FIN'],
  ['chunks without the last one, with a reset', `${CHUNKED}5\r\nhello\r\n`, 'reset'],
  ['a body that ends with its connection, with a reset', 'HTTP/1.1 200 OK\r\n\r\nhello', 'reset'],
]
for (const [what, start, how] of truncated) {
  test(`${what}: the client sees that it is not whole`, async () => {
    await using origin = await startOrigin(() => {})
    await using gateway = await startGateway(upTo(origin))
    using client = await connect(gateway.port)
    void client.write(requests['POST']!)
    const { connection } = await origin.request()
    await connection.write(start)
    await client.untilContent('hello')
    ends[how]!(connection)
    const response = await client.response()
    assert.equal(`${response.status} ${response.state} ${response.text}`, '200 truncated hello')
    if (response.framing === 'close') assert.equal(await client.ended(), 'rst', 'a FIN would be a lie')
    origin.answer = ok('fine')
    assert.equal((await exchange(gateway.port, get('/up/next'))).text, 'fine')
    await assertAftermath(gateway, '200 upstream_abort upstream_truncated', '200 complete -')
    assert.equal(origin.requests.length, 2)
  })
}

const upload = `POST /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: 50000000\r\n\r\n`
for (const [how, end] of Object.entries(ends)) {
  test(`a final answer in the middle of the upload, then a ${how}: it is relayed, and the upload stops`, async () => {
    await using origin = await startOrigin(async ({ connection }) => {
      connection.pause()
      await connection.write('HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 7\r\n\r\ntoo big')
      if (how === 'reset') await client.untilContent('too big')
      end(connection)
    })
    await using gateway = await startGateway(upTo(origin))
    using client = await connect(gateway.port)
    void client.write(upload)
    void client.write(Buffer.alloc(50_000_000, 'x'))
    const response = await client.response()
    assert.equal(`${response.status} ${response.text} ${response.state}`, '413 too big complete')
    assert.equal(response.value('connection'), 'close')
    assert.equal(await client.ended(), 'fin', 'nor is it lost in a reset')
    await assertAftermath(gateway, '413 complete -')
    assert.equal(origin.requests.length, 1)
    assert.notEqual(origin.requests[0]?.message.state, 'complete')
  })
}

test('bytes that nobody asked for: they answer no request, neither on an idle connection nor behind a response', async () => {
  await using origin = await startOrigin(ok('mine'))
  await using gateway = await startGateway(upTo(origin))
  assert.equal((await exchange(gateway.port, requests['POST']!)).text, 'mine')
  const { connection } = await origin.request()
  await connection.write(ok('poison'))
  await connection.ended()
  origin.answer = ok('mine') + ok('poison')
  assert.equal((await exchange(gateway.port, requests['POST']!)).text, 'mine')
  await origin.connections[1]?.ended()
  origin.answer = ok('mine')
  assert.equal((await exchange(gateway.port, requests['POST']!)).text, 'mine')
  await assertAftermath(gateway, '200 complete -', '200 complete -', '200 complete -')
  assert.equal(origin.requests.length, 3)
})

const ownErrors: readonly string[] = [
  'HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nx-ratelimit-remaining-tokens: 0\r\nContent-Length: 2\r\n\r\n{}',
  'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops',
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 529 Overloaded\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 307 Temporary Redirect\r\nLocation: ELSEWHERE\r\nContent-Length: 0\r\n\r\n',
]
test("the provider's own 401, 429, 5xx and redirects: relayed as they are, not followed, not tried again", async () => {
  await using origin = await startOrigin()
  await using elsewhere = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  for (const [i, template] of ownErrors.entries()) {
    const answer = template.replace('ELSEWHERE', `${elsewhere.url}/x`)
    origin.answer = answer
    using client = await connect(gateway.port)
    void client.write(requests['POST']!)
    await client.response()
    assert.equal(client.received, answer)
    assert.equal(origin.requests.length, i + 1)
  }
  assert.equal(elsewhere.connections.length, 0)
  await assertAftermath(gateway, ...[429, 401, 500, 503, 529, 307].map((status) => `${status} complete -`))
  assert.equal(origin.requests.length, ownErrors.length)
})
