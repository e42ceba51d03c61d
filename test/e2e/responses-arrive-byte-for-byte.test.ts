import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { post, upTo } from '../support/bytes.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { connect, latin1 } from '../support/raw-client.ts'

interface Case {
  readonly name: string
  readonly sent: string
  /** What arrives, if not the same. */
  readonly arrives?: string
}

const message = (status: string, lines: readonly string[], body: string): string =>
  [status, ...lines, '', body].join('\r\n')
const response = (status: string, lines: readonly string[] = [], body = '{}'): string =>
  message(status, [...lines, `Content-Length: ${body.length}`], body)
const chunked = (lines: readonly string[], body: string): string =>
  message('HTTP/1.1 200 OK', [...lines, 'Transfer-Encoding: chunked'], body)

const gzip = gzipSync('{"a":1}'.repeat(50)).toString('latin1')

const cases: readonly Case[] = [
  { name: 'nothing but what is there', sent: response('HTTP/1.1 200 OK') },
  {
    name: 'order and spelling of field names',
    sent: response('HTTP/1.1 200 OK', [
      'x-RateLimit-Remaining: 9',
      'server: edge',
      'X-Request-ID: r',
      'date: Mon, 01 Jan 2024 00:00:00 GMT',
    ]),
  },
  {
    name: 'several cookies',
    sent: response('HTTP/1.1 200 OK', ['Set-Cookie: a=1; Path=/', 'X-A: 1', 'Set-Cookie: b=2']),
  },
  {
    name: 'repeated field lines',
    sent: response('HTTP/1.1 200 OK', ['Link: </a>', 'Link: </b>', 'Vary: a', 'Vary: b']),
  },
  {
    name: 'white space around values, and empty ones',
    sent: response('HTTP/1.1 200 OK', ['X-Empty:', 'X-Tight:v', 'X-Wide: \t w \t']),
  },
  {
    name: 'octets above 0x7F in values and reason',
    sent: response('HTTP/1.1 200 Tr\xe8s bien\tOK', ['X-Latin: caf\xe9']),
  },
  { name: 'names that objects have', sent: response('HTTP/1.1 200 OK', ['__proto__: a', 'constructor: b']) },
  { name: 'a reason of its own', sent: response('HTTP/1.1 200 Fine By Me') },
  { name: 'an empty reason', sent: response('HTTP/1.1 200 ') },
  { name: 'an unknown success', sent: response('HTTP/1.1 299 Odd') },
  { name: 'the last status', sent: response('HTTP/1.1 599 x') },
  {
    name: 'a provider that is overloaded',
    sent: response('HTTP/1.1 529 Site is overloaded', ['retry-after: 3'], '{"type":"error"}'),
  },
  {
    name: 'a rate limit with its fields',
    sent: response(
      'HTTP/1.1 429 Too Many Requests',
      ['retry-after-ms: 120', 'x-should-retry: false', 'anthropic-ratelimit-tokens-reset: 2027-01-01T00:00:00Z'],
      '{ "error" : {} }',
    ),
  },
  {
    name: 'a 401 of the provider',
    sent: response('HTTP/1.1 401 Unauthorized', ['WWW-Authenticate: Bearer realm="p"']),
  },
  {
    name: 'a redirect, which is not followed',
    sent: response('HTTP/1.1 302 Found', ['Location: http://127.0.0.1:9/x'], ''),
  },
  { name: 'a redirect of a POST', sent: response('HTTP/1.1 307 Temporary Redirect', ['Location: /y'], '') },
  { name: 'a compressed body', sent: response('HTTP/1.1 200 OK', ['Content-Encoding: gzip', 'ETag: "x"'], gzip) },
  {
    name: 'what edges add',
    sent: response('HTTP/1.1 200 OK', [
      'openai-processing-ms: 12',
      'alt-svc: h3=":443"',
      'CF-RAY: 1-AMS',
      'strict-transport-security: max-age=1',
      'Via: 1.1 edge',
    ]),
  },
  {
    name: 'many fields',
    sent: response(
      'HTTP/1.1 200 OK',
      Array.from({ length: 300 }, (_, i) => `X-F${i}: v`),
    ),
  },
  { name: 'a large field', sent: response('HTTP/1.1 200 OK', [`X-Big: ${'a'.repeat(60_000)}`]) },
  { name: 'a body of megabytes', sent: response('HTTP/1.1 200 OK', [], randomBytes(3_000_000).toString('latin1')) },
  { name: 'chunks', sent: chunked([], '5\r\nhello\r\n00B\r\n, and again\r\n0\r\n\r\n') },
  {
    name: 'chunk extensions, which are dropped',
    sent: chunked([], '5;a\r\nhello\r\n1 ; b="c\\"d"\r\n!\r\n0;z\r\n\r\n'),
    arrives: chunked([], '5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n'),
  },
  { name: 'trailers', sent: chunked(['Trailer: X-Usage'], '5\r\nhello\r\n0\r\nX-Usage:7\r\nx-usage:  8\r\n\r\n') },
  { name: 'no body after 204', sent: message('HTTP/1.1 204 No Content', ['X-A: 1'], '') },
  {
    name: 'no body after 304, whatever its length says',
    sent: message('HTTP/1.1 304 Not Modified', ['ETag: "z"', 'Content-Length: 12'], ''),
  },
  {
    name: 'an interim response before it',
    sent: `HTTP/1.1 103 Early Hints\r\nLink: </s>\r\nlink:  </t>\r\n\r\n${response('HTTP/1.1 200 OK', ['X-Final: 1'])}`,
  },
  {
    name: 'all but the connection-specific fields',
    sent: response('HTTP/1.1 200 OK', [
      'Connection: keep-alive, X-Hop',
      'X-Hop: 1',
      'Keep-Alive: timeout=60',
      'X-Keep: 1',
      'Proxy-Connection: x',
      'Upgrade: h2c',
    ]),
    arrives: response('HTTP/1.1 200 OK', ['X-Keep: 1']),
  },
  {
    name: 'without the wish to close, which is between the provider and the gateway',
    sent: response('HTTP/1.1 200 OK', ['Connection: close']),
    arrives: response('HTTP/1.1 200 OK'),
  },
  {
    name: 'of two framings, the chunks',
    sent: message('HTTP/1.1 200 OK', ['Content-Length: 3', 'Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'),
    arrives: chunked([], '5\r\nhello\r\n0\r\n\r\n'),
  },
]

describe('a response arrives byte for byte:', () => {
  let gateway: RunningGateway
  let origin: Origin
  before(async () => {
    origin = await startOrigin()
    gateway = await startGateway(upTo(origin))
  })
  after(() => Promise.all([gateway.stop(), origin.close()]))

  for (const { name, sent, arrives = sent } of cases) {
    it(name, async () => {
      origin.answer = latin1(sent)
      using client = await connect(gateway.port)
      void client.write(post('/up/v1/x', '{}'))
      await client.response()
      assert.equal(client.received.length, arrives.length)
      assert.ok(client.received === arrives, `${JSON.stringify(client.received.slice(0, 2000))}`)
    })
  }
})
