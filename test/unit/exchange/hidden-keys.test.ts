import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CredentialPlace } from '../../../src/config/snapshot.ts'
import { authenticate } from '../../../src/exchange/authenticate.ts'
import { forward } from '../../../src/exchange/forward.ts'
import { record } from '../../../src/exchange/record.ts'
import { route } from '../../../src/exchange/route.ts'
import {
  exchangeOf,
  GATEWAY_KEY as K,
  OTHER_KEY,
  PROVIDER_KEY as P,
  sha256,
  snapshot,
  upstream,
} from './exchange-of.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const escaped = (text: string): string => [...text].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')

/** The lines behind Host that leave, or the refusal. The client's own key stands in the first line. */
function sent(lines: readonly string[], credential: CredentialPlace = 'swap', start = 'GET /up/x HTTP/1.1'): unknown {
  const head = [start, 'Host: a', `api-key: ${K}`, ...lines, 'Z: 9', '', ''].join('\r\n')
  const exchange = exchangeOf(head, snapshot(false, upstream({ credential })))
  const failure = authenticate(exchange) ?? route(exchange)
  if (failure !== undefined) return failure
  forward(exchange)
  return exchange.upstreamHead.split('\r\n').slice(2, -2)
}

describe('a line that holds the key of its request goes no further:', () => {
  for (const line of [
    `xi-api-key: ${K}`,
    `Cookie: a=1; k=${K}; b=2`,
    `Helicone-Auth: Bearer ${K}`,
    `Ocp-Apim-Subscription-Key:${K}`,
    `Cookie: k=${escaped(K)}`,
    `Cookie: k=fgk%5Fclient`,
    `Referer: http://x/?next=${encodeURIComponent(escaped(K))}`,
    `Helicone-Auth: Basic ${base64(`u:${K}`)}`,
    `helicone-auth:bAsIc\t${base64(`${K}:`)}`,
    `Cookie: auth=Basic%20${base64(`u:${K}`).replaceAll('=', '%3D')}`,
    `Cookie: auth=${encodeURIComponent(encodeURIComponent(`Basic ${base64(`u:${K}`)}`))}`,
    ...['+', ',', '=', ':', ' "', "'", '\t'].map((mark) => `X: Basic${mark}${base64(`u:${K}`)}`),
    `X: xBasic ${base64(`u:${K}`)}`,
    `X: ${'Basic eA== '.repeat(300)}`,
    `X: ${'Basic%20eA== '.repeat(300)}`,
    `${K}: x`,
    `X-${K}: `,
    `TE: ${K}`,
    `Authorization: Token ${K}`,
    `x-fluxgate-key: ${K}`,
  ]) {
    for (const credential of ['swap', 'bearer', 'api-key', 'pass'] as const) {
      test(`${line} (${credential})`, () => {
        const left = sent(['A: 1', line, 'B: 2'], credential) as string[]
        const rest = left.filter((each) => !each.includes(P))
        assert.deepEqual(rest, ['A: 1', 'B: 2', 'Z: 9'])
        assert.equal(left.length - rest.length, credential === 'pass' ? 0 : 1)
      })
    }
  }

  test('each of them, wherever they stand, and no other', () => {
    const lines = [
      `Cookie: ${K}`,
      'A: %20 50% Basic eA==',
      `cookie: x${K}y`,
      'B: %zz',
      `C: ${K}${K}`,
      'basic: x',
      'D: %',
    ]
    assert.deepEqual(sent(lines), [`api-key: ${P}`, lines[1], lines[3], 'basic: x', 'D: %', 'Z: 9'])
  })

  test('logins are counted over the whole head, and who sends too many loses the rest of them', () => {
    const lines = Array.from({ length: 100 }, (_, i) => `X${i}: Basic eA==, Basic eA==, Basic eA==`)
    const left = (sent(lines) as string[]).slice(1, -1)
    assert.deepEqual(left, lines.slice(0, 85))
  })

  test('and what comes behind the head is none of it', () => {
    const head = `GET /up HTTP/1.1\r\nHost: a\r\napi-key: ${K}\r\nContent-Length: 99\r\n\r\n`
    const exchange = exchangeOf(`${head}{"a":"${K}%41 Basic"}\r\n\r\n`, snapshot(false))
    assert.equal(authenticate(exchange) ?? route(exchange), undefined)
    assert.deepEqual(exchange.strays, [])
  })
})

describe('a key that cannot be taken out is refused:', () => {
  for (const [start, line] of [
    [`GET /up/${K} HTTP/1.1`],
    [`GET /up/x?key=${K} HTTP/1.1`],
    [`GET /up/x?a=${escaped(K)}&b HTTP/1.1`],
    [`GET /up/fgk%5fclient/x HTTP/1.1`],
    [`GET /up/x?a=${encodeURIComponent(escaped(K))} HTTP/1.1`],
    [`GET /nowhere/${K} HTTP/1.1`],
    [`${K} /up/x HTTP/1.1`],
    [`GET /up/x?auth=Basic%20${base64(`u:${K}`)} HTTP/1.1`],
    [`GET /up/x?auth=Basic+${base64(`u:${K}`)} HTTP/1.1`],
    [`GET /up/x?${'Basic+eA&'.repeat(300)} HTTP/1.1`],
  ] as readonly (readonly [string, string?])[]) {
    test(start, () => {
      assert.equal(sent(line === undefined ? [] : [line], 'swap', start), 'key_in_target')
      assert.equal(sent([], 'pass', start), 'key_in_target')
    })
  }

  test('also in a length', () => {
    const digits = '20261127'
    const base = snapshot(false)
    const keys = new Map([[sha256(digits), base.keys.staticKeys.get(sha256(K))!]])
    const head = `POST /up HTTP/1.1\r\nHost: ${digits}.test\r\napi-key: ${digits}\r\nContent-Length: ${digits}\r\n\r\n`
    const now = { ...base, keys: { staticKeys: keys, jwtKeys: new Map() } }
    assert.equal(authenticate(exchangeOf(head, now)), 'key_in_target')
    // What Host says goes no further anyway.
    const exchange = exchangeOf(head.replace(/Content-Length: \d+/, 'Content-Length: 1'), now)
    assert.equal(authenticate(exchange) ?? route(exchange), undefined)
    forward(exchange)
    assert.equal(exchange.upstreamHead.split('\r\n')[1], 'Host: api.example')
  })

  for (const target of [
    `/up/${K}/x?q=${K}`,
    `/up/x%20?a=b&c=fgk%5fclient&d`,
    `/up/x?a=${encodeURIComponent(escaped(K))}`,
    `/up/x?a=${encodeURIComponent(escaped(K))}&b=${escaped(K)}&c=${K}`,
    `/up/x?auth=Basic%20${Buffer.from(`u:${K}`).toString('base64url')}`,
  ]) {
    test(`and its record has nothing of it: ${target}`, () => {
      const exchange = exchangeOf(`GET ${target} HTTP/1.1\r\nHost: a\r\napi-key: ${K}\r\n\r\n`, snapshot(false))
      assert.equal(authenticate(exchange), 'key_in_target')
      exchange.failure = 'key_in_target'
      const written: unknown[] = []
      Object.assign(exchange.path, { writeRecord: (each: unknown) => written.push(each) })
      record(exchange)
      const { requestUrl, apiKey } = written[0] as Record<string, unknown>
      assert.deepEqual([requestUrl, apiKey], ['***', 'client'])
    })
  }

  test('but not without a key that opens the door', () => {
    const head = (line: string): string => `GET /up?key=${K} HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`
    for (const line of ['A: 1', 'api-key: wrong']) {
      assert.equal(authenticate(exchangeOf(head(line), snapshot(false))), 'unauthorized')
    }
  })
})

/** Values in which a key goes along without opening anything. */
const FORMS: Readonly<Record<string, (key: string) => string>> = {
  'another scheme': (key) => `Token ${key}`,
  'a scheme and a tab': (key) => `Key\t${key}`,
  quotes: (key) => `Token "${key}"`,
  'single quotes': (key) => `'${key}'`,
  'angle brackets': (key) => `<${key}>`,
  'a list': (key) => `own,${key};x`,
  'a parameter': (key) => `Token token="${key}", x=1`,
  'a bare parameter': (key) => `token=${key}`,
  'an account and a key': (key) => `Token acct:${key}`,
  'a scope': (key) => `AWS4-HMAC-SHA256 Credential=${key}/20261127/eu/s3, Signature=x`,
  'a URL': (key) => `https://u:${key}@h/x`,
  'a path': (key) => `/${key}`,
  alternatives: (key) => `a|${key}`,
  'a login': (key) => `Basic ${base64(`user:${key}`)}`,
  'the name of a login': (key) => `basic ${base64(`${key}:`)}`,
  'base64 behind another scheme': (key) => `Token ${base64(key)}`,
  escapes: (key) => `Token ${escaped(key)}`,
  'escapes in a list': (key) => `a=1;k=${escaped(key)}`,
}

describe('under pass, a credential field with anybody’s gateway key goes no further:', () => {
  for (const [name, form] of Object.entries(FORMS)) {
    for (const field of ['Authorization', 'x-api-key', 'x-goog-api-key']) {
      test(`${name} in ${field}`, () => {
        for (const key of [OTHER_KEY, K, 'a+b/c=d==']) {
          assert.deepEqual(sent([`${field}: ${form(key)}`], 'pass'), ['Z: 9'], key)
          const own = `${field}: ${form('somebody-elses-key==')}`
          assert.deepEqual(sent([own], 'pass'), [own, 'Z: 9'], 'a login of the client’s own stays')
        }
      })
    }
  }

  test('a value of too many words counts as one with a key, a signature of many does not', () => {
    const many = (count: number): string => `x-api-key: ${Array.from({ length: count }, (_, i) => `w${i}`).join(' ')}`
    assert.deepEqual(sent([many(100)], 'pass'), [many(100), 'Z: 9'])
    const names = Array.from({ length: 40 }, (_, i) => `x-amz-meta-${i}`).join(';')
    const signed = `Authorization: AWS4-HMAC-SHA256 Credential=AKIA0123456789/20261127/us-east-1/bedrock/aws4_request, SignedHeaders=host;${names}, Signature=${'0af7'.repeat(16)}`
    assert.deepEqual(sent([signed], 'pass'), [signed, 'Z: 9'])
    assert.deepEqual(sent([many(400)], 'pass'), ['Z: 9'])
    assert.deepEqual(sent([`x-api-key: ${'a '.repeat(400)}a`], 'pass'), ['Z: 9'], 'the same word again is work too')
    assert.deepEqual(sent([many(400), 'api-key: own'], 'pass'), ['Z: 9'], 'and after that nothing is looked at')
    assert.deepEqual(sent([`x-api-key: ${'a,'.repeat(400)}${OTHER_KEY}`], 'pass'), ['Z: 9'])
    assert.deepEqual(sent([`x-api-key: ${'a:'.repeat(400)}${OTHER_KEY}`], 'pass'), ['Z: 9'], 'joints part words too')
    assert.deepEqual(sent([`x-api-key: ${':'.repeat(60_000)}`], 'pass'), ['Z: 9'])
    const long = `${'x'.repeat(5_000)}/y`
    assert.deepEqual(sent([`x-api-key: ${long}`], 'pass'), [`x-api-key: ${long}`, 'Z: 9'])
    assert.deepEqual(sent([`x-api-key: ${long}:${OTHER_KEY}@h`], 'pass'), ['Z: 9'])
    assert.deepEqual(sent([many(150), `x-goog-api-key: ${'b '.repeat(3)}`, many(150)], 'pass'), [
      many(150),
      `x-goog-api-key: ${'b '.repeat(3)}`,
      'Z: 9',
    ])
  })
})
