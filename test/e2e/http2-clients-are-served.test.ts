import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { CODE, connectHttp2, END_STREAM, type FieldPair, frame, request, TYPE } from '../support/http2-peer.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]

test('a request arrives as HTTP/1.1: host first, fields in their order, cookies in one line', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  const fields: FieldPair[] = [
    ['x-b', '2'],
    ['cookie', 'a=1'],
    KEY,
    ['accept', 'a'],
    ['cookie', 'b=2'],
    ['accept', 'b'],
    ['x-empty', ''],
    ['x-bytes', 'caf\xc3\xa9'],
    ['te', 'trailers'],
    ['cookie', 'c=3'],
  ]
  const stream = await client.open(request('GET', '/up/x?q=%2F', ...fields)).ended()
  assert.equal(stream.status, '200')
  assert.equal(stream.text, 'ok')
  const { head } = await origin.request()
  assert.deepEqual(head.split('\r\n'), [
    'GET /x?q=%2F HTTP/1.1',
    `host: 127.0.0.1:${origin.port}`,
    'x-b: 2',
    'cookie: a=1; b=2; c=3',
    `authorization: Bearer ${PROVIDER_KEY}`,
    'accept: a',
    'accept: b',
    'x-empty: ',
    'x-bytes: caf\xc3\xa9',
    'te: trailers',
    '',
    '',
  ])
  const record = await gateway.waitForRecord()
  assert.equal(record.outcome, 'complete')
  assert.equal(record.request_url, '/up/x?q=%2F')
  assert.equal(record.client_ip, '127.0.0.1')
})

test('content is framed as HTTP/1.1 wants it', async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  let n = 0
  const arrives = async (expected: { framing: string[]; text: string; trailers?: string[] }): Promise<void> => {
    const { message } = await origin.request(n++)
    await origin.until(() => message.state === 'complete', 'a whole request')
    assert.deepEqual(
      message.lines.filter((line) => /^(content-length|transfer-encoding)/i.test(line)),
      expected.framing,
    )
    assert.equal(message.text, expected.text)
  }

  await t.test('a length stays a length', async () => {
    const stream = client.open(request('POST', '/up/', KEY, ['content-length', '5']), false)
    stream.data('hel')
    stream.data('lo', true)
    await stream.ended()
    await arrives({ framing: ['content-length: 5'], text: 'hello' })
  })
  await t.test('none becomes chunks', async () => {
    const stream = client.open(request('POST', '/up/', KEY), false)
    stream.data('hel')
    stream.data('lo')
    stream.data('', true)
    await stream.ended()
    await arrives({ framing: ['Transfer-Encoding: chunked'], text: 'hello' })
  })
  await t.test('the end of a stream with its head says that there is none', async () => {
    await client.open(request('POST', '/up/', KEY)).ended()
    await arrives({ framing: ['Content-Length: 0'], text: '' })
    await client.open(request('DELETE', '/up/', KEY)).ended()
    await arrives({ framing: [], text: '' })
  })
  await t.test('padding is no content', async () => {
    const stream = client.open(request('POST', '/up/', KEY), false)
    client.send(frame(TYPE.data, 8 | END_STREAM, stream.id, Buffer.from('\x03helloxyz')))
    await stream.ended()
    await arrives({ framing: ['Transfer-Encoding: chunked'], text: 'hello' })
  })
  await t.test('much of it, in frames of all sizes', async () => {
    const content = Buffer.from(Array.from({ length: 60_000 }, (_, i) => i % 251))
    const stream = client.open(request('POST', '/up/', KEY), false)
    for (let at = 0, size = 1; at < content.length; at += size++) stream.data(content.subarray(at, at + size))
    stream.data('', true)
    await stream.ended()
    await arrives({ framing: ['Transfer-Encoding: chunked'], text: content.toString('latin1') })
  })
  for (const record of gateway.records()) assert.equal(record.outcome, 'complete')
  assert.equal((await gateway.until(() => gateway.records()[5], 'six records')).request_bytes, 60_000)
})

test('padding that has come makes room for more', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  const stream = client.open(request('POST', '/up/', KEY), false)
  // Four times the window of a stream, and hardly any content.
  await stream.uploadPadded(1_000)
  await stream.ended()
  assert.equal(stream.status, '200')
  assert.equal((await gateway.waitForRecord()).request_bytes, 1_000)
})

test('trailers go with chunks', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  const stream = client.open(request('POST', '/up/', KEY, ['trailer', 'x-sum']), false)
  stream.data('hello')
  stream.headers(
    [
      ['x-sum', '42'],
      ['authorization', 'Bearer x'],
      ['x-sum', '43'],
    ],
    true,
  )
  await stream.ended()
  const { message } = await origin.request()
  await origin.until(() => message.state === 'complete', 'a whole request')
  assert.deepEqual(message.trailers, ['x-sum: 42', 'x-sum: 43'])
})

test('a response arrives with names in lower case, its fields in their order, without its chunks', async () => {
  await using origin = await startOrigin(
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Cr\xe9ated\r\nX-B:  2 \r\nSet-Cookie: a=1\r\nDate: today\r\nSet-Cookie: b=2\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=50\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 42\r\nHost: evil\r\n\r\n',
  )
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  const stream = await client.open(request('GET', '/up/', KEY)).ended()
  assert.deepEqual(stream.heads, [
    [
      [':status', '103'],
      ['link', '</a>'],
    ],
    [
      [':status', '201'],
      ['x-b', '2'],
      ['set-cookie', 'a=1'],
      ['date', 'today'],
      ['set-cookie', 'b=2'],
    ],
    [['x-sum', '42']],
  ])
  assert.equal(stream.text, 'hello world')
  assert.equal((await gateway.waitForRecord()).response_bytes, 11)
})

test('a response without content ends with its head', async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  for (const [method, answer, length] of [
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', undefined],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n', '7'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n', '7'],
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '0'],
    ['GET', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', undefined],
  ] as const) {
    await t.test(`${method} ${JSON.stringify(answer)}`, async () => {
      origin.answer = answer
      const stream = await client.open(request(method, '/up/', KEY)).ended()
      assert.equal(stream.hasEnded, true)
      assert.equal(stream.reset, undefined)
      assert.equal(stream.bytes, 0)
      assert.equal(stream.value('content-length'), length)
    })
  }
})

test('a refusal costs its stream alone, and has nothing of HTTP/1 in it', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  const refused = await client.open(request('GET', '/up/')).ended()
  assert.equal(refused.status, '401')
  assert.deepEqual(
    refused.heads[0]!.map(([name]) => name),
    [':status', 'content-type', 'x-fluxgate-error', 'www-authenticate', 'content-length'],
  )
  assert.match(refused.text, /fluxgate_unauthorized/)
  const uploading = client.open(request('POST', '/up/'), false)
  uploading.data('x'.repeat(1000))
  await client.until(() => uploading.reset !== undefined, 'the upload stopped')
  assert.equal(uploading.status, '401')
  assert.equal(uploading.hasEnded, true)
  assert.equal(uploading.reset, CODE.none)
  const tooLarge = await client
    .open(request('GET', '/up/', KEY, ['x-large', 'x'.repeat(15_000)], ['x-l', 'y'.repeat(1_000)]))
    .ended()
  assert.equal(tooLarge.status, '200')
  assert.equal((await client.open(request('GET', '/up/', KEY)).ended()).status, '200')
  assert.equal(origin.requests.length, 2)
})

test('a hundred streams at once, answered in any order; one more is refused and may come again', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  const streams = Array.from({ length: 100 }, (_, n) => client.open(request('GET', `/up/${n}`, KEY)))
  const onceMore = await client.open(request('GET', '/up/more', KEY)).ended()
  assert.equal(onceMore.reset, CODE.refused)
  await origin.until(() => origin.requests.length === 100, 'a hundred requests')
  for (const { target, connection } of origin.requests.toReversed()) {
    void connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`)
  }
  for (const [n, stream] of streams.entries()) assert.equal((await stream.ended()).text, `/${n}`)
  assert.equal(client.asked.get(3), 100)
  await gateway.until(() => gateway.records().length === 100, 'a record each')
})

test('the first bytes decide, whatever pieces they come in', async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  const settings = frame(TYPE.settings, 0, 0)
  for (const cut of [1, 3, 13, 15, 16, 17, 18, 19, 23, 24, 27]) {
    await t.test(`cut behind ${cut}`, async () => {
      using client = await connect(gateway.port)
      const bytes = Buffer.concat([preface, settings])
      await client.write(bytes.subarray(0, cut))
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
      await client.write(bytes.subarray(cut))
      // Its SETTINGS, and the acknowledgement of ours.
      await client.until(() => client.received.includes('\x00\x00\x00\x04\x01\x00\x00\x00\x00'), 'HTTP/2')
      assert.equal(client.received.charCodeAt(3), TYPE.settings)
    })
  }
  await t.test('what only looks like it is HTTP/1', async () => {
    for (const bytes of ['PRI * HTTP/2.0\r\nx: y\r\n\r\n', 'PRI / HTTP/2.0\r\n\r\n', 'PRI * HTTP/1.1\r\n\r\n']) {
      assert.match((await exchange(gateway.port, bytes)).head, /^HTTP\/1\.1 (505|400)/)
    }
  })
})
