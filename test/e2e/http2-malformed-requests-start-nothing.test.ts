import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { block, CODE, connectHttp2, type FieldPair, frame, request, TYPE, u32 } from '../support/http2-peer.ts'
import { startOrigin } from '../support/origin.ts'

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]
const GET = request('GET', '/up/x', KEY)
const without = (name: string): FieldPair[] => GET.filter(([given]) => given !== name)
const withPath = (path: string): FieldPair[] => request('GET', path, KEY)

/** Malformed by RFC 9113: the stream is reset, beside the answer. */
const MALFORMED: Readonly<Record<string, FieldPair[]>> = {
  'no :method': without(':method'),
  'no :scheme': without(':scheme'),
  'no :path': without(':path'),
  'an empty :path': withPath(''),
  'a :path that is a URL': withPath('http://evil.test/up/x'),
  'a blank in :path': withPath('/up/x HTTP/1.1'),
  'a request in :path': withPath('/up/x HTTP/1.1\r\nHost: a\r\n\r\nGET /up/smug'),
  'two :method': [[':method', 'GET'], ...GET],
  'a pseudo-header behind a field': [...GET, [':authority', 'b.test']],
  'one of responses': [[':status', '200'], ...GET],
  'an unknown one': [[':protocol', 'websocket'], ...GET],
  'a method that is no token': request('G ET', '/up/x', KEY),
  'another scheme': GET.map((field) => (field[0] === ':scheme' ? [':scheme', 'ftp'] : field)),
  'an upper-case name': [...GET, ['X-A', '1']],
  'an empty name': [...GET, ['', '1']],
  'a colon in a name': [...GET, ['x:a', '1']],
  'a line end in a name': [...GET, ['x\r\ny', '1']],
  'a line end in a value': [...GET, ['x', '1\r\nhost: evil']],
  'a NUL in a value': [...GET, ['x', '1\x002']],
  'a blank before a value': [...GET, ['x', ' 1']],
  'a tab behind a value': [...GET, ['x', '1\t']],
  connection: [...GET, ['connection', 'close']],
  'keep-alive': [...GET, ['keep-alive', '1']],
  'proxy-connection': [...GET, ['proxy-connection', 'close']],
  'transfer-encoding': [...GET, ['transfer-encoding', 'chunked']],
  upgrade: [...GET, ['upgrade', 'h2c']],
  'te of another kind': [...GET, ['te', 'gzip']],
  'another host than :authority': [...GET, ['host', 'evil.test']],
  'a length and no content': [...GET, ['content-length', '5']],
}

/** Refused as over HTTP/1. */
const REFUSED: Readonly<Record<string, readonly [fields: FieldPair[], status: string]>> = {
  'no host at all': [without(':authority'), '400'],
  'a login in :authority': [GET.map((field) => (field[0] === ':authority' ? [':authority', 'a@b'] : field)), '400'],
  'dot segments': [withPath('/up/../x'), '400'],
  'a fragment': [withPath('/up/x#y'), '400'],
  '* for another method than OPTIONS': [withPath('*'), '400'],
  'two lengths': [[...GET, ['content-length', '0'], ['content-length', '0']], '400'],
  CONNECT: [[[':method', 'CONNECT'], [':authority', 'a.test:443'], KEY], '501'],
  TRACE: [request('TRACE', '/up/x', KEY), '501'],
  'a target of 40 kB': [withPath(`/up/${'x'.repeat(40_000)}`), '414'],
  'a thousand fields': [[...GET, ...Array.from({ length: 1000 }, (_, n) => [`x-${n}`, ''] as const)], '431'],
  'a list of 70 kB': [[...GET, ...Array.from({ length: 7 }, () => ['x', 'y'.repeat(10_000)] as const)], '431'],
  'the key in the path': [withPath(`/up/${CLIENT_KEY}`), '400'],
}

test('what is malformed resets its stream and goes nowhere', async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  for (const [name, fields] of Object.entries(MALFORMED)) {
    await t.test(name, async () => {
      const stream = client.open(fields)
      await client.until(() => stream.reset !== undefined, 'a reset')
      assert.equal(stream.reset, CODE.protocol)
      assert.equal(stream.hasEnded, false)
      assert.equal(stream.status, '400')
    })
  }
  assert.equal((await client.open(GET).ended()).status, '200')
  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/x'],
  )
  await gateway.until(() => gateway.records().length === Object.keys(MALFORMED).length + 1, 'a record each')
  for (const record of gateway.records().slice(0, -1)) assert.equal(record.outcome, 'refused')
})

test('what HTTP/1 refuses is refused', async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  for (const [name, [fields, status]] of Object.entries(REFUSED)) {
    await t.test(name, async () => {
      const stream = client.stream(client.nextId())
      const bytes = block(fields)
      client.send(frame(TYPE.headers, bytes.length > 16_384 ? 1 : 5, stream.id, bytes.subarray(0, 16_384)))
      for (let at = 16_384; at < bytes.length; at += 16_384) {
        client.send(
          frame(TYPE.continuation, at + 16_384 < bytes.length ? 0 : 4, stream.id, bytes.subarray(at, at + 16_384)),
        )
      }
      await stream.ended()
      assert.equal(stream.status, status)
      assert.equal(stream.hasEnded, true)
    })
  }
  assert.equal(origin.requests.length, 0)
  assert.doesNotMatch(gateway.log(), new RegExp(CLIENT_KEY))
})

test('content that is not what its length says never looks whole', async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  for (const [name, sent, ends] of [
    ['more', 'hello!', true],
    ['less', 'hell', true],
    ['less, and then the end alone', 'hell', false],
  ] as const) {
    await t.test(name, async () => {
      const stream = client.open(request('POST', '/up/x', KEY, ['content-length', '5']), false)
      stream.data(sent, ends)
      if (!ends) stream.data('', true)
      await client.until(() => stream.reset !== undefined, 'a reset')
      assert.equal(stream.reset, CODE.protocol)
    })
  }
  for (const { message } of origin.requests) assert.notEqual(message.state, 'complete')
})

test('trailers that cannot be any reset the stream', async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connectHttp2(gateway.port)
  let n = 0
  for (const [name, fields, ends] of [
    ['a pseudo-header', [[':path', '/']], true],
    ['an upper-case name', [['X', '1']], true],
    ['without the end of the stream', [['x', '1']], false],
  ] as const) {
    await t.test(name, async () => {
      const stream = client.open(request('POST', '/up/x', KEY), false)
      stream.data('hello')
      await origin.request(n++)
      stream.headers(fields, ends)
      await client.until(() => stream.reset !== undefined, 'a reset')
      assert.equal(stream.reset, CODE.protocol)
    })
  }
  await origin.until(() => origin.requests.every(({ message }) => message.state !== 'open'), 'the end of the requests')
  for (const { message } of origin.requests) assert.equal(message.state, 'truncated')
})

test('what breaks the rules of the connection ends it', async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  const headers = (id: number, flags: number): Buffer => frame(TYPE.headers, flags, id, block(GET))
  const CASES: Readonly<Record<string, readonly [Buffer[], number]>> = {
    'a head on stream 0': [[headers(0, 5)], CODE.protocol],
    'a head on an even stream': [[headers(2, 5)], CODE.protocol],
    'a stream number that goes down': [[headers(5, 5), headers(3, 5)], CODE.protocol],
    'content of a stream that never was': [[frame(TYPE.data, 0, 1, Buffer.from('x'))], CODE.protocol],
    'a reset of one': [[frame(TYPE.rst, 0, 1, u32(8))], CODE.protocol],
    'a window of one': [[frame(TYPE.window, 0, 1, u32(1))], CODE.protocol],
    'a frame between a head and its end': [[headers(1, 1), frame(TYPE.ping, 0, 0, Buffer.alloc(8))], CODE.protocol],
    'the end of a head that never began': [[frame(TYPE.continuation, 4, 1)], CODE.protocol],
    'a push': [[frame(TYPE.push, 4, 1, u32(2))], CODE.protocol],
    'padding longer than its frame': [[headers(1, 4), frame(TYPE.data, 8, 1, Buffer.from([9, 1]))], CODE.protocol],
    'a PING of seven octets': [[frame(TYPE.ping, 0, 0, Buffer.alloc(7))], CODE.frameSize],
    'a frame that is too large': [[frame(TYPE.data, 0, 1, Buffer.alloc(16_385))], CODE.frameSize],
    'SETTINGS of five octets': [[frame(TYPE.settings, 0, 0, Buffer.alloc(5))], CODE.frameSize],
    'a window of nothing': [[frame(TYPE.window, 0, 0, u32(0))], CODE.protocol],
    'a window that is too large': [[frame(TYPE.window, 0, 0, u32(0x7fffffff))], CODE.flowControl],
    'an index beyond the table': [[frame(TYPE.headers, 5, 1, Buffer.from([0xff, 0x10]))], CODE.compression],
    'a string that is cut off': [[frame(TYPE.headers, 5, 1, Buffer.from([0x00, 0x05, 0x61]))], CODE.compression],
    'a table larger than ours': [[frame(TYPE.headers, 5, 1, Buffer.from([0x3f, 0xe2, 0x1f]))], CODE.compression],
  }
  for (const [name, [frames, code]] of Object.entries(CASES)) {
    await t.test(name, async () => {
      using client = await connectHttp2(gateway.port)
      client.send(...frames)
      await client.until(() => client.goaways.length > 0, 'GOAWAY')
      assert.equal(client.goaways[0]!.code, code)
      await client.until(() => client.isClosed, 'the end')
    })
  }
})
