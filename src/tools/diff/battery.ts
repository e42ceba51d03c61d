import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { Answer } from './recording-origin.ts'
import type { RequestTemplate } from './request.ts'
import type { Trial } from './trial.ts'

/** What `--direct` sends: each trial is one thing that gateways and HTTP libraries like to change. */

const KEYED = ['Host: {host}', 'Authorization: Bearer {key}']
const JSON_TYPE = 'Content-Type: application/json'
const CHUNKED = 'Transfer-Encoding: chunked'

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function get(lines: readonly string[] = [], path = '/v1/models'): RequestTemplate {
  return { method: 'GET', path, lines: [...KEYED, ...lines], body: [] }
}

function post(lines: readonly string[], ...body: (string | Buffer)[]): RequestTemplate {
  const pieces = body.map((piece) => (typeof piece === 'string' ? latin1(piece) : piece))
  return { method: 'POST', path: '/v1/chat/completions', lines: [...KEYED, JSON_TYPE, ...lines], body: pieces }
}

function posted(content: string | Buffer, lines: readonly string[] = []): RequestTemplate {
  return post([...lines, `Content-Length: ${content.length}`], content)
}

function answer(startLine: string, lines: readonly string[], ...body: (string | Buffer)[]): Answer {
  const [first = latin1(''), ...further] = body.map((piece) => (typeof piece === 'string' ? latin1(piece) : piece))
  const head = latin1([startLine, ...lines, '', ''].join('\r\n'))
  return { pieces: [Buffer.concat([head, first]), ...further] }
}

function ok(content: string | Buffer = '{"ok":true}', lines: readonly string[] = [JSON_TYPE]): Answer {
  return answer('HTTP/1.1 200 OK', [...lines, `Content-Length: ${content.length}`], content)
}

function chunked(lines: readonly string[], ...body: string[]): Answer {
  return answer('HTTP/1.1 200 OK', [...lines, CHUNKED], ...body)
}

const EVENT = 'b\r\ndata: one\n\n\r\n'
const LARGE = 3_000_000

const plain: readonly Trial[] = [
  { name: 'a request without a body', request: get(['Accept: */*', 'User-Agent: curl/8.5.0']), answer: ok() },
  { name: 'a JSON body and a JSON answer', request: posted('{ "model" : "m",\n "n": 1 }'), answer: ok('{ "a" : 1 }') },
  { name: 'an empty body', request: post(['Content-Length: 0']), answer: ok('') },
  {
    name: 'an odd target',
    request: get([], '/v1//models/%7e%2Fa;b=c/?q=a+b%20c&q=&&x=%zz&u=http://u@h/?y'),
    answer: ok(),
  },
  {
    name: 'a method that nobody knows',
    request: { ...posted('{}'), method: 'PURGE-All' },
    answer: ok(),
  },
]

const lines: readonly Trial[] = [
  {
    name: 'repeated field lines',
    request: get(['X-Tag: one', 'X-Tag: two', 'x-tag: one', 'Cookie: a=1', 'Cookie: b=2']),
    answer: ok('{}', ['Set-Cookie: a=1', 'Link: </a>', 'Set-Cookie: b=2', 'Link: </b>', 'Vary: a', 'Vary: b']),
  },
  {
    name: 'odd spelling of field names',
    request: {
      ...get(),
      lines: ['X-Before: 1', 'hOsT: {host}', 'AUTHORIZATION: bearer {key}', 'x_Under: 1', "x.!#$%&'*+-^`|~: 1"],
    },
    answer: ok('{}', ['x-RateLimit-REMAINING: 9', 'SERVER: edge', '__proto__: x', 'content-TYPE: text/plain']),
  },
  {
    name: 'odd spacing and empty values',
    request: {
      ...get(),
      lines: ['host:\t {host}', 'Authorization:Bearer {key}', 'X-None:', 'X-Tight:v', 'X-Wide: \t a  b \t '],
    },
    answer: ok('{}', ['X-None:', 'X-Tight:v', 'X-Wide: \t a  b \t ', 'Content-Type:application/json']),
  },
  {
    name: 'bytes above 0x7F',
    request: get(['X-Latin: caf\xe9', 'X-Utf8: caf\xc3\xa9', 'X-All: \x80\x9f\xff']),
    answer: answer('HTTP/1.1 200 Tr\xe8s bien', ['X-Latin: \xe9\x80\xff', 'Content-Length: 2'], '\xff\x00'),
  },
  {
    name: 'a key in x-api-key',
    request: { ...get(), lines: ['Host: {host}', 'X-Api-Key: {key}', 'anthropic-version: 2023-06-01'] },
    answer: ok(),
  },
  {
    name: 'fields that are for one connection only',
    request: post(['Connection: keep-alive, X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=5', 'TE: gzip, trailers']),
    answer: ok('{}', ['Connection: keep-alive, X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=60', 'X-Stays: 1']),
  },
]

const bodies: readonly Trial[] = [
  {
    name: 'streamed events, one by one',
    request: posted('{"stream":true}'),
    answer: chunked(['Content-Type: text/event-stream'], '', EVENT, EVENT, `${EVENT}${EVENT}`, '0\r\n\r\n'),
  },
  {
    name: 'a chunked upload, chunk by chunk',
    request: post([CHUNKED], '5\r\nhello\r\n', '00B\r\n, and again\r\n1\r\n!\r\n', '000\r\n\r\n'),
    answer: ok(),
  },
  {
    name: 'odd chunk sizes and chunk extensions',
    request: post(['transfer-encoding:Chunked'], '00a;x=1\r\n0123456789\r\nB\r\nhello world\r\n00;y\r\n\r\n'),
    answer: chunked([], '5;a="b"\r\nhello\r\n0001\r\n!\r\n0\r\n\r\n'),
  },
  {
    name: 'trailers',
    request: post(['Trailer: X-Sum', CHUNKED], '2\r\n{}\r\n0\r\nX-Sum: 99\r\nx-sum:  \r\n\r\n'),
    answer: chunked(['Trailer: X-Usage'], '2\r\n{}\r\n0\r\nX-Usage:7\r\nx-usage:  8\r\n\r\n'),
  },
  {
    name: 'trailers that must not travel',
    request: post([CHUNKED], '2\r\n{}\r\n0\r\nX-Sum: 1\r\nX-Api-Key: none\r\n\r\n'),
    answer: chunked([], '2\r\n{}\r\n0\r\nSet-Cookie: a=1\r\nX-Usage: 1\r\n\r\n'),
  },
  {
    name: 'compressed bodies',
    request: posted(gzipSync('{"a":1}'.repeat(50)), ['Content-Encoding: gzip']),
    answer: ok(gzipSync('{"b":2}'.repeat(50)), ['Content-Encoding: gzip', 'ETag: W/"x"']),
  },
  { name: 'bodies of 3 MB', request: posted(randomBytes(LARGE)), answer: ok(randomBytes(LARGE)) },
]

const statuses: readonly Trial[] = [
  { name: 'HEAD', request: { ...get(), method: 'HEAD' }, answer: answer('HTTP/1.1 200 OK', ['Content-Length: 341']) },
  { name: '204', request: get(), answer: answer('HTTP/1.1 204 No Content', ['X-A: 1']) },
  {
    name: '304 with a length',
    request: get(['If-None-Match: "z"']),
    answer: answer('HTTP/1.1 304 Not Modified', ['ETag: "z"', 'Content-Length: 12']),
  },
  {
    name: 'a redirect, not followed',
    request: posted('{}'),
    answer: answer('HTTP/1.1 307 Temporary Redirect', ['Location: http://127.0.0.1:9/x', 'Content-Length: 0']),
  },
  {
    name: '529 with a reason of its own',
    request: posted('{}'),
    answer: answer('HTTP/1.1 529 Site is overloaded', ['retry-after: 3', 'Content-Length: 2'], '{}'),
  },
  { name: 'an empty reason', request: get(), answer: answer('HTTP/1.1 200 ', ['Content-Length: 2'], '{}') },
  {
    name: 'an interim 103',
    request: get(),
    answer: { pieces: [latin1('HTTP/1.1 103 Early Hints\r\nLink: </s>\r\nlink:  </t>\r\n\r\n'), ...ok().pieces] },
  },
]

const endings: readonly Trial[] = [
  {
    name: 'a body that waits for 100',
    request: posted('{"late":true}', ['Expect: 100-continue']),
    answer: { ...ok(), interim: latin1('HTTP/1.1 100 Go on\r\nX-Interim: 1\r\n\r\n') },
  },
  {
    name: 'an answer before the upload has ended',
    request: post([CHUNKED], '5\r\nhello\r\n', '5\r\nagain\r\n', '0\r\n\r\n'),
    answer: { ...ok(), after: 'head' },
  },
  {
    name: 'an origin that speaks HTTP/1.0',
    request: get(),
    answer: { ...answer('HTTP/1.0 200 OK', ['Content-Type: text/plain'], 'until the end'), end: 'close' },
  },
  {
    name: 'an answer that breaks off, with a length',
    request: get(),
    answer: { ...answer('HTTP/1.1 200 OK', ['Content-Length: 10'], 'half'), end: 'close' },
  },
  {
    name: 'an answer that breaks off, in chunks',
    request: get(),
    answer: { ...chunked([], '5\r\nhello\r\n'), end: 'close' },
  },
  {
    name: 'an answer that breaks off, without framing',
    request: get(),
    answer: { ...answer('HTTP/1.1 200 OK', [], 'half'), end: 'reset' },
  },
]

export const BATTERY: readonly Trial[] = [...plain, ...lines, ...bodies, ...statuses, ...endings]

/** Somebody's own request, with an answer that fits it. */
export function trialOf(request: RequestTemplate): Trial {
  const name = 'your request'
  return {
    name,
    request,
    answer: request.method === 'HEAD' ? answer('HTTP/1.1 200 OK', ['Content-Length: 341']) : ok(),
  }
}
