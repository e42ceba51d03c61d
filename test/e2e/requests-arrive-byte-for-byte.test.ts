import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange, latin1 } from '../support/raw-client.ts'

interface Case {
  readonly name: string
  readonly line?: string
  /** Field lines after Host and the credential. */
  readonly lines?: readonly string[]
  readonly body?: string
  /** Field lines that go no further. */
  readonly dropped?: readonly string[]
  /** What arrives instead of the target in `line`, if not the same without `/up`. */
  readonly target?: string
  readonly arrivingBody?: string
}

const chunks = '5\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\n\r\n'
const json = '{ "n":1,\n\t"f" : 2.50, "u":"\\u00e9\xc3\xa9", "n":3 }\r\n\r\n'
const withLength = (body: string, ...lines: string[]): Pick<Case, 'lines' | 'body'> => ({
  lines: [...lines, `Content-Length: ${body.length}`],
  body,
})

const cases: readonly Case[] = [
  {
    name: 'order and spelling of field names',
    ...withLength('{}', 'x-Zed: 1', 'ACCEPT: a/b', 'x-stainless-OS: Linux', 'accept-language: en', 'X-Zed: 2'),
  },
  {
    name: 'repeated field lines',
    ...withLength('{}', 'X-Dup: a', 'X-Other: m', 'X-Dup: b', 'Cookie: a=1', 'Cookie: b=2'),
  },
  {
    name: 'white space within and around values',
    ...withLength('{}', 'X-In: a  b\tc   d', 'X-Around:\t  v \t', 'X-Tight:v', 'X-Wide:    w'),
  },
  { name: 'empty values', ...withLength('{}', 'X-Empty:', 'X-Blank:  ', 'X-Next: 1') },
  { name: 'octets above 0x7F in values', ...withLength('{}', 'X-Latin: caf\xe9 \xff') },
  { name: 'underscores and odd tokens in names', ...withLength('{}', 'x_custom_id: 7', "!#$%&'*+-.^`|~: 1") },
  { name: 'names that objects have', ...withLength('{}', '__proto__: a', 'constructor: b', 'toString: c') },
  { name: 'a query', line: "GET /up/v1/models?a='x'&b=%27&c=a+b%20c&d=;?&&e=/../.. HTTP/1.1" },
  { name: 'an empty query', line: 'GET /up/v1/models? HTTP/1.1' },
  { name: 'escapes in the path', line: 'GET /up/model/vendor.x%3A0/con%2fverse%c3%A9/%zz/%00 HTTP/1.1' },
  { name: 'double slashes in the path', line: 'GET /up//ws//x/ HTTP/1.1' },
  {
    name: 'parameters in the path',
    line: 'POST /up/v1beta/models/gemini:streamGenerateContent;x=1?alt=sse HTTP/1.1',
    ...withLength('{}'),
  },
  { name: 'characters that no URL should have', line: 'GET /up/<>"{}|^`\\@: HTTP/1.1' },
  { name: 'a trailing slash', line: 'GET /up/v1/files/ HTTP/1.1' },
  {
    name: 'the absolute form, as origin form',
    line: 'GET http://gateway.test/up/v1/x?y HTTP/1.1',
    target: '/base/v1/x?y',
  },
  { name: 'GET without a body', line: 'GET /up/v1/models HTTP/1.1' },
  { name: 'GET with a body', line: 'GET /up/v1/search HTTP/1.1', ...withLength('{"q":1}') },
  { name: 'DELETE without a body', line: 'DELETE /up/v1/files/f1 HTTP/1.1' },
  { name: 'DELETE with a body', line: 'DELETE /up/v1/files/f1 HTTP/1.1', ...withLength('{"a":1}') },
  { name: 'POST without framing', line: 'POST /up/v1/cancel HTTP/1.1' },
  { name: 'a length of zero', ...withLength('') },
  { name: 'leading zeros of a length', lines: ['Content-Length: 002'], body: '{}' },
  { name: 'PATCH', line: 'PATCH /up/v1/x HTTP/1.1', ...withLength('{}') },
  { name: 'an unusual method', line: 'QUERY /up/v1/x HTTP/1.1', ...withLength('{}') },
  { name: 'JSON with its own spacing and its duplicates', ...withLength(json, 'Content-Type: application/json') },
  {
    name: 'every octet in a body',
    ...withLength(
      latin1(String.fromCharCode(...Array(256).keys()))
        .toString('latin1')
        .repeat(16),
    ),
  },
  { name: 'a compressed body', ...withLength('\x1f\x8b\x08\x00never inflated', 'Content-Encoding: gzip') },
  { name: 'many fields', ...withLength('{}', ...Array.from({ length: 250 }, (_, i) => `X-F${i}: v${i}`)) },
  { name: 'a large field', ...withLength('{}', `X-Big: ${'a'.repeat(60_000)}`) },
  { name: 'a body of megabytes', ...withLength(randomBytes(3_000_000).toString('latin1')) },
  { name: 'chunks', lines: ['Transfer-Encoding: chunked'], body: chunks },
  {
    name: 'chunk sizes as they are written',
    lines: ['Transfer-Encoding:Chunked'],
    body: '00a\r\n0123456789\r\nB\r\nhello world\r\n000\r\n\r\n',
  },
  {
    name: 'trailers',
    lines: ['Trailer: X-Sum', 'Transfer-Encoding: chunked'],
    body: '5\r\nhello\r\n0\r\nX-Sum: 99\r\nx-sum:  \r\n\r\n',
  },
  {
    name: 'all but the connection-specific fields',
    ...withLength(
      '{}',
      'Connection: keep-alive, X-Hop,,te',
      'X-Hop: 1',
      'X-Keep: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'Proxy-Authorization: Basic Zg==',
      'Upgrade: h2c',
      'TE: gzip',
    ),
    dropped: [
      'Connection: keep-alive, X-Hop,,te',
      'X-Hop: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'Proxy-Authorization: Basic Zg==',
      'Upgrade: h2c',
      'TE: gzip',
    ],
  },
  {
    name: 'the wish to close, which is between the client and the gateway',
    ...withLength('{}', 'Connection: close'),
    dropped: ['Connection: close'],
  },
  {
    name: 'what other proxies and SDKs add',
    ...withLength(
      '{}',
      'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'X-Forwarded-For: 192.0.2.7',
      'Via: 1.1 other',
      'anthropic-beta: a,b',
      'Anthropic-Version: 2026-10-21',
    ),
  },
]

describe('a request arrives byte for byte:', () => {
  let gateway: RunningGateway
  let origin: Origin
  before(async () => {
    origin = await startOrigin()
    gateway = await startGateway({
      upstreams: { up: { request_path: '/up', target_url: `${origin.url}/base`, api_key: PROVIDER_KEY } },
    })
  })
  after(() => Promise.all([gateway.stop(), origin.close()]))

  for (const {
    name,
    line = 'POST /up/v1/chat/completions HTTP/1.1',
    lines = [],
    body = '',
    dropped = [],
    target,
  } of cases) {
    it(name, async () => {
      const n = origin.requests.length
      const head = (start: string, host: string, key: string, fields: readonly string[]): string =>
        [start, `host:  ${host}`, 'X-Between: 1', `AUTHORIZATION:\tbearer ${key}`, ...fields, '', ''].join('\r\n')
      const response = await exchange(gateway.port, latin1(head(line, 'gateway.test', CLIENT_KEY, lines) + body))
      assert.equal(`${response.status} ${response.text}`, '200 ok')
      const [method, sentTarget = ''] = line.split(' ')
      const start = `${method} ${target ?? sentTarget.replace('/up', '/base')} HTTP/1.1`
      const arriving = lines.filter((field) => !dropped.includes(field))
      const { message } = await origin.request(n)
      assert.equal(message.head, head(start, `127.0.0.1:${origin.port}`, PROVIDER_KEY, arriving))
      assert.ok(message.rawBody.equals(latin1(body)), `the body: ${message.rawBody.length} of ${body.length} bytes`)
    })
  }
})
