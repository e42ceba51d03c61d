import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { get, post } from '../support/bytes.ts'
import { CA, SERVER_CERTIFICATE, SERVER_KEY } from '../support/certificates.ts'
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
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]

const OK: readonly FieldPair[] = [
  [':status', '200'],
  ['content-length', '2'],
]

function answerOk(stream: PeerStream): void {
  stream.headers(OK)
  stream.data('ok', true)
}

const to = (url: string, more: ConfigObject = {}): ConfigObject => ({
  upstreams: { up: { request_path: '/up', target_url: url, api_key: PROVIDER_KEY, ...more } },
})
/** A file with the authority in it. */
function caFile(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'fluxgate-test-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const file = path.join(directory, 'ca.pem')
  writeFileSync(file, CA)
  return file
}

const over = (origin: Http2Origin, protocol = 'http2', more: ConfigObject = {}): ConfigObject =>
  to(origin.url, { protocol, ...more })

test('HTTP/2 to HTTP/2: everything arrives as it came', async () => {
  await using origin = await startHttp2Origin((stream) => {
    void stream.peer
      .until(() => stream.hasEnded, 'the request')
      .then(() => {
        stream.headers([
          [':status', '103'],
          ['link', '</a>'],
        ])
        stream.headers([
          [':status', '201'],
          ['x-b', '2'],
          ['set-cookie', 'a=1'],
          ['x-b', ''],
          ['set-cookie', 'b=2'],
        ])
        stream.data('hello ')
        stream.data('world')
        stream.headers([['x-sum', '42']], true)
      })
  })
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port)
  const stream = client.open(
    request(
      'POST',
      '/up/x?y',
      ['cookie', 'a=1'],
      ['x-b', '2'],
      KEY,
      ['cookie', 'b=2'],
      ['x-b', '1'],
      ['te', 'trailers'],
    ),
    false,
  )
  stream.data('some ')
  stream.data('content')
  stream.headers([['x-check', '1']], true)
  await stream.ended()
  const incoming = await origin.request()
  assert.deepEqual(incoming.heads, [
    [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':authority', origin.url.slice('http://'.length)],
      [':path', '/x?y'],
      ['cookie', 'a=1'],
      ['x-b', '2'],
      ['authorization', `Bearer ${PROVIDER_KEY}`],
      ['cookie', 'b=2'],
      ['x-b', '1'],
      ['te', 'trailers'],
    ],
    [['x-check', '1']],
  ])
  assert.equal(incoming.text, 'some content')
  assert.deepEqual(stream.heads, [
    [
      [':status', '103'],
      ['link', '</a>'],
    ],
    [
      [':status', '201'],
      ['x-b', '2'],
      ['set-cookie', 'a=1'],
      ['x-b', ''],
      ['set-cookie', 'b=2'],
    ],
    [['x-sum', '42']],
  ])
  assert.equal(stream.text, 'hello world')
  const record = await gateway.waitForRecord()
  assert.equal(record.request_bytes, 12)
  assert.equal(record.response_bytes, 11)
})

test('padding of an upstream that has come makes room for more', async () => {
  await using origin = await startHttp2Origin((stream) => {
    stream.headers([[':status', '200']])
    void stream.uploadPadded(1_000)
  })
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port)
  const stream = await client.open(request('GET', '/up/', KEY)).ended()
  assert.equal(stream.text, 'x'.repeat(1_000))
})

test('HTTP/2 to HTTP/2: trailers arrive behind a length as well', async (t) => {
  await using origin = await startHttp2Origin((stream) => {
    void stream.peer
      .until(() => stream.hasEnded, 'the request')
      .then(() => {
        stream.headers(OK)
        stream.data('ok')
        if (stream.value(':path') !== '/none') stream.headers([['x-sum', '42']], true)
        else stream.data('', true)
      })
  })
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port)
  const upload = (path: string): PeerStream => client.open(request('POST', path, KEY, ['content-length', '5']), false)
  for (const [n, what] of ['with its head', 'before its trailers', 'of a request that waits'].entries()) {
    await t.test(`content that comes ${what}`, async () => {
      const stream = upload('/up/x')
      // The first one waits for its connection, the others have one.
      if (n === 1) await origin.until(() => origin.requests[1], 'the head')
      stream.data('hello')
      if (n === 1) await origin.requests[1]!.peer.until(() => origin.requests[1]!.bytes === 5, 'the content')
      assert.equal(origin.requests[n]?.hasEnded ?? false, false, 'it has not ended yet')
      stream.headers([['x-check', '1']], true)
      await stream.ended()
      const seen = await origin.request(n)
      assert.equal(seen.text, 'hello')
      assert.deepEqual(seen.heads[1], [['x-check', '1']])
      assert.deepEqual(stream.heads[1], [['x-sum', '42']])
      assert.equal(stream.text, 'ok')
      assert.ok(stream.hasEnded)
    })
  }
  await t.test('and where there are none, both ends come', async () => {
    const stream = upload('/up/none')
    stream.data('hello', true)
    await stream.ended()
    assert.ok(stream.hasEnded && origin.requests[3]!.hasEnded)
    assert.equal(stream.heads.length, 1)
  })
  await t.test('a client that speaks HTTP/1.1 gets the length, and no trailers', async () => {
    const { text, trailers } = await exchange(gateway.port, get('/up/x'))
    assert.equal(text, 'ok')
    assert.deepEqual(trailers, [])
  })
})

test('HTTP/2 to HTTP/2: nothing is added to what has no content', async () => {
  await using origin = await startHttp2Origin((stream) => stream.headers([[':status', '200']], true))
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port)
  const stream = await client.open(request('POST', '/up/', KEY)).ended()
  assert.deepEqual(stream.heads, [[[':status', '200']]])
  const [head] = (await origin.request()).heads
  assert.deepEqual(
    head!.map(([name]) => name),
    [':method', ':scheme', ':authority', ':path', 'authorization'],
  )
  assert.equal(origin.requests[0]!.hasEnded, true)
})

test('HTTP/1.1 to HTTP/2, and back', async (t) => {
  await using origin = await startHttp2Origin((stream) => {
    const path = stream.value(':path')
    if (path === '/none') stream.headers([[':status', '200']], true)
    else if (path === '/length') answerOk(stream)
    else {
      stream.headers([
        [':status', '404'],
        ['x-a', '1'],
        ['x-a', '2'],
      ])
      stream.data('hel')
      stream.data('lo')
      stream.headers([['x-sum', '42']], true)
    }
  })
  await using gateway = await startGateway(over(origin))
  await t.test('without content', async () => {
    const answer = await exchange(gateway.port, get('/up/none', 'X-Upper: 1', 'Connection: x-hop', 'X-Hop: 1'))
    assert.equal(answer.head, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    assert.deepEqual(origin.requests[0]!.heads[0]!.slice(4), [
      ['authorization', `Bearer ${PROVIDER_KEY}`],
      ['x-upper', '1'],
    ])
  })
  await t.test('with a length', async () => {
    const answer = await exchange(gateway.port, post('/up/length', 'hello'))
    assert.equal(answer.head, 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n')
    assert.equal(answer.text, 'ok')
    assert.equal((await origin.requests[1]!.ended()).text, 'hello')
    assert.equal(origin.requests[1]!.value('content-length'), '5')
  })
  await t.test('with chunks and trailers', async () => {
    using client = await connect(gateway.port)
    await client.write(
      `POST /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Check: 1\r\n\r\n`,
    )
    const answer = await client.response()
    assert.equal(answer.head, 'HTTP/1.1 404 Not Found\r\nx-a: 1\r\nx-a: 2\r\nTransfer-Encoding: chunked\r\n\r\n')
    assert.equal(answer.text, 'hello')
    assert.deepEqual(answer.trailers, ['x-sum: 42'])
    const incoming = await origin.requests[2]!.ended()
    assert.equal(incoming.text, 'abc')
    assert.deepEqual(incoming.heads[1], [['x-check', '1']])
  })
  assert.equal(origin.peers.length, 1)
})

test('ALPN decides where protocol is auto: HTTP/2 for those that came so', async (t) => {
  const tls = { key: SERVER_KEY, cert: SERVER_CERTIFICATE }
  const trusting = { tls: { ca: caFile(t), server_name: 'provider.test' } }
  await t.test('an upstream that speaks both', async () => {
    await using origin = await startHttp2Origin(answerOk, { tls })
    await using gateway = await startGateway(over(origin, 'auto', trusting))
    using client = await connectHttp2(gateway.port)
    assert.equal((await client.open(request('GET', '/up/', KEY)).ended()).text, 'ok')
    assert.equal(origin.requests[0]!.value(':scheme'), 'https')
  })
  await t.test('an upstream that speaks HTTP/1.1 alone', async () => {
    await using origin = await startOrigin('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', {
      tls: { ...tls, ALPNProtocols: ['http/1.1'] },
    })
    await using gateway = await startGateway(to(origin.url, trusting))
    using client = await connectHttp2(gateway.port)
    const streams = Array.from({ length: 5 }, () => client.open(request('GET', '/up/', KEY)))
    for (const stream of streams) assert.equal((await stream.ended()).text, 'ok')
    // Its connections are kept as any other.
    const before = origin.connections.length
    assert.equal((await client.open(request('GET', '/up/', KEY)).ended()).text, 'ok')
    assert.equal(origin.connections.length, before)
    await using strict = await startGateway(to(origin.url, { ...trusting, protocol: 'http2' }))
    const refused = await exchange(strict.port, get('/up/'))
    assert.match(refused.head, /^HTTP\/1\.1 502/)
  })
  await t.test('and HTTP/1.1 for all others', async () => {
    await using origin = await startOrigin('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', {
      tls: { ...tls, ALPNProtocols: ['h2', 'http/1.1'] },
    })
    await using gateway = await startGateway(to(origin.url, trusting))
    assert.equal((await exchange(gateway.port, get('/up/'))).text, 'ok')
  })
})

test('a burst shares the connection that is being made', async () => {
  await using origin = await startHttp2Origin(answerOk)
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port)
  const streams = Array.from({ length: 50 }, () => client.open(request('GET', '/up/', KEY)))
  for (const stream of streams) assert.equal((await stream.ended()).status, '200')
  assert.equal(origin.peers.length, 1)
})

test('an upstream that takes few streams gets more connections', async () => {
  await using origin = await startHttp2Origin(() => {}, { settings: { 3: 2 } })
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port)
  // Its limit is known from the first answer on.
  const first = client.open(request('GET', '/up/', KEY))
  answerOk(await origin.request())
  await first.ended()
  const streams = Array.from({ length: 6 }, () => client.open(request('GET', '/up/', KEY)))
  for (let n = 1; n <= 6; n++) await origin.request(n)
  for (const incoming of origin.requests.slice(1)) answerOk(incoming)
  for (const stream of streams) assert.equal((await stream.ended()).status, '200')
  for (const peer of origin.peers) assert.ok(peer.streams.size <= 3)
})

test('an upstream that takes no stream at all costs a few connections, and a 502', async () => {
  await using origin = await startHttp2Origin((stream) => stream.cancel(CODE.refused), { settings: { 3: 0 } })
  await using gateway = await startGateway(over(origin))
  for (let n = 1; n <= 3; n++) {
    assert.match((await exchange(gateway.port, get('/up/'))).head, /^HTTP\/1\.1 502/)
    assert.ok(origin.peers.length <= 2 * n)
  }
})

test('an exchange that is on its way when its upstream is taken out of the file comes to its end', async () => {
  await using origin = await startHttp2Origin(() => {})
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port)
  const stream = client.open(request('GET', '/up/', KEY))
  await origin.request()
  gateway.rewrite({
    upstreams: { other: { request_path: '/x', target_url: 'http://127.0.0.1:1', api_key: PROVIDER_KEY } },
  })
  await gateway.waitForLog('reloaded automatically')
  answerOk(origin.requests[0]!)
  assert.equal((await stream.ended()).text, 'ok')
  await origin.peers[0]!.until(() => origin.peers[0]!.isClosed, 'the end of its connection')
})

test('what an upstream has not looked at goes out again, once', async (t) => {
  for (const [name, refuse] of [
    ['REFUSED_STREAM', (stream: PeerStream) => stream.cancel(CODE.refused)],
    [
      'GOAWAY',
      (stream: PeerStream) => {
        stream.peer.send(frame(TYPE.goaway, 0, 0, Buffer.concat([u32(0), u32(0)])))
      },
    ],
  ] as const) {
    await t.test(`${name}, and it was a POST`, async () => {
      let n = 0
      await using origin = await startHttp2Origin((stream) => {
        if (n++ === 0) refuse(stream)
        else void stream.peer.until(() => stream.hasEnded, 'the request').then(() => answerOk(stream))
      })
      await using gateway = await startGateway(over(origin))
      const answer = await exchange(gateway.port, post('/up/', 'hello'))
      assert.equal(answer.text, 'ok')
      assert.equal(origin.requests.length, 2)
      assert.equal(origin.requests[1]!.text, 'hello')
      assert.equal((await gateway.waitForRecord()).request_bytes, 5)
    })
    await t.test(`${name}, every time`, async () => {
      await using origin = await startHttp2Origin(refuse)
      await using gateway = await startGateway(over(origin))
      const answer = await exchange(gateway.port, post('/up/', 'hello'))
      assert.match(answer.head, /^HTTP\/1\.1 502/)
      assert.equal(origin.requests.length, 2)
      assert.equal((await gateway.waitForRecord()).error, 'stream_refused')
    })
  }
})

test('what breaks upstream is seen', async (t) => {
  let answer: (stream: PeerStream) => void = () => {}
  await using origin = await startHttp2Origin((stream) => answer(stream))
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port)
  const CASES: Readonly<Record<string, readonly [(stream: PeerStream) => void, string | 'reset']>> = {
    'a reset before the head': [(stream) => stream.cancel(CODE.internal), '502'],
    'the end of the connection before it': [(stream) => stream.peer.socket.destroy(), '502'],
    'a head without a status': [(stream) => stream.headers([['x', '1']], true), '502'],
    'a status of 99': [(stream) => stream.headers([[':status', '099']], true), '502'],
    'a status of 101': [(stream) => stream.headers([[':status', '101']], true), '502'],
    'a name in upper case': [(stream) => stream.headers([...OK, ['X-A', '1']]), '502'],
    'a line end in a value': [(stream) => stream.headers([...OK, ['x', 'a\r\nb: c']]), '502'],
    'a field of the connection': [(stream) => stream.headers([...OK, ['connection', 'close']]), '502'],
    'two lengths': [(stream) => stream.headers([...OK, ['content-length', '3']]), '502'],
    'more than 32 interim heads': [
      (stream) => {
        for (let n = 0; n < 33; n++) stream.headers([[':status', '103']])
      },
      '502',
    ],
    'content before the head': [(stream) => stream.data('x'), '502'],
    nonsense: [(stream) => stream.peer.send(frame(TYPE.settings, 0, 1)), '502'],
    'a reset in the middle': [
      (stream) => {
        stream.headers([[':status', '200']])
        stream.data('hello')
        stream.cancel(CODE.internal)
      },
      'reset',
    ],
    'the end of the connection in the middle': [
      (stream) => {
        stream.headers([[':status', '200']])
        stream.data('hello')
        stream.peer.socket.end()
      },
      'reset',
    ],
    'more than its length': [
      (stream) => {
        stream.headers(OK)
        stream.data('ok?', true)
      },
      'reset',
    ],
    'less than its length': [
      (stream) => {
        stream.headers(OK)
        stream.data('o', true)
      },
      'reset',
    ],
  }
  for (const [name, [how, expected]] of Object.entries(CASES)) {
    await t.test(name, async () => {
      answer = how
      const stream = await client.open(request('POST', '/up/', KEY)).ended()
      if (expected === 'reset') {
        assert.equal(stream.reset, CODE.internal)
        assert.equal(stream.hasEnded, false)
      } else assert.equal(stream.status, expected)
      answer = answerOk
      assert.equal((await client.open(request('POST', '/up/', KEY)).ended()).text, 'ok')
    })
  }
})

test("a client's leaving resets the stream upstream, and the connection goes on", async () => {
  await using origin = await startHttp2Origin((stream) => {
    if (stream.value(':path') === '/ok') answerOk(stream)
  })
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port)
  const stream = client.open(request('POST', '/up/slow', KEY), false)
  stream.data('hello')
  const incoming = await origin.request()
  stream.cancel()
  await incoming.ended()
  assert.equal(incoming.reset, CODE.cancel)
  assert.equal(incoming.hasEnded, false)
  assert.equal((await client.open(request('GET', '/up/ok', KEY)).ended()).text, 'ok')
  assert.equal(origin.peers.length, 1)
})

test('an upload waits for an HTTP/2 upstream that gives no window', async () => {
  await using origin = await startHttp2Origin(() => {}, { takesContent: false, keepsNothing: true })
  await using gateway = await startGateway(over(origin))
  using client = await connectHttp2(gateway.port)
  const stream = client.open(request('POST', '/up/', KEY), false)
  const upload = stream.upload(1_000_000)
  const incoming = await origin.request()
  await incoming.peer.until(() => incoming.bytes === 65_535, 'what its windows allow')
  incoming.takeAll()
  await upload
  await incoming.ended()
  assert.equal(incoming.bytes, 1_000_000)
  answerOk(incoming)
  assert.equal((await stream.ended()).text, 'ok')
})

test('match is the version of the client, or 502', async () => {
  await using origin = await startHttp2Origin(answerOk)
  await using gateway = await startGateway(over(origin, 'match'))
  using client = await connectHttp2(gateway.port)
  assert.equal((await client.open(request('GET', '/up/', KEY)).ended()).text, 'ok')
  assert.match((await exchange(gateway.port, get('/up/'))).head, /^HTTP\/1\.1 502/)
})

test('an idle connection upstream has its time', async () => {
  await using origin = await startHttp2Origin(answerOk)
  await using gateway = await startGateway(over(origin, 'http2', { keep_alive_timeout_ms: 200 }))
  assert.equal((await exchange(gateway.port, get('/up/'))).text, 'ok')
  const [peer] = origin.peers
  await peer!.until(() => peer!.isClosed, 'its end')
  assert.deepEqual(peer!.goaways, [{ last: 0, code: CODE.none }])
  assert.equal((await exchange(gateway.port, get('/up/'))).text, 'ok')
})
