import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import fc from 'fast-check'
import { createRouteTable } from '../../../src/config/route-table.ts'
import type { CredentialPlace, Snapshot } from '../../../src/config/snapshot.ts'
import { authenticate } from '../../../src/exchange/authenticate.ts'
import { forward } from '../../../src/exchange/forward.ts'
import { route } from '../../../src/exchange/route.ts'
import { isRefused } from '../../../src/http/downstream.ts'
import { parseRequestHead } from '../../../src/http1/parse-request.ts'
import { CLIENT_KEY, PROVIDER_KEY } from '../../support/gateway.ts'
import { exchangeOf, snapshot, upstream } from '../../unit/exchange/exchange-of.ts'
import { requestVectors } from '../corpus.ts'
import type { TextTarget } from '../target.ts'
import { credentialsIn } from './credentials.ts'
import { SPICE } from './smuggling.ts'

const UPSTREAMS = (
  [
    ['/up', 'up.example', '/v1', 'swap'],
    ['/up/deep', 'deep.example:8443', '', 'x-api-key'],
    ['/other', 'other.example', '/a//b%2f', 'bearer'],
    ['/other/%41', '[::1]:99', '/', 'swap'],
    ['/pass', 'pass.example', '/base', 'pass'],
  ] as const
).map(([prefix, authority, basePath, credential]: readonly [string, string, string, CredentialPlace]) =>
  upstream({
    name: prefix,
    prefix,
    authority,
    basePath: basePath.replace(/\/+$/, ''),
    credential,
    apiKey: PROVIDER_KEY,
  }),
)

const SNAPSHOT: Snapshot = {
  ...snapshot(false),
  keys: {
    staticKeys: new Map([[hash('sha256', CLIENT_KEY), { name: 'k', routes: createRouteTable(UPSTREAMS) }]]),
    jwtKeys: new Map(),
  },
  upstreams: UPSTREAMS,
}

/** The prefix that wins, by trying all. */
function prefixOf(path: string): string | undefined {
  return UPSTREAMS.map(({ prefix }) => prefix)
    .filter((prefix) => path === prefix || path.startsWith(`${prefix}/`))
    .sort((a, b) => b.length - a.length)[0]
}

/** Lines have gone, or all are there still. */
const isRewritten = (head: string, sent: string): boolean => head.split('\r\n').length !== sent.split('\r\n').length

/** Head in, outcome out; throws if a byte of the request stands where it must not. */
function check(head: string): string {
  const parsed = parseRequestHead(head, 0)
  if (isRefused(parsed)) return parsed.failure
  const exchange = exchangeOf(head, SNAPSHOT)
  const failure = authenticate(exchange) ?? route(exchange)
  if (failure !== undefined) return failure
  forward(exchange)
  const sent = parsed.target.replace(/^https?:\/\/[^/?]*/i, '')
  const path = (sent.startsWith('/') ? sent : `/${sent}`).replace(/\?.*$/, '')
  const query = sent.slice(sent.indexOf('?') === -1 ? sent.length : sent.indexOf('?'))
  const { prefix, target, credential } = UPSTREAMS.find((each) => each.prefix === prefixOf(path))!
  const [line = '', ...lines] = exchange.upstreamHead.split('\r\n').slice(0, -2)
  const rest = `${target.basePath}${path.slice(prefix.length)}${query}`
  assert.equal(line, `${parsed.method} ${rest.startsWith('/') ? rest : `/${rest}`} HTTP/1.1`)
  assert.deepEqual(
    lines.filter((each) => /^host[ \t]*:/i.test(each)).map((each) => each.slice(5).trim()),
    [target.authority],
  )
  // A reader that resolves what it gets must come out at the same host, under the same path.
  const url = new URL(`${target.scheme}://${target.authority}${exchange.upstreamTarget}`)
  assert.equal(url.host, new URL(`${target.scheme}://${target.authority}/`).host)
  assert.ok(`${url.pathname}/`.startsWith(`${target.basePath}/`), `${url.pathname} is outside of ${target.basePath}`)
  const credentials = credentialsIn(lines)
  assert.ok(!credentials.includes(CLIENT_KEY), 'the gateway key goes on')
  const expected = credential === 'pass' ? 0 : 1
  assert.equal(exchange.upstreamHead.split(PROVIDER_KEY).length - head.split(PROVIDER_KEY).length, expected)
  assert.match(exchange.upstreamHead, /^(?:[^\r\n\0]+\r\n)+\r\n$/)
  return `${prefix} ${Math.min(3, credentials.length)} ${isRewritten(head, exchange.upstreamHead)}`
}

const segment = fc.constantFrom(
  'up',
  'deep',
  'other',
  '%41',
  'A',
  '',
  '.',
  '%2e%2e',
  '\\',
  'up-evil',
  'x@y',
  'a:1',
  '?q',
  ';',
)
const host = fc.constantFrom('', '', 'http://up.example', 'https://evil:1', 'HTTP://a')

export const routing: TextTarget = {
  name: 'routing',
  about: 'no byte of a request selects another host, and paths are put together as they are',
  corpus: () => requestVectors().map((text) => text.slice(0, text.indexOf('\r\n\r\n') + 4)),
  spice: [
    ...SPICE,
    '/up',
    '/deep',
    '/other',
    '//',
    '@evil',
    ':99',
    'http://evil/',
    '%2f',
    '%5c',
    '\\',
    '..',
    '?',
    '#',
    CLIENT_KEY,
    'x-fluxgate-key: ',
    'x-api-key: ',
    'Bearer ',
  ],
  values: () =>
    fc
      .tuple(host, fc.array(segment, { maxLength: 6 }))
      .map(
        ([authority, segments]) =>
          `GET ${authority}/${segments.join('/')} HTTP/1.1\r\nHost: ${authority.slice(authority.indexOf('//') + 2) || 'a'}\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n\r\n`,
      ),
  // A head is what its reader has found the end of.
  check: (text) => check(`${text.split('\r\n\r\n', 1)[0]}\r\n\r\n`),
}
