import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { createRouteTable } from '../../../src/config/route-table.ts'
import type { JwtKey } from '../../../src/config/snapshot.ts'
import { authenticate } from '../../../src/exchange/authenticate.ts'
import { forward } from '../../../src/exchange/forward.ts'
import { route } from '../../../src/exchange/route.ts'
import { FIELD } from '../../../src/http/fields.ts'
import { identityOf, jwtKey, signToken } from '../../support/tokens.ts'
import { exchangeOf, GATEWAY_KEY as K, MARKED_KEY, OTHER_KEY, sha256, snapshot, upstream } from './exchange-of.ts'

/** The name of who is let in with these field lines, or the refusal. */
function who(...fields: string[]): string {
  const exchange = exchangeOf(['GET /up HTTP/1.1', 'Host: a', ...fields, '', ''].join('\r\n'), snapshot(false))
  return authenticate(exchange) ?? exchange.identity!.name
}

describe('a client is', () => {
  for (const [fields, expected] of [
    [[], 'unauthorized'],
    [[`Authorization: Bearer ${K}`], 'client'],
    [[`Authorization: bearer ${K}`], 'client'],
    [[`AUTHORIZATION:BEARER    ${K}   `], 'client'],
    [[`x-api-key: ${K}`], 'client'],
    [[`api-key:${K}`], 'client'],
    [[`X-Goog-Api-Key: ${K}`], 'client'],
    [[`x-fluxgate-key: ${OTHER_KEY}`], 'other'],
    [[`x-fluxgate-key: ${K}`, 'Authorization: Basic eA=='], 'client'],
    [[`x-api-key: ${K}`, 'Authorization: Basic eA=='], 'client'],
    [[`x-api-key: ${K}`, 'api-key: own', 'Authorization: Bearer own'], 'client'],
    [[`x-api-key: ${K}`, `api-key: ${K}`], 'client'],
    [['x-api-key: schl\xc3\xbcssel'], 'umlaut'],
    [['x-api-key: schl\xfcssel'], 'unauthorized'],
    [[`x-api-key: ${K}`, `api-key: ${OTHER_KEY}`], 'unauthorized'],
    [[`Authorization: Bearer ${K}`, `Authorization: Bearer ${K}`], 'unauthorized'],
    [['Authorization: Basic a', 'Authorization: Basic b', `x-api-key: ${K}`], 'unauthorized'],
    [[`Authorization: ${K}`], 'unauthorized'],
    [[`Authorization: Basic ${K}`], 'unauthorized'],
    [[`Authorization: Bearer\t${K}`], 'unauthorized'],
    [[`Authorization: Bearer${K}`], 'unauthorized'],
    [['Authorization: Bearer'], 'unauthorized'],
    [['Authorization:'], 'unauthorized'],
    [['x-api-key:'], 'unauthorized'],
    [[`x-api-key: Bearer ${K}`], 'unauthorized'],
    [[`x-api-key: ${K.toUpperCase()}`], 'unauthorized'],
    [[`x-api-key: ${K}x`], 'unauthorized'],
    [[`x-api-key: ${K}, ${K}`], 'unauthorized'],
    [[`x_api_key: ${K}`], 'unauthorized'],
    [[`Cookie: x-api-key=${K}`], 'unauthorized'],
    // The fields that the gateway looks at for other reasons.
    [[`TE: ${K}`], 'unauthorized'],
    [[`Upgrade: ${K}`], 'unauthorized'],
    [[`Expect: ${K}`], 'unauthorized'],
    [[`Keep-Alive: ${K}`], 'unauthorized'],
    [[`Proxy-Authorization: ${K}`], 'unauthorized'],
    [[`Proxy-Authorization: Bearer ${K}`], 'unauthorized'],
    [['Connection: x-own', `x-own: ${K}`], 'unauthorized'],
    // A scheme and nothing else is a login of nobody.
    [[`x-api-key: ${K}`, 'Authorization: Basic'], 'client'],
    [[`x-api-key: ${K}`, 'Authorization: Basic ,'], 'client'],
  ] as const) {
    test(`${expected} with ${fields.join(' | ') || 'nothing'}`, () => assert.equal(who(...fields), expected))
  }
})

describe('who is refused, the log is told why:', () => {
  for (const [fields, expected] of [
    [[], 'no_key'],
    [['x-api-key:', 'Authorization: Basic eA=='], 'no_key'],
    [[`x-api-key: ${K}x`], 'unknown_key'],
    [['Authorization: Basic eA==', 'api-key: a.b.c'], 'unknown_key'],
    [['Authorization: Basic a', 'Authorization: Basic b', `x-api-key: ${K}`], 'two_authorizations'],
    [[`x-api-key: ${K}`, `api-key: ${OTHER_KEY}`], 'two_keys'],
  ] as const) {
    test(`${expected} with ${fields.join(' | ') || 'nothing'}`, () => {
      const exchange = exchangeOf(['GET /up HTTP/1.1', 'Host: a', ...fields, '', ''].join('\r\n'), snapshot(false))
      assert.equal(authenticate(exchange), 'unauthorized')
      assert.equal(exchange.cause, expected)
    })
  }

  test('the token rather than what else is no key', () => {
    const settings = snapshot(false)
    const secret = Buffer.alloc(32)
    const jwtKeys = new Map([['k', jwtKey(secret, identityOf('k'))]])
    const header = Buffer.from('{"alg":"HS256","kid":"k"}').toString('base64url')
    const wrong = `${header}.e30.AA`
    const right = `${header}.e30.${createHmac('sha256', secret).update(`${header}.e30`).digest('base64url')}`
    for (const [fields, cause] of [
      [['x-api-key: own', `api-key: ${wrong}`], 'signature'],
      [[`x-api-key: ${wrong}`, 'api-key: own'], 'signature'],
      [[`x-api-key: ${right}`], 'no_upstreams'],
    ] as const) {
      const head = ['GET /up HTTP/1.1', 'Host: a', ...fields, '', ''].join('\r\n')
      const exchange = exchangeOf(head, { ...settings, keys: { ...settings.keys, jwtKeys } })
      assert.equal(authenticate(exchange), 'unauthorized')
      assert.equal(exchange.cause, cause)
    }
  })
})

describe('two tokens of one signer', () => {
  const SECRET = Buffer.from('0123456789abcdef0123456789abcdef')
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const token = (sub: number): string => {
    const signed = `${encode({ alg: 'HS256', typ: 'JWT', kid: 'k' })}.${encode({ sub })}`
    return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`
  }
  const base = snapshot(false)
  const identity = base.keys.staticKeys.get(sha256(K))!
  const now = { ...base, keys: { staticKeys: new Map(), jwtKeys: new Map([['k', jwtKey(SECRET, identity)]]) } }
  const sent = (...lines: string[]): ReturnType<typeof exchangeOf> =>
    exchangeOf(['GET /up HTTP/1.1', 'Host: a', ...lines, '', ''].join('\r\n'), now)

  test('open the door, and neither goes on from anywhere', () => {
    const exchange = sent(`api-key: ${token(1)}`, `x-api-key: ${token(2)}`, `A: ${token(1)}`, `B: ${token(2)}`, 'C: 1')
    assert.equal(authenticate(exchange) ?? route(exchange), undefined)
    assert.equal(exchange.credentialLine?.field, FIELD.xApiKey)
    forward(exchange)
    assert.deepEqual(exchange.upstreamHead.split('\r\n').slice(2), ['x-api-key: sk-provider', 'C: 1', '', ''])
    assert.equal(authenticate(sent(`api-key: ${token(1)}`, `api-key: ${token(2)}`, `${token(2)}: x`)), undefined)
  })

  test('of two people: the one whose token stands in the first of the fields counts', () => {
    const of = (sub: string): string => signToken('k', SECRET, { sub })
    for (const lines of [
      [`x-api-key: ${of('second')}`, `Authorization: Bearer ${of('first')}`],
      [`Authorization: Bearer ${of('first')}`, `x-api-key: ${of('second')}`, `api-key: ${of('third')}`],
    ]) {
      const exchange = sent(...lines)
      assert.equal(authenticate(exchange), undefined)
      assert.equal(exchange.identity?.subject, 'first')
    }
  })

  test('but a crowd of them does not', () => {
    const lines = (count: number): string[] => Array.from({ length: count }, (_, i) => `api-key: ${token(i)}`)
    assert.equal(authenticate(sent(...lines(4))), undefined)
    assert.equal(authenticate(sent(...lines(5))), 'unauthorized')
  })
})

describe('what nobody has checked costs little:', () => {
  class Asked extends Map<string, JwtKey> {
    times = 0

    override get(kid: string): JwtKey | undefined {
      this.times++
      return super.get(kid)
    }
  }
  /** How often a token was verified for a request to `/u/u/u` with these lines, and what became of it. */
  function asked(lines: readonly string[]): [times: number, cause: string | undefined] {
    const base = snapshot(false)
    const jwtKeys = new Asked([['k', jwtKey(Buffer.alloc(32), base.keys.staticKeys.get(sha256(K))!)]])
    const credential = { field: 'Own', name: 'own', scheme: '' }
    const withOwnField = ['/u/u/u', '/u/u', '/u', '/u/', ''].map((prefix) => ({ ...upstream({ prefix }), credential }))
    const head = ['GET /u/u/u HTTP/1.1', 'Host: a', ...lines, '', ''].join('\r\n')
    const exchange = exchangeOf(head, { ...base, keys: { ...base.keys, jwtKeys }, withOwnField })
    assert.equal(authenticate(exchange), 'unauthorized')
    return [jwtKeys.times, exchange.cause]
  }
  const wrong = (i: number): string => signToken('k', 'another', { i })
  const many = (name: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${name}: ${wrong(i)}`)

  test('the same token, in however many lines', () => {
    const lines = [`x-api-key: ${wrong(1)}`, `own: ${wrong(1)}`, `api-key: ${wrong(1)}`]
    assert.deepEqual(asked([...lines, ...lines, 'own:']), [1, 'signature'])
    assert.deepEqual(asked([...many('own', 4), ...many('api-key', 4)]), [4, 'signature'])
  })

  test('more tokens than anybody sends', () => {
    assert.deepEqual(asked(many('x-api-key', 16)), [16, 'signature'])
    for (const name of ['own', 'x-api-key']) assert.deepEqual(asked(many(name, 200)), [16, 'two_keys'])
    assert.deepEqual(asked([...many('x-api-key', 200), `api-key: ${K}`]), [16, 'two_keys'])
  })
})

test('a key that no upstream is open to is like a wrong one', () => {
  const base = snapshot(false)
  const nobody = { name: 'client', routes: createRouteTable([]) }
  const keys = new Map([[sha256(K), nobody]])
  const exchange = exchangeOf(`GET /up HTTP/1.1\r\nHost: a\r\nx-api-key: ${K}\r\n\r\n`, {
    ...base,
    keys: { staticKeys: keys, jwtKeys: new Map() },
  })
  assert.equal(authenticate(exchange), 'unauthorized')
  assert.equal(exchange.identity, undefined)
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')
/** Without `=` at its end, and with it. */
const [UNPADDED, PADDED] = [base64(`a:${K}`), base64(`ab:${K}`)]
const MARKED = base64(`a:${MARKED_KEY}`)

describe('where a login of the client goes on, an Authorization with', () => {
  for (const [value, goesOn] of [
    [K, false],
    [`Basic ${K}`, false],
    [`Token token="${K}"`, false],
    [`${K},`, false],
    [`Basic ${UNPADDED}`, false],
    [`bASIC ${PADDED}`, false],
    [`Basic ${base64(`${K}:`)}`, false],
    [`Basic ${MARKED}`, false],
    [MARKED_KEY, false],
    [`Token ${MARKED_KEY}`, false],
    ['Bearer own', true],
    ['Basic dXNlcjpwdw==', true],
    ['Basic', true],
    ['Basic ,', true],
  ] as const)
    test(`${value} ${goesOn ? 'goes on' : 'goes no further'}`, () => {
      const head = `GET /up HTTP/1.1\r\nHost: a\r\nx-fluxgate-key: ${K}\r\nAuthorization: ${value}\r\n\r\n`
      const exchange = exchangeOf(head, snapshot(false, upstream({ credential: 'pass' })))
      assert.equal(authenticate(exchange) ?? route(exchange), undefined)
      forward(exchange)
      assert.equal(exchange.upstreamHead.includes(`\r\nAuthorization: ${value}\r\n`), goesOn)
      assert.equal(exchange.upstreamHead.includes('Authorization'), goesOn)
    })
})
