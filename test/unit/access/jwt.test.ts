import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { verifyJwt } from '../../../src/access/jwt.ts'
import type { Identity, JwtKey, KeyRing } from '../../../src/config/snapshot.ts'
import { identityOf, jwtKey } from '../../support/tokens.ts'

const NOW = 1_800_000_000
const SECRET = Buffer.from('a secret of thirty-two bytes, ok')
const OTHER = Buffer.from('another one of thirty-two bytes.')

const A = identityOf('team-a')
const B = identityOf('team-b')

/** A new ring each time: what was verified is remembered for one ring. */
function keyRing(): KeyRing['jwtKeys'] {
  return new Map([
    ['team-a', jwtKey(SECRET, A)],
    ['team-b', jwtKey(OTHER, B)],
    ['', jwtKey(SECRET, A)],
  ])
}

const encode = (octets: string | Uint8Array): string => Buffer.from(octets).toString('base64url')
const HEADER = '{"alg":"HS256","typ":"JWT","kid":"team-a"}'

function sign(header: string | Uint8Array, claims: string | Uint8Array, secret: Uint8Array = SECRET): string {
  const signed = `${encode(header)}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

function verify(token: string, now = NOW): Identity | undefined {
  return signerOf(token, keyRing(), now)
}

/** The identity of the key, whatever the subject is. */
function signerOf(token: string, keys: KeyRing['jwtKeys'], now: number): Identity | undefined {
  const found = verifyJwt(token, keys, now)
  return typeof found === 'string' ? undefined : (found.signer ?? found)
}

const withClaims = (claims: string): string => sign(HEADER, claims)
const withHeader = (header: string): string => sign(header, '{}')
const good = withClaims('{"sub":"u"}')

/** The same octets written with another last character. */
function withStrayBits(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1)!) ^ 1]!
}

const [goodHeader, goodClaims, goodSignature] = good.split('.') as [string, string, string]
const nested = (depth: number): string => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
const padded = (bytes: number): string => {
  const length = (claims: number): number => withClaims(`{"a":"${'x'.repeat(claims)}"}`).length
  let claims = Math.floor(((bytes - length(0)) * 3) / 4)
  while (length(claims) < bytes) claims++
  return withClaims(`{"a":"${'x'.repeat(claims)}"}`)
}

const ACCEPTED: Readonly<Record<string, string>> = {
  'a plain one': good,
  'no claims at all': withClaims('{}'),
  'no typ': withHeader('{"alg":"HS256","kid":"team-a"}'),
  'blanks in its JSON': sign('{ "alg" : "HS256",\n"typ":"JWT","kid":"team-a" }', ' {"sub":"u"}\r\n'),
  'members that nobody knows': sign(
    '{"alg":"HS256","typ":"JWT","kid":"team-a","cty":"x","jku":"http://x"}',
    '{"iat":"x"}',
  ),
  'an escaped member name': withHeader('{"\\u0061lg":"HS256","typ":"JWT","kid":"team-a"}'),
  'a kid that is the empty string': withHeader('{"alg":"HS256","typ":"JWT","kid":""}'),
  'the same name on different levels': withClaims('{"a":{"a":1},"b":{"a":2}}'),
  'UTF-8 in its claims': withClaims('{"sub":"Zürich 😀"}'),
  'a nesting of 32': withClaims(nested(32)),
  '__proto__ as a claim': withClaims('{"__proto__":{"exp":1}}'),
  '16 KiB': padded(16_384),
}

const headerWith = (alg: string, typ = '"JWT"', kid = '"team-a"'): string =>
  withHeader(`{"alg":${alg},"typ":${typ},"kid":${kid}}`)

const REFUSED: Readonly<Record<string, string>> = {
  'an empty text': '',
  'two parts': `${goodHeader}.${goodClaims}`,
  'four parts': `${good}.${goodSignature}`,
  'an empty signature': `${goodHeader}.${goodClaims}.`,
  'an empty header': `.${goodClaims}.${goodSignature}`,
  'a blank at its end': `${good} `,
  'a line break at its end': `${good}\n`,
  padding: `${goodHeader}=.${goodClaims}.${goodSignature}`,
  'the other base64 alphabet': good.replace(/\.([^.]*)$/, '.+/$1'),
  'alg none': `${encode('{"alg":"none","typ":"JWT","kid":"team-a"}')}.${goodClaims}.AA`,
  'alg none with a right signature': headerWith('"none"'),
  'alg hs256': headerWith('"hs256"'),
  'alg HS512': headerWith('"HS512"'),
  'alg RS256': headerWith('"RS256"'),
  'alg in a list': headerWith('["HS256"]'),
  'no alg': withHeader('{"typ":"JWT","kid":"team-a"}'),
  'typ jwt': headerWith('"HS256"', '"jwt"'),
  'typ at+jwt': headerWith('"HS256"', '"at+jwt"'),
  'a typ of null': withHeader('{"alg":"HS256","typ":null,"kid":"team-a"}'),
  'no kid': withHeader('{"alg":"HS256","typ":"JWT"}'),
  'an unknown kid': headerWith('"HS256"', '"JWT"', '"team-c"'),
  'a kid in another case': headerWith('"HS256"', '"JWT"', '"Team-A"'),
  'a kid with a blank': headerWith('"HS256"', '"JWT"', '"team-a "'),
  'a kid that is no text': headerWith('"HS256"', '"JWT"', '0'),
  'a kid of every object': headerWith('"HS256"', '"JWT"', '"constructor"'),
  'the kid of another key': headerWith('"HS256"', '"JWT"', '"team-b"'),
  'a header that speaks through __proto__': withHeader('{"__proto__":{"alg":"HS256","typ":"JWT","kid":"team-a"}}'),
  crit: withHeader('{"alg":"HS256","typ":"JWT","kid":"team-a","crit":[]}'),
  'crit of null': withHeader('{"alg":"HS256","typ":"JWT","kid":"team-a","crit":null}'),
  zip: withHeader('{"alg":"HS256","typ":"JWT","kid":"team-a","zip":"DEF"}'),
  'a foreign signature': sign(HEADER, '{}', OTHER),
  'a signature of nothing': `${goodHeader}.${goodClaims}.${createHmac('sha256', SECRET).digest('base64url')}`,
  'a shortened signature': good.slice(0, -2),
  'a lengthened signature': `${good}AA`,
  'other claims under the same signature': `${goodHeader}.${encode('{"sub":"v"}')}.${goodSignature}`,
  'stray bits in the signature': `${goodHeader}.${goodClaims}.${withStrayBits(goodSignature)}`,
  'a signature of impossible length': `${goodHeader}.${goodClaims}.${goodSignature}AAA`,
  'a name twice in the header': withHeader('{"alg":"HS256","typ":"JWT","kid":"team-a","alg":"HS256"}'),
  'a name twice in the header, once escaped': withHeader(
    '{"alg":"HS256","typ":"JWT","kid":"team-b","k\\u0069d":"team-a"}',
  ),
  'a name twice in the claims': withClaims('{"exp":1,"exp":9999999999}'),
  'a name twice in the claims, once escaped': withClaims('{"exp":1,"\\u0065xp":9999999999}'),
  'a harmless name twice': withClaims('{"a":1,"b":2,"a":1}'),
  'claims that are a list': withClaims('[]'),
  'claims that are null': withClaims('null'),
  'claims that are text': withClaims('"{}"'),
  'claims that are no JSON': withClaims('{sub:"u"}'),
  'claims with something behind them': withClaims('{}{}'),
  'a header that is a list': withHeader('["HS256"]'),
  'a BOM before its claims': withClaims('\ufeff{}'),
  'a BOM before its header': withHeader(`\ufeff${HEADER}`),
  'claims that are not UTF-8': sign(HEADER, Buffer.from('{"a":"\xff"}', 'latin1')),
  'a header that is not UTF-8': sign(
    Buffer.from('{"alg":"HS256","typ":"JWT","kid":"team-a","a":"\xff"}', 'latin1'),
    '{}',
  ),
  'a nesting of 33': withClaims(nested(33)),
  'a header nested 33 deep': withHeader(`{"alg":"HS256","typ":"JWT","kid":"team-a","x":${nested(32)}}`),
  'over 16 KiB': padded(16_385),
  'exp of null': withClaims('{"exp":null}'),
  'exp as text': withClaims('{"exp":"9999999999"}'),
  'exp as a list': withClaims('{"exp":[9999999999]}'),
  'exp of true': withClaims('{"exp":true}'),
  'exp past every number': withClaims('{"exp":1e999}'),
  'nbf of null': withClaims('{"nbf":null}'),
  'nbf as text': withClaims('{"nbf":"0"}'),
  'nbf before every number': withClaims('{"nbf":-1e999}'),
}

describe('a token is accepted with', () => {
  for (const [what, token] of Object.entries(ACCEPTED)) test(what, () => assert.equal(verify(token), A))
  test('the key that its kid names', () => {
    assert.equal(verify(sign(HEADER.replace('team-a', 'team-b'), '{}', OTHER)), B)
  })
})

describe('a token is refused with', () => {
  for (const [what, token] of Object.entries(REFUSED)) test(what, () => assert.equal(verify(token), undefined))

  test('stray bits in header or claims, signed as they stand', () => {
    for (const [header, claims] of [
      [withStrayBits(encode(`${HEADER} `)), encode('{}')],
      [encode(HEADER), withStrayBits(encode('{}  '))],
    ] as const) {
      const signed = `${header}.${claims}`
      assert.deepEqual(JSON.parse(Buffer.from(claims, 'base64url').toString()), {}, 'a lenient reader would take it')
      const token = `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`
      assert.equal(verify(token), undefined)
    }
  })

  test('any of its characters changed', () => {
    for (let i = 0; i < good.length; i++) {
      const other = good[i] === 'A' ? 'B' : 'A'
      assert.equal(verify(good.slice(0, i) + other + good.slice(i + 1)), undefined, `character ${i}`)
    }
  })
})

describe('times', () => {
  for (const [claims, now, isAccepted] of [
    [`{"exp":${NOW}}`, NOW + 5, false],
    [`{"exp":${NOW}}`, NOW + 4.999, true],
    [`{"exp":${NOW}.5}`, NOW + 5.25, true],
    [`{"exp":${NOW}.5}`, NOW + 5.5, false],
    ['{"exp":0}', NOW, false],
    ['{"exp":-1}', NOW, false],
    ['{"exp":1e300}', NOW, true],
    ['{"exp":1.8e9}', NOW - 1, true],
    [`{"nbf":${NOW}}`, NOW - 5, true],
    [`{"nbf":${NOW}}`, NOW - 5.001, false],
    [`{"nbf":${NOW}.5}`, NOW - 4.75, false],
    [`{"nbf":${NOW}.5}`, NOW - 4.5, true],
    [`{"nbf":${NOW - 5},"exp":${NOW + 5}}`, NOW, true],
    [`{"nbf":${NOW + 6},"exp":${NOW - 6}}`, NOW, false],
    [`{"iat":${NOW + 100}}`, NOW, true],
  ] as const) {
    test(`${claims} at ${now}`, () => assert.equal(verify(withClaims(claims), now), isAccepted ? A : undefined))
  }
})

describe('what was verified', () => {
  test('is not verified twice', (t) => {
    const keys = keyRing()
    assert.equal(signerOf(good, keys, NOW), A)
    const parse = t.mock.method(JSON, 'parse')
    assert.equal(signerOf(good, keys, NOW), A)
    assert.equal(parse.mock.callCount(), 0)
    assert.equal(signerOf(good, keyRing(), NOW), A)
    assert.notEqual(parse.mock.callCount(), 0)
  })

  test('expires, and comes into force, by the clock of each request', () => {
    const keys = keyRing()
    const token = withClaims(`{"nbf":${NOW},"exp":${NOW + 10}}`)
    const accepted = [NOW - 5.5, NOW - 5, NOW + 14.999, NOW + 15, NOW + 5].map(
      (now) => signerOf(token, keys, now) === A,
    )
    assert.deepEqual(accepted, [false, true, true, false, true])
  })

  test('counts for its own ring of keys only', () => {
    assert.equal(verify(good), A)
    const rotated: KeyRing['jwtKeys'] = new Map([['team-a', jwtKey(OTHER, A)]])
    assert.equal(verifyJwt(good, rotated, NOW), 'signature')
    assert.equal(verifyJwt(good, new Map(), NOW), 'kid')
  })

  test('is found again by nothing but the whole token', () => {
    const keys = keyRing()
    assert.equal(signerOf(good, keys, NOW), A)
    assert.equal(verifyJwt(good.slice(0, -1), keys, NOW), 'signature')
    assert.equal(verifyJwt(`${goodHeader}.${encode('{"sub":"v"}')}.${goodSignature}`, keys, NOW), 'signature')
  })

  test('gives way when there is too much of it, and is then verified again', (t) => {
    const keys = keyRing()
    assert.equal(signerOf(good, keys, NOW), A)
    for (let i = 0; i < 4_500; i++) assert.equal(signerOf(withClaims(`{"sub":${i}}`), keys, NOW), A)
    const parse = t.mock.method(JSON, 'parse')
    assert.equal(signerOf(good, keys, NOW), A)
    assert.notEqual(parse.mock.callCount(), 0)
  })
})

describe('what a key wants of claims:', () => {
  const why = (rules: Partial<JwtKey>, claims: object, now = NOW): string => {
    const found = verifyJwt(withClaims(JSON.stringify(claims)), new Map([['team-a', jwtKey(SECRET, A, rules)]]), now)
    return typeof found === 'string' ? found : 'accepted'
  }
  const audiences = ['gateway', 'other']
  const issuers = ['https://a', 'https://b']
  for (const [rules, claims, expected] of [
    [{}, { aud: 'x', iss: 'y' }, 'accepted'],
    [{ audiences }, { aud: 'gateway' }, 'accepted'],
    [{ audiences }, { aud: 'other' }, 'accepted'],
    [{ audiences }, { aud: ['x', 'other'] }, 'accepted'],
    [{ audiences }, { aud: [7, null, ['gateway'], 'gateway'] }, 'accepted'],
    [{ audiences }, {}, 'audience'],
    [{ audiences }, { aud: '' }, 'audience'],
    [{ audiences }, { aud: 'Gateway' }, 'audience'],
    [{ audiences }, { aud: 'gateway ' }, 'audience'],
    [{ audiences }, { aud: [] }, 'audience'],
    [{ audiences }, { aud: [['gateway']] }, 'audience'],
    [{ audiences }, { aud: { gateway: true } }, 'audience'],
    [{ audiences }, { aud: null }, 'audience'],
    [{ audiences: ['7'] }, { aud: 7 }, 'audience'],
    [{ issuers }, { iss: 'https://b' }, 'accepted'],
    [{ issuers }, { iss: 'https://b/' }, 'issuer'],
    [{ issuers }, { iss: ['https://b'] }, 'issuer'],
    [{ issuers }, {}, 'issuer'],
    [{ issuers, audiences, requiresExpiry: true }, {}, 'issuer'],
    [{ audiences, requiresExpiry: true }, { exp: 1 }, 'audience'],
    [{ requiresExpiry: true }, { nbf: 1 }, 'no_expiry'],
    [{ requiresExpiry: true }, { exp: NOW + 1 }, 'accepted'],
    [{ leewaySeconds: 0 }, { exp: NOW }, 'expired'],
    [{ leewaySeconds: 0 }, { exp: NOW + 0.001 }, 'accepted'],
    [{ leewaySeconds: 0 }, { nbf: NOW }, 'accepted'],
    [{ leewaySeconds: 0 }, { nbf: NOW + 0.001 }, 'not_yet'],
    [{ leewaySeconds: 60 }, { exp: NOW - 59.999 }, 'accepted'],
    [{ leewaySeconds: 60 }, { exp: NOW - 60 }, 'expired'],
    [{ leewaySeconds: 60 }, { nbf: NOW + 60 }, 'accepted'],
    [{ leewaySeconds: 60 }, { nbf: NOW + 60.001 }, 'not_yet'],
  ] as const) {
    test(`${JSON.stringify(claims)} with ${JSON.stringify(rules)}: ${expected}`, () => {
      assert.equal(why(rules, claims), expected)
    })
  }
})

describe('the subject', () => {
  const of = (sub: unknown, keys = keyRing()): Identity => {
    const found = verifyJwt(withClaims(JSON.stringify({ sub })), keys, NOW)
    assert.ok(typeof found !== 'string')
    return found
  }

  for (const [sub, shown] of [
    ['alice', 'alice'],
    ['', ''],
    ['Z\u00fcrich \n"', 'Z\u00fcrich \n"'],
    ['x'.repeat(256), 'x'.repeat(256)],
    ['x'.repeat(257), `${'x'.repeat(256)}\u2026`],
    [`${'x'.repeat(255)}\u{1f600}`, `${'x'.repeat(255)}\u2026`],
    [7, undefined],
    [null, undefined],
    [['alice'], undefined],
    [undefined, undefined],
  ] as const) {
    test(`${JSON.stringify(sub)?.slice(0, 20)} is shown as ${shown?.slice(0, 20)}`, () => {
      assert.equal(of(sub).subject, shown)
    })
  }

  test('is its own token\u2019s, whichever was verified before, and the signer is the same', () => {
    const keys = keyRing()
    for (const sub of ['alice', 'bob', 'alice', undefined]) assert.equal(of(sub, keys).subject, sub)
    assert.equal(of('alice', keys).signer, of('bob', keys).signer)
    assert.equal(of('alice', keys), of('alice', keys))
    assert.equal(of(undefined, keys), A)
    assert.equal(of('alice', keys).routes, A.routes)
  })

  test('has an end that tells when it is over, leeway and all', () => {
    const ends = (claims: string): number | undefined => {
      const found = verifyJwt(withClaims(claims), keyRing(), NOW)
      assert.ok(typeof found === 'object')
      return found.untilMs
    }
    assert.equal(ends(`{"exp":${NOW + 60}}`), (NOW + 65) * 1_000)
    assert.equal(ends(`{"exp":${NOW + 60},"sub":"alice"}`), (NOW + 65) * 1_000)
    assert.equal(ends('{"sub":"alice"}'), undefined)
  })
})

test('a word says why one is refused', () => {
  const why = (token: string, now = NOW): unknown => verifyJwt(token, keyRing(), now)
  const refused = (what: string): unknown => why(REFUSED[what]!)
  assert.equal(why('a.b.c'), 'unknown_key')
  assert.equal(why('x'.repeat(20_000)), 'unknown_key')
  assert.equal(refused('a BOM before its header'), 'unknown_key')
  assert.equal(refused('over 16 KiB'), 'too_long')
  for (const what of ['two parts', 'four parts', 'padding']) assert.equal(refused(what), 'malformed', what)
  for (const what of ['claims that are a list', 'a harmless name twice', 'exp as text', 'nbf before every number'])
    assert.equal(refused(what), 'bad_claims', what)
  assert.equal(refused('alg RS256'), 'algorithm')
  assert.equal(refused('typ at+jwt'), 'typ')
  assert.equal(refused('zip'), 'critical')
  assert.equal(refused('no kid'), 'kid')
  assert.equal(refused('an unknown kid'), 'kid')
  assert.equal(refused('a foreign signature'), 'signature')
  assert.equal(why(withClaims(`{"exp":${NOW}}`), NOW + 5), 'expired')
  assert.equal(why(withClaims(`{"nbf":${NOW}}`), NOW - 6), 'not_yet')
})
