import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { CAUSES } from '../../src/cause.ts'
import { get, ok, post, postChunked, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, type LoggedRecord, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Answer, type Origin, startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

/** The record of a request, however it ends. What the client gets says nothing of the cause. */
async function recordOf(gateway: RunningGateway, bytes: string): Promise<LoggedRecord> {
  const n = gateway.records().length
  using client = await connect(gateway.port)
  void client.write(bytes)
  const record = await gateway.until(() => gateway.records()[n], 'its record')
  const { text, head } = await client.response()
  if (record.cause !== undefined) {
    assert.ok(record.cause in CAUSES || /^[A-Z][A-Z0-9_]{1,63}$/.test(record.cause), record.cause)
    if (record.cause.length > 8) assert.ok(!`${head}${text}`.includes(record.cause), 'the client never hears it')
  }
  return record
}

async function withOrigin(check: (origin: Origin, gateway: RunningGateway) => Promise<void>): Promise<void> {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  await check(origin, gateway)
}

const RESPONSES: readonly (readonly [answer: Answer, error: string, cause: string])[] = [
  ['HTTP/1.1 200 OK\nContent-Length: 0\n\n', 'upstream_protocol', 'line_end'],
  ['HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n', 'upstream_protocol', 'line_end'],
  ['HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n', 'upstream_protocol', 'folding'],
  ['HTTP/1.1 200 OK\r\nX-Foo : 1\r\n\r\n', 'upstream_protocol', 'field_name'],
  ['HTTP/1.1 200 OK\r\nnonsense\r\n\r\n', 'upstream_protocol', 'field_name'],
  ['HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n', 'upstream_protocol', 'field_value'],
  ['HTTP/1.1 200 O\x00K\r\n\r\n', 'upstream_protocol', 'reason'],
  ['HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n', 'upstream_protocol', 'status'],
  ['HTTP/2.0 200 OK\r\n\r\n', 'upstream_protocol', 'version'],
  ['SSH-2.0-OpenSSH_9.9\r\n', 'upstream_protocol', 'version'],
  [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'upstream_protocol',
    'transfer_encoding',
  ],
  ['HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello', 'upstream_protocol', 'content_length'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello', 'upstream_protocol', 'content_length'],
  [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65_536)}\r\n\r\n`, 'upstream_protocol', 'head_too_large'],
  [CONTINUE.repeat(33), 'upstream_protocol', 'interim'],
  ['HTTP/1.1 101 Switching Protocols\r\n\r\n', 'upstream_protocol', 'upgrade'],
  [`${CHUNKED}z\r\n`, 'upstream_protocol', 'chunk'],
  [`${CHUNKED}5;=\r\nhello\r\n0\r\n\r\n`, 'upstream_protocol', 'chunk_extension'],
  [`${CHUNKED}0\r\nnonsense\r\n\r\n`, 'upstream_protocol', 'trailer'],
  [
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nrest',
    'upstream_protocol',
    'surplus',
  ],
  [({ connection }) => connection.fin(), 'upstream_reset', 'closed'],
  [({ connection }) => connection.reset(), 'upstream_reset', 'ECONNRESET'],
  [
    async ({ connection }) => {
      await connection.write(HALF)
      await connection.fin()
    },
    'upstream_truncated',
    'closed',
  ],
]

test('of what an upstream said wrongly, and of how it went', async () => {
  await withOrigin(async (origin, gateway) => {
    for (const [answer, error, cause] of RESPONSES) {
      origin.answer = answer
      const record = await recordOf(gateway, post('/up/x', '{}'))
      assert.equal(`${record.error} ${record.cause}`, `${error} ${cause}`, String(answer))
    }
  })
})

const HOST = 'Host: gateway.test'
const raw = (...lines: string[]): string => ['POST /up/x HTTP/1.1', ...lines, '', ''].join('\r\n')

const REQUESTS: readonly (readonly [bytes: string, error: string, cause: string | undefined])[] = [
  [raw(HOST, 'X: a\nb: c'), 'bad_field', 'line_end'],
  [raw(HOST, 'X: a', ' b'), 'bad_field', 'folding'],
  [raw(HOST, 'X : a'), 'bad_field', 'field_name'],
  [raw(HOST, 'X: \x00'), 'bad_field', 'field_value'],
  [raw(HOST, 'Content-Length: 1', 'Content-Length: 1'), 'bad_framing', 'content_length'],
  [raw(HOST, 'Content-Length: 1', 'Transfer-Encoding: chunked'), 'bad_framing', 'two_framings'],
  [raw(HOST, 'Content_Length: 1'), 'bad_framing', 'underscore'],
  [raw(HOST, 'Transfer-Encoding: gzip'), 'bad_transfer_coding', undefined],
  [raw(), 'bad_host', 'no_host'],
  [raw(HOST, HOST), 'bad_host', 'two_hosts'],
  [raw('Host: a b'), 'bad_host', 'host'],
  [raw(HOST).replace('/up/x', 'http://other/up/x'), 'bad_host', 'authority'],
  [raw(HOST, 'Connection: close, Host'), 'bad_connection', 'nominates_host'],
  [raw(HOST, 'Connection: transfer-encoding'), 'bad_connection', 'nominates_framing'],
  [raw(HOST, 'Connection: x-api-key'), 'bad_connection', 'nominates_credential'],
  [`${postChunked('/up/x')}2\r\nhi\r\nx\r\n`, 'bad_chunk', 'chunk'],
  [`${postChunked('/up/x')}2;"\r\n`, 'bad_chunk', 'chunk_extension'],
  [`${postChunked('/up/x')}0\r\nx y\r\n\r\n`, 'bad_chunk', 'trailer'],
  ['GET /up/x HTTP/1.0\r\n\r\n', 'version_not_supported', undefined],
]

test('of which rule a request broke, in one read or in many', async () => {
  await withOrigin(async (_, gateway) => {
    for (const [bytes, error, cause] of REQUESTS) {
      const record = await recordOf(gateway, bytes)
      assert.equal(`${record.error} ${record.cause}`, `${error} ${cause}`, bytes)
      assert.equal(record.level, 'TRACE')
    }
    // Known before its head has ended.
    for (const [line, cause] of [
      ['X : a', 'field_name'],
      [' x', 'folding'],
      ['X: \x01', 'field_value'],
      ['X: a\n', 'line_end'],
    ] as const) {
      const record = await recordOf(gateway, `GET /up/x HTTP/1.1\r\n${HOST}\r\n${line}`)
      assert.equal(`${record.error} ${record.cause}`, `bad_field ${cause}`)
    }
  })
})

const SECRET = '0123456789abcdef0123456789abcdef'
const encode = (text: string): string => Buffer.from(text).toString('base64url')

function token(claims: object, header: object = {}, secret = SECRET): string {
  const signed = `${encode(JSON.stringify({ alg: 'HS256', kid: 'k', ...header }))}.${encode(JSON.stringify(claims))}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

test('of why nobody is let in', async () => {
  await using origin = await startOrigin(ok('fine'))
  await using gateway = await startGateway({
    api_keys: { static: [{ id: 'test', key: CLIENT_KEY }], jwt: [{ id: 'k', key: SECRET }] },
    ...upTo(origin),
  })
  for (const [credential, cause] of [
    ['', 'no_key'],
    ['wrong', 'unknown_key'],
    [token({ exp: 1 }), 'expired'],
    [token({ nbf: 9_999_999_999 }), 'not_yet'],
    [token({}, {}, 'another secret'), 'signature'],
    [token({}, { kid: 'other' }), 'kid'],
    [token({}, { alg: 'RS256' }), 'algorithm'],
    [token({}, { typ: 'at+jwt' }), 'typ'],
    [token({}, { crit: [] }), 'critical'],
    [token({ exp: 'soon' }), 'bad_claims'],
  ] as const) {
    const record = await recordOf(
      gateway,
      `GET /up/x HTTP/1.1\r\nHost: a\r\n${credential && `x-api-key: ${credential}\r\n`}\r\n`,
    )
    assert.equal(`${record.error} ${record.cause} ${record.level}`, `unauthorized ${cause} TRACE`)
  }
  assert.equal(gateway.log().includes(encode('{"exp":1}')), false)
})

test('of which side did not move', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin, { idle_timeout_ms: 300 }))
  origin.answer = ({ connection }) => void connection.write(HALF)
  const { error, cause } = await recordOf(gateway, get('/up/x'))
  assert.equal(`${error} ${cause}`, 'idle_timeout upstream')
})

test('and nothing where nothing went wrong, also where a second connection made it good', async () => {
  await withOrigin(async (origin, gateway) => {
    let isFirst = true
    origin.answer = async ({ connection }) => {
      if (connection.requests.length > 1 && isFirst) {
        isFirst = false
        connection.reset()
      } else await connection.write(ok('fine'))
    }
    await recordOf(gateway, get('/up/1'))
    const { outcome, cause } = await recordOf(gateway, get('/up/2'))
    assert.equal(origin.requests.length, 3)
    assert.equal(`${outcome} ${cause}`, 'complete undefined')
  })
})

test('and what the upstream calls the exchange', async () => {
  await withOrigin(async (origin, gateway) => {
    for (const [fields, id] of [
      [['X-Request-Id: req_1'], 'req_1'],
      [['request-id:\treq_2 '], 'req_2'],
      [['apim-request-id: 3', 'x-amzn-RequestId: 4'], '3'],
      [['x-amzn-requestid: 4', 'X-REQUEST-ID: 1'], '1'],
      [['x-request-id: 1', 'x-request-id: 2'], '1'],
      [['x-request-id: a b', 'request-id: 2'], '2'],
      [[`x-request-id: ${'x'.repeat(129)}`, 'x-amzn-requestid: 4'], '4'],
      [[`x-request-id: ${'x'.repeat(128)}`], 'x'.repeat(128)],
      [['x-request-id: {"}\\'], '{"}\\'],
      [['x-request-id: \xe9'], undefined],
      [['x-request-id:'], undefined],
      [[`x-request-id: ${PROVIDER_KEY}`], undefined],
      [['x-request-idx: 1', 'xx-request-id: 1', 'request_id: 1'], undefined],
    ] as const) {
      origin.answer = ok('', ...fields)
      const { request_id } = await recordOf(gateway, get('/up/x', 'x-request-id: mine'))
      assert.equal(request_id, id, fields.join(' | '))
    }
    assert.ok((await origin.request()).lines.includes('x-request-id: mine'), 'the client’s own goes on')
  })
})
