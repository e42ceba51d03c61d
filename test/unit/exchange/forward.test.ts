import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CredentialPlace } from '../../../src/config/snapshot.ts'
import { authenticate } from '../../../src/exchange/authenticate.ts'
import { forward } from '../../../src/exchange/forward.ts'
import { route } from '../../../src/exchange/route.ts'
import { createFieldRules } from '../../../src/http/field-rules.ts'
import { exchangeOf, GATEWAY_KEY, PROVIDER_KEY, snapshot, upstream } from './exchange-of.ts'

type More = Parameters<typeof upstream>[0]

/** What the upstream sees of a request with these field lines, its request line and Host left out. */
function forwarded(fields: readonly string[], more: More, isAnonymous = false): string[] {
  const head = ['GET /up/x HTTP/1.1', 'A: 1', 'Host: gateway', ...fields, 'Z: 9', '', ''].join('\r\n')
  const exchange = exchangeOf(head, snapshot(isAnonymous, upstream(more)))
  assert.equal(authenticate(exchange) ?? route(exchange), undefined)
  forward(exchange)
  const lines = exchange.upstreamHead.split('\r\n')
  assert.deepEqual(lines.slice(0, 3), ['GET /v1/x HTTP/1.1', 'A: 1', 'Host: api.example'])
  assert.deepEqual(lines.slice(-2), ['', ''])
  return lines.slice(3, -2)
}

const BEARER = `Authorization: Bearer ${PROVIDER_KEY}`
const K = GATEWAY_KEY
const P = PROVIDER_KEY

type Row = readonly [place: CredentialPlace, sent: readonly string[], seen: readonly string[]]

/** In place: what was sent stands before `Z: 9`; what is put at the end of the head comes after it. */
const WITH_KEYS: readonly Row[] = [
  // swap: the field that the client used, its spelling and spacing kept.
  ['swap', [`Authorization: Bearer ${K}`], [BEARER, 'Z: 9']],
  ['swap', [`authorization:bEARER   ${K}  `], [`authorization:bEARER   ${P}  `, 'Z: 9']],
  ['swap', [`x-api-key: ${K}`], [`x-api-key: ${P}`, 'Z: 9']],
  ['swap', [`X-API-KEY:\t${K} `], [`X-API-KEY:\t${P} `, 'Z: 9']],
  ['swap', [`api-key: ${K}`], [`api-key: ${P}`, 'Z: 9']],
  ['swap', [`x-goog-api-key: ${K}`], [`x-goog-api-key: ${P}`, 'Z: 9']],
  ['swap', ['M: 2', `x-api-key: ${K}`, 'N: 3'], ['M: 2', `x-api-key: ${P}`, 'N: 3', 'Z: 9']],
  // The field for clients whose Authorization is their own.
  ['swap', [`x-fluxgate-key: ${K}`], ['Z: 9', BEARER]],
  ['swap', [`x-fluxgate-key: ${K}`, 'Authorization: Bearer own'], [BEARER, 'Z: 9']],
  ['swap', ['Authorization: Basic eA==', `x-fluxgate-key: ${K}`], [BEARER, 'Z: 9']],
  ['swap', ['authorization:  Basic eA== ', `x-fluxgate-key: ${K}`], [`authorization:  Bearer ${P} `, 'Z: 9']],
  ['swap', [`x-fluxgate-key: ${K}`, 'x-api-key: own'], ['Z: 9', BEARER]],
  // Several fields: the first of the list with the key is swapped, whatever their order; all others go, whatever is in them.
  ['swap', [`x-api-key: ${K}`, `Authorization: Bearer ${K}`], [BEARER, 'Z: 9']],
  ['swap', [`x-goog-api-key: ${K}`, `api-key: ${K}`, `x-api-key: ${K}`], [`x-api-key: ${P}`, 'Z: 9']],
  ['swap', [`x-fluxgate-key: ${K}`, `x-goog-api-key: ${K}`], [`x-goog-api-key: ${P}`, 'Z: 9']],
  ['swap', [`x-api-key: ${K}`, `x-api-key: ${K}`], [`x-api-key: ${P}`, 'Z: 9']],
  ['swap', ['Authorization: Bearer own', `x-api-key: ${K}`], [`x-api-key: ${P}`, 'Z: 9']],
  ['swap', ['x-goog-api-key: own', `Authorization: Bearer ${K}`], [BEARER, 'Z: 9']],
  ['swap', ['api-key: own', 'api-key: own', `x-api-key: ${K}`, 'x-fluxgate-key: own'], [`x-api-key: ${P}`, 'Z: 9']],
  // A fixed field, in the place of the client's.
  ['bearer', [`Authorization: Bearer ${K}`], [BEARER, 'Z: 9']],
  ['bearer', [`authorization: bearer ${K}`], [`authorization: bearer ${P}`, 'Z: 9']],
  ['bearer', [`x-api-key: ${K}`], [BEARER, 'Z: 9']],
  ['bearer', [`x-fluxgate-key: ${K}`], ['Z: 9', BEARER]],
  ['bearer', [`x-fluxgate-key: ${K}`, 'Authorization: Basic eA=='], [BEARER, 'Z: 9']],
  ['bearer', [`x-api-key: ${K}`, 'Authorization: Bearer own'], [BEARER, 'Z: 9']],
  ['x-api-key', [`Authorization: Bearer ${K}`], [`x-api-key: ${P}`, 'Z: 9']],
  ['x-api-key', [`X-Api-Key: ${K}`], [`X-Api-Key: ${P}`, 'Z: 9']],
  ['x-api-key', [`x-fluxgate-key: ${K}`], ['Z: 9', `x-api-key: ${P}`]],
  ['x-api-key', [`x-fluxgate-key: ${K}`, 'Authorization: Basic eA=='], [`x-api-key: ${P}`, 'Z: 9']],
  ['x-api-key', [`Authorization: Bearer ${K}`, 'x-api-key: own'], [`x-api-key: ${P}`, 'Z: 9']],
  ['x-api-key', ['x-api-key: own', `api-key: ${K}`], [`x-api-key: ${P}`, 'Z: 9']],
  ['x-api-key', ['x-api-key: own', 'Authorization: Bearer sso', `api-key: ${K}`], [`x-api-key: ${P}`, 'Z: 9']],
  ['x-api-key', ['x-api-key: own', `x-api-key: ${K}`], [`x-api-key: ${P}`, 'Z: 9']],
  // A login of the client's own is not for a provider that gets another one, also where it is not in the way.
  ['x-api-key', [`x-fluxgate-key: ${K}`, 'Authorization: Bearer own', 'x-api-key: own'], [`x-api-key: ${P}`, 'Z: 9']],
  ['x-api-key', [`x-fluxgate-key: ${K}`, 'x-api-key: own', 'Authorization: Bearer own'], [`x-api-key: ${P}`, 'Z: 9']],
  ['api-key', [`x-goog-api-key: ${K}`], [`api-key: ${P}`, 'Z: 9']],
  ['api-key', [`Authorization: Bearer ${K}`, `api-key: ${K}`], [`api-key: ${P}`, 'Z: 9']],
  ['x-goog-api-key', [`Authorization: Bearer ${K}`], [`x-goog-api-key: ${P}`, 'Z: 9']],
  ['x-goog-api-key', [`X-Goog-Api-Key:${K}`], [`X-Goog-Api-Key:${P}`, 'Z: 9']],
  // pass: the client's own login stays, gateway keys go.
  ['pass', [`x-fluxgate-key: ${K}`, 'Authorization: Basic eA=='], ['Authorization: Basic eA==', 'Z: 9']],
  ['pass', [`x-fluxgate-key: ${K}`, 'Authorization: Bearer own'], ['Authorization: Bearer own', 'Z: 9']],
  ['pass', [`x-fluxgate-key: ${K}`], ['Z: 9']],
  ['pass', [`Authorization: Bearer ${K}`, 'x-api-key: own'], ['x-api-key: own', 'Z: 9']],
  ['pass', [`x-fluxgate-key: ${K}`, `x-api-key: ${K}`], ['Z: 9']],
]

describe('the credential, with keys configured', () => {
  for (const [credential, sent, seen] of WITH_KEYS) {
    test(`${credential}: ${sent.join(' | ')}`, () => assert.deepEqual(forwarded(sent, { credential }), seen))
  }
})

const ANONYMOUS: readonly Row[] = [
  ['swap', [], ['Z: 9', BEARER]],
  ['swap', ['Authorization: Bearer any'], [BEARER, 'Z: 9']],
  ['swap', ['Authorization: Bearer'], [BEARER, 'Z: 9']],
  ['swap', ['Authorization: Basic eA=='], [BEARER, 'Z: 9']],
  ['swap', ['x-api-key: any'], [`x-api-key: ${P}`, 'Z: 9']],
  ['swap', ['x-api-key:'], [`x-api-key:${P}`, 'Z: 9']],
  ['swap', ['x-goog-api-key: any', 'api-key: any'], [`api-key: ${P}`, 'Z: 9']],
  ['swap', ['Authorization: Basic eA==', 'api-key: any'], [`api-key: ${P}`, 'Z: 9']],
  ['swap', ['x-fluxgate-key: any', 'x-api-key: any'], [`x-api-key: ${P}`, 'Z: 9']],
  ['swap', ['x-fluxgate-key: any'], ['Z: 9', BEARER]],
  ['swap', ['Authorization: Bearer a', 'Authorization: Bearer b'], [BEARER, 'Z: 9']],
  ['x-api-key', [], ['Z: 9', `x-api-key: ${P}`]],
  ['x-api-key', ['Authorization: Bearer any'], [`x-api-key: ${P}`, 'Z: 9']],
  ['bearer', ['x-api-key: any'], [BEARER, 'Z: 9']],
  ['pass', ['Authorization: Bearer any', 'x-api-key: any'], ['Authorization: Bearer any', 'x-api-key: any', 'Z: 9']],
  ['pass', ['x-fluxgate-key: any', 'api-key: any'], ['api-key: any', 'Z: 9']],
  ['pass', [], ['Z: 9']],
]

describe('the credential, for everybody', () => {
  for (const [credential, sent, seen] of ANONYMOUS) {
    test(`${credential}: ${sent.join(' | ') || 'none'}`, () =>
      assert.deepEqual(forwarded(sent, { credential }, true), seen))
  }

  for (const apiKey of ['', undefined]) {
    test(`${JSON.stringify(apiKey)} for the provider: none goes on`, () => {
      const all = ['Authorization: Basic eA==', 'x-api-key: a', 'api-key: b', 'x-goog-api-key: c', 'x-fluxgate-key: d']
      assert.deepEqual(forwarded([...all, 'x-key: e'], { apiKey }, true), ['x-key: e', 'Z: 9'])
      assert.deepEqual(forwarded(all, { apiKey, credential: 'pass' }, true), [...all.slice(0, -1), 'Z: 9'])
    })
  }
})

/** Kept are Authorization and x-api-key. */
const KEPT: readonly (readonly [isAnonymous: boolean, ...Row])[] = [
  [
    false,
    'api-key',
    [`api-key: ${K}`, 'Authorization: Bearer sso'],
    [`api-key: ${P}`, 'Authorization: Bearer sso', 'Z: 9'],
  ],
  // It stands where the provider's key would go otherwise.
  [
    false,
    'api-key',
    [`x-fluxgate-key: ${K}`, 'Authorization: Bearer sso'],
    ['Authorization: Bearer sso', 'Z: 9', `api-key: ${P}`],
  ],
  [true, 'api-key', ['Authorization: Bearer sso'], ['Authorization: Bearer sso', 'Z: 9', `api-key: ${P}`]],
  [true, 'api-key', ['x-api-key: sso', 'api-key: any'], ['x-api-key: sso', `api-key: ${P}`, 'Z: 9']],
  [
    false,
    { field: 'Key', name: 'key', scheme: '' },
    [`x-fluxgate-key: ${K}`, 'Authorization: Bearer sso'],
    ['Authorization: Bearer sso', 'Z: 9', `Key: ${P}`],
  ],
  // Where the provider's key stands, nothing else does.
  [false, 'x-api-key', [`x-api-key: ${K}`, 'x-api-key: own'], [`x-api-key: ${P}`, 'Z: 9']],
  [false, 'x-api-key', ['x-api-key: own', 'x-api-key: own', `api-key: ${K}`], [`x-api-key: ${P}`, 'Z: 9']],
  [false, 'swap', [`x-fluxgate-key: ${K}`, 'Authorization: Bearer sso'], [BEARER, 'Z: 9']],
  [false, 'swap', ['x-api-key: own', `x-api-key: ${K}`], [`x-api-key: ${P}`, 'Z: 9']],
]

describe('the credential, where some of the client are kept', () => {
  const fields = createFieldRules({ remove: [], set: [], keep: ['authorization', 'x-api-key'] })
  for (const [isAnonymous, credential, sent, seen] of KEPT) {
    test(`${JSON.stringify(credential)}: ${sent.join(' | ')}${isAnonymous ? ', for everybody' : ''}`, () => {
      assert.deepEqual(forwarded(sent, { credential, fields }, isAnonymous), seen)
    })
  }
})

describe('the rest of the head', () => {
  for (const [what, sent, seen] of [
    ['connection-specific fields go', ['Connection: X-Hop', 'Keep-Alive: 5', 'X-HOP: 1', 'Upgrade: h2c'], []],
    ['proxy fields go', ['Proxy-Connection: x', 'Proxy-Authorization: y', 'Proxy-Authenticate: z'], []],
    ['TE: trailers stays', ['TE: trailers'], ['TE: trailers']],
    ['other codings do not', ['te: deflate, trailers;q=1, trailers'], ['te: trailers']],
    ['framing stays', ['Content-Length: 03'], ['Content-Length: 03']],
    ['so does an expectation', ['Expect:  100-continue'], ['Expect:  100-continue']],
    ['repetition, order and spelling stay', ['b:1', 'a: 2', 'B: 1 ', 'a: 2'], ['b:1', 'a: 2', 'B: 1 ', 'a: 2']],
    [
      'look-alikes stay',
      ['X-Authorization: a', 'my-api-key: b', 'Hosts: c'],
      ['X-Authorization: a', 'my-api-key: b', 'Hosts: c'],
    ],
  ] as const) {
    test(what, () => assert.deepEqual(forwarded([`api-key: ${K}`, ...sent], {}), [`api-key: ${P}`, ...seen, 'Z: 9']))
  }

  test('a Host keeps its place and its spelling', () => {
    const head = `GET /up HTTP/1.1\r\nA: 1\r\nhOST:\t gateway:80  \r\nB: 2\r\napi-key: ${K}\r\n\r\n`
    const exchange = exchangeOf(head, snapshot(false, upstream({ authority: '[::1]:8443', basePath: '' })))
    assert.equal(authenticate(exchange) ?? route(exchange), undefined)
    forward(exchange)
    assert.equal(
      exchange.upstreamHead,
      `GET / HTTP/1.1\r\nA: 1\r\nhOST:\t [::1]:8443  \r\nB: 2\r\napi-key: ${P}\r\n\r\n`,
    )
  })
})

describe('the request target', () => {
  for (const [prefix, basePath, target, seen] of [
    ['/up', '', '/up', '/'],
    ['/up', '', '/up/', '/'],
    ['/up', '', '/up?q', '/?q'],
    ['/up', '', '/up/?q', '/?q'],
    ['/up', '', '/up/a//b%2Fc?d=/up', '/a//b%2Fc?d=/up'],
    ['/up', '', '/up//host/x', '//host/x'],
    ['/up', '/v1', '/up', '/v1'],
    ['/up', '/v1', '/up/', '/v1/'],
    ['/up', '/v1', '/up?q', '/v1?q'],
    ['/up', '/v1', '/up/a', '/v1/a'],
    ['/up', '/v1', '/up/up/a', '/v1/up/a'],
    ['', '', '/a?b', '/a?b'],
    ['', '/v1', '/', '/v1/'],
    ['/a/b', '/c', '/a/b/d', '/c/d'],
    ['/up', '/v1', 'http://gateway/up/a?b', '/v1/a?b'],
    ['/up', '', 'http://gateway/up?b', '/?b'],
    ['', '/v1', 'http://gateway', '/v1/'],
    ['', '/v1', 'http://gateway?b', '/v1/?b'],
  ] as const) {
    test(`${target} under ${prefix || '/'} at ${basePath || '/'}`, () => {
      const head = `GET ${target} HTTP/1.1\r\nHost: gateway\r\n\r\n`
      const exchange = exchangeOf(head, snapshot(true, upstream({ prefix, basePath })))
      assert.equal(authenticate(exchange) ?? route(exchange), undefined)
      forward(exchange)
      assert.equal(exchange.upstreamTarget, seen)
      assert.ok(exchange.upstreamHead.startsWith(`GET ${seen} HTTP/1.1\r\n`))
    })
  }
})
