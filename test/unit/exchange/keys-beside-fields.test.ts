/** Keys in the query and among the protocols of a WebSocket: what opens the door there, and what the upstream sees of it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { CredentialPlace } from '../../../src/config/snapshot.ts'
import { authenticate } from '../../../src/exchange/authenticate.ts'
import { forward } from '../../../src/exchange/forward.ts'
import { loginOwner } from '../../../src/exchange/login.ts'
import { route } from '../../../src/exchange/route.ts'
import { exchangeOf, GATEWAY_KEY as K, OTHER_KEY, PROVIDER_KEY as P, snapshot, upstream } from './exchange-of.ts'

interface Options {
  readonly credential?: CredentialPlace
  readonly isAnonymous?: boolean
  readonly apiKey?: string
  readonly takesQueryKeys?: boolean
}

function exchangeFor(target: string, lines: readonly string[], options: Options) {
  const { isAnonymous = false, ...more } = options
  const head = [`GET ${target} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n')
  return exchangeOf(head, snapshot(isAnonymous, upstream({ takesQueryKeys: true, basePath: '', ...more })))
}

/** The request line's target and the lines behind Host that leave; or why it is refused. */
function sent(target: string, lines: readonly string[] = [], options: Options = {}): unknown {
  const exchange = exchangeFor(target, lines, options)
  const failure = authenticate(exchange) ?? route(exchange)
  if (failure !== undefined) return exchange.cause ?? failure
  forward(exchange)
  assert.ok(!exchange.upstreamHead.includes(K), exchange.upstreamHead)
  // What is recognised by its bytes alone: only where the key stands in a field, and never an upgrade.
  if (target.includes(K) || exchange.head!.isWebSocketUpgrade) assert.equal(exchange.head!.clearance, undefined)
  const [start, , ...rest] = exchange.upstreamHead.split('\r\n').slice(0, -2)
  return [start!.split(' ')[1], ...rest]
}

const BEARER = `Authorization: Bearer ${P}`

describe('a key in the query', () => {
  for (const [target, lines, seen] of [
    [`/up/x?key=${K}`, [], [`/x?key=${P}`]],
    [`/up?key=${K}`, [], [`/?key=${P}`]],
    [`/up/x?api-key=${K}&b=%20`, [], [`/x?api-key=${P}&b=%20`]],
    [`/up/x?a=%2f&key=${K}&&b`, [], [`/x?a=%2f&key=${P}&&b`]],
    [`/up/x?key=%66gk_client`, [], [`/x?key=${P}`]],
    [`http://a/up/x?key=${K}`, [], [`/x?key=${P}`]],
    // Twice: once is enough.
    [`/up/x?key=${K}&a&key=${K}&api-key=${K}`, [], [`/x?key=${P}&a`]],
    // What else has such a name is a credential, and there is one already. Names that only look like that are parameters.
    [`/up/x?key=&key=other&Key=2&%6bey=3&monkey=4&key=${K}`, [], [`/x?key=&Key=2&%6bey=3&monkey=4&key=${P}`]],
    // A field that carries it is swapped.
    [`/up/x?key=${K}`, [`x-goog-api-key: ${K}`], ['/x', `x-goog-api-key: ${P}`]],
    [`/up/x?a=1&key=${K}`, [`x-goog-api-key: ${K}`], ['/x?a=1', `x-goog-api-key: ${P}`]],
    [`/up/x?key=${K}&a=1`, [`Authorization: Bearer ${K}`], ['/x?a=1', BEARER]],
    [`/up/x?a=1&key=${K}&b=2`, [`Authorization: Bearer ${K}`], ['/x?a=1&b=2', BEARER]],
    [`/up/x?key=${K}&key=${K}`, [`Authorization: Bearer ${K}`], ['/x', BEARER]],
    [`/up/x?key=${K}`, [`x-fluxgate-key: ${K}`], ['/x', BEARER]],
    [`/up/x?key=own`, [`Authorization: Bearer ${K}`], ['/x', BEARER]],
    // Another credential goes no further, nor does what holds the key.
    [`/up/x?key=${K}`, ['Authorization: Bearer own', `Cookie: k=${K}`, 'A: 1'], [`/x?key=${P}`, 'A: 1']],
    // Elsewhere in the target it cannot be taken out.
    [`/up/${K}?key=${K}`, [], 'key_in_target'],
    [`/up/x?key=${K}&x=${K}`, [], 'key_in_target'],
    [`/up/x?key=${K}`, [`x-api-key: ${OTHER_KEY}`], 'two_keys'],
    [`/up/x?key=${K}&api-key=${OTHER_KEY}`, [], 'two_keys'],
    ['/up/x?key=wrong', [], 'unknown_key'],
    [`/up/x?${Array.from({ length: 40 }, (_, i) => `key=${i}`).join('&')}`, [], 'two_keys'],
    [`/elsewhere?key=${K}`, [], 'no_key'],
    [`/up/x?b&key${K}`, [], 'no_key'],
  ] as const) {
    test(`${target} ${lines.join()}`, () => assert.deepEqual(sent(target, lines), seen))
  }

  for (const credential of ['bearer', 'x-goog-api-key'] as const) {
    test(`is removed where credential is ${credential}`, () => {
      const line = credential === 'bearer' ? BEARER : `${credential}: ${P}`
      assert.deepEqual(sent(`/up/x?key=${K}&a`, [], { credential }), ['/x?a', line])
    })
  }
  test('is removed where the operator has named a field', () => {
    const credential = { field: 'Xi-Key', name: 'xi-key', scheme: '' }
    assert.deepEqual(sent(`/up/x?key=${K}&a`, [], { credential }), ['/x?a', `Xi-Key: ${P}`])
  })
  test('is removed under pass, and what the client has for the provider stays', () => {
    const lines = ['Authorization: Bearer own']
    assert.deepEqual(sent(`/up/x?key=${K}&api-key=own`, lines, { credential: 'pass' }), ['/x?api-key=own', ...lines])
  })
  test('owns a login', () => {
    const exchange = exchangeFor(`/up/x?key=${K}`, [], { credential: 'pass' })
    assert.equal(authenticate(exchange) ?? route(exchange), undefined)
    assert.equal(loginOwner(exchange), K)
  })
  test('of a provider is escaped as a query wants it', () => {
    assert.deepEqual(sent(`/up/x?key=${K}`, [], { apiKey: 'a&b=c#d e%\xc3/+' }), ['/x?key=a%26b%3Dc%23d%20e%25%C3/%2B'])
  })
  test('is none where the upstream does not say so', () => {
    assert.equal(sent(`/up/x?key=${K}`, [], { takesQueryKeys: false }), 'no_key')
    assert.equal(sent(`/up/x?key=${K}`, [`x-api-key: ${K}`], { takesQueryKeys: false }), 'key_in_target')
  })
  test('of an anonymous client is its credential', () => {
    const isAnonymous = true
    assert.deepEqual(sent('/up/x?a&key=own', [], { isAnonymous }), [`/x?a&key=${P}`])
    assert.deepEqual(sent('/up/x?a&key=own', ['api-key: own'], { isAnonymous }), ['/x?a', `api-key: ${P}`])
    assert.deepEqual(sent('/up/x?a&key=own', [], { isAnonymous, apiKey: '' }), ['/x?a'])
    assert.deepEqual(sent('/up/x?a&key=own', [], { isAnonymous, credential: 'pass' }), ['/x?a&key=own'])
  })
  test('is all that is touched', () => {
    const pair = fc.stringMatching(/^[a-z0-9=%;.+?]{0,9}$/).filter((text) => !/^(?:api-)?key=/.test(text))
    fc.assert(
      fc.property(fc.array(pair), fc.array(pair), (before, after) => {
        const query = (key: string) => [...before, `key=${key}`, ...after].join('&')
        assert.deepEqual(sent(`/up/x?${query(K)}`), [`/x?${query(P)}`])
      }),
    )
  })
})

describe('a key among the protocols of a WebSocket', () => {
  const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket']
  const offer = (key: string) => `openai-insecure-api-key.${key}`
  const protocols = (...lines: string[]) => lines.map((line) => `Sec-WebSocket-Protocol:${line}`)
  for (const [name, lines, seen, options] of [
    ['is swapped in its place', protocols(` realtime, ${offer(K)} ,x`), protocols(` realtime, ${offer(P)} ,x`)],
    ['alone', protocols(offer(K)), protocols(offer(P))],
    ['on a line of its own', protocols('realtime', ` ${offer(K)}\t`), protocols('realtime', ` ${offer(P)}\t`)],
    ['once', protocols(`${offer(K)}, ${offer(K)}, a`), protocols(`${offer(P)}, a`)],
    [
      'gives way to a field',
      [...protocols(` realtime, ${offer(K)}`), `api-key: ${K}`],
      [...protocols(' realtime'), `api-key: ${P}`],
    ],
    ['and its line with it', [...protocols(offer(K)), `api-key: ${K}`], [`api-key: ${P}`]],
    [
      'is removed where a field is named',
      protocols(` a, ${offer(K)}, b`),
      [...protocols(' a, b'), BEARER],
      { credential: 'bearer' },
    ],
    ['the first too', protocols(` ${offer(K)}, b`), [...protocols(' b'), BEARER], { credential: 'bearer' }],
    [
      'under pass',
      protocols(` ${offer(K)}, b, ${offer('own')}`),
      protocols(` b, ${offer('own')}`),
      { credential: 'pass' },
    ],
    [
      "another client's too",
      [...protocols(`${offer('own')}, b, ${offer(OTHER_KEY)}x`), `x-fluxgate-key: ${K}`],
      protocols(`${offer('own')}, b, ${offer(OTHER_KEY)}x`),
      { credential: 'pass' },
    ],
    [
      'a second credential goes no further',
      [...protocols(` a, ${offer('own')}`), `api-key: ${K}`],
      [...protocols(' a'), `api-key: ${P}`],
    ],
    ['nor does what holds the key', protocols(` x-${K}, ${offer(K)}, ${K}`), protocols(` ${offer(P)}`)],
    [
      'a key that is no token goes into a field',
      protocols(` a, ${offer(K)}`),
      [...protocols(' a'), 'Authorization: Bearer a b'],
      { apiKey: 'a b' },
    ],
    ['of an anonymous client', protocols(` a, ${offer('own')}`), protocols(` a, ${offer(P)}`), { isAnonymous: true }],
    [
      'of an anonymous client, without a key',
      protocols(` a, ${offer('own')}`),
      protocols(' a'),
      { isAnonymous: true, apiKey: '' },
    ],
    ['the query goes first', protocols(` a, ${offer(K)}`), protocols(' a'), { query: true }],
  ] as readonly (readonly [string, string[], string[], (Options & { query?: true })?])[]) {
    test(name, () => {
      const { query, ...more } = options ?? {}
      const [target, ...rest] = sent(query ? `/up/x?key=${K}` : '/up/x', [...UPGRADE, ...lines], more) as string[]
      assert.deepEqual(rest, [...UPGRADE, ...seen])
      assert.equal(target, query ? `/x?key=${P}` : '/x')
    })
  }
  test('of another client is one too many', () => {
    assert.equal(sent('/up/x', [...UPGRADE, ...protocols(offer(K)), `api-key: ${OTHER_KEY}`]), 'two_keys')
  })
  test('is none where no WebSocket is asked for', () => {
    assert.equal(sent('/up/x', protocols(offer(K))), 'no_key')
    assert.equal(sent('/up/x', [...UPGRADE, ...protocols(K)]), 'no_key')
  })
  test('goes with its line, if Connection says so, and the other one goes where it does without a slot', () => {
    const nominated = ['Connection: Upgrade, Sec-WebSocket-Protocol', 'Upgrade: websocket']
    const [, ...lines] = sent('/up/x', [...nominated, ...protocols(`a, ${offer(K)}`)]) as string[]
    assert.deepEqual(lines, ['Connection: Upgrade', 'Upgrade: websocket', `Authorization: Bearer ${P}`])
  })
  test('an upgrade is never repeated', () => {
    assert.deepEqual(sent('/up/x', [...UPGRADE, `api-key: ${K}`]), ['/x', ...UPGRADE, `api-key: ${P}`])
  })
})
