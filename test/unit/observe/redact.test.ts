import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { KeyRing } from '../../../src/config/snapshot.ts'
import { redactMethod, redactTarget, redactUnchecked } from '../../../src/observe/redact.ts'
import { identityOf } from '../../support/tokens.ts'

const IDENTITY = identityOf('k')

function keyRing(...keys: string[]): KeyRing {
  return { staticKeys: new Map(keys.map((key) => [hash('sha256', key), IDENTITY])), jwtKeys: new Map() }
}

/** As `openssl rand -base64 24` makes them. */
const BASE64_KEY = 'q/3vX+8s//Lk0aZrT1wYb9+u'

const KEYS = keyRing('fgk_team', 'a/b+c=', 'semi;colon', 'schlüssel', BASE64_KEY)

const CASES: readonly (readonly [target: string, logged: string])[] = [
  ['/v1/models', '/v1/models'],
  ['/v1/models?', '/v1/models?'],
  ['/v1?alt=sse&page=2', '/v1?alt=sse&page=2'],
  // by name
  ['/v1?key=s', '/v1?key=***'],
  ['/v1?alt=sse&key=s&x=1', '/v1?alt=sse&key=***&x=1'],
  ['/v1?api-key=s&api_key=s&apikey=s', '/v1?api-key=***&api_key=***&apikey=***'],
  ['/v1?access_token=s&token=s', '/v1?access_token=***&token=***'],
  ['/v1?KEY=s&Api-Key=s', '/v1?KEY=***&Api-Key=***'],
  ['/v1?k%65y=s&%61pi%5Fkey=s', '/v1?k%65y=***&%61pi%5Fkey=***'],
  ['/v1?%61%63%63%65%73%73%5F%74%6F%6B%65%6E=s', '/v1?%61%63%63%65%73%73%5F%74%6F%6B%65%6E=***'],
  ['/v1?key=a=b=c', '/v1?key=***'],
  ['/v1?key=a;b', '/v1?key=***'],
  ['/v1?a=1;key=s', '/v1?a=1;key=***'],
  ['/v1?alt=sse?key=s', '/v1?alt=sse?key=***'],
  ['/v1?a=1#key=s', '/v1?a=1#key=***'],
  ['/v1?&&key=s', '/v1?&&key=***'],
  ['/v1?key=', '/v1?key='],
  ['/v1?key', '/v1?key'],
  ['/v1?monkey=s&keys=s&tokens=9', '/v1?monkey=s&keys=s&tokens=9'],
  ['/v1?%zz=1&key%=s', '/v1?%zz=1&key%=s'],
  ['/key=s/v1', '/key=s/v1'],
  ['http://host/v1?key=s', 'http://host/v1?key=***'],
  ['/v1#key=s', '/v1#key=***'],
  ['/v1#a?key=s', '/v1#a?key=***'],
  ['/v1;key=s', '/v1;key=***'],
  ['/v1;v=1?key=s', '/v1;v=1?key=***'],
  ['/v1;fgk_team', '/v1;***'],
  ['/v1&key=s', '/v1&key=***'],
  ['http://u:fgk_team@host/v1?key=s', 'http://***@host/v1?key=***'],
  ['HTTPS://fgk_team@host', 'HTTPS://***@host'],
  ['http://host/a@b', 'http://host/a@b'],
  // by value
  ['/v1?x=fgk_team', '/v1?x=***'],
  ['/v1?x=fgk%5Fteam&y=%66gk_team', '/v1?x=***&y=***'],
  ['/v1?x=fgk_team;y=1', '/v1?x=***'],
  ['/v1?fgk_team', '/v1?***'],
  ['/v1?x=a/b+c=', '/v1?x=***'],
  ['/v1?x=a%2Fb%2Bc%3D', '/v1?x=***'],
  ['/v1?x=semi;colon', '/v1?x=***'],
  ['/v1?x=schl%C3%BCssel', '/v1?x=***'],
  ['/v1?x=schl\u00c3\u00bcssel', '/v1?x=***'],
  ['/v1?x=fgk_teamx', '/v1?x=fgk_teamx'],
]

describe('the query in the log', () => {
  for (const [target, logged] of CASES) {
    test(`${target} becomes ${logged}`, () => assert.equal(redactTarget(target, KEYS), logged))
  }

  test('where values overlap without end, what is left is masked as a whole', () => {
    const long = '%41'.repeat(10_000)
    const hashed: number[] = []
    const keys: KeyRing = {
      ...KEYS,
      staticKeys: { size: 1, has: () => hashed.push(1) === 0 } as unknown as KeyRing['staticKeys'],
    }
    assert.match(redactTarget(`/v1?${';a'.repeat(63)}${long}`, keys), /^\/v1\?(;a){2,4};\*\*\*$/)
    assert.ok(hashed.length < 20, `${hashed.length} comparisons`)
    assert.equal(redactTarget(`/v1?a=${long}`, KEYS), `/v1?a=${long}`)
  })

  test('names are masked where no key is configured', () => {
    assert.equal(redactTarget('/v1?key=s&x=fgk_team', keyRing()), '/v1?key=***&x=fgk_team')
  })

  test('is looked up anew when the keys have changed', () => {
    assert.equal(redactTarget('/v1?x=new-key', keyRing('old-key')), '/v1?x=new-key')
    assert.equal(redactTarget('/v1?x=new-key', keyRing('new-key')), '/v1?x=***')
  })

  test('is masked as a whole after 64 parameters, so that a long one costs no more', () => {
    const many = Array.from({ length: 65 }, (_, i) => `p${i}=v`)
    assert.equal(redactTarget(`/v1?${many.slice(0, 64).join('&')}`, KEYS), `/v1?${many.slice(0, 64).join('&')}`)
    assert.equal(redactTarget(`/v1?${many.join('&')}&x=fgk_team`, KEYS), `/v1?${many.slice(0, 64).join('&')}&***`)
  })
})

describe('the path of a request that was refused before its key was looked at', () => {
  for (const [target, logged] of [
    ['/v1/models', '/v1/models'],
    ['/a/fgk_team/x', '/a/***/x'],
    ['/fgk_team', '/***'],
    ['/a/fgk%5fteam?key=s', '/a/***?key=***'],
    ['/fgk_team//fgk_team;key=s', '/***//***;key=***'],
    ['http://u:p@host/fgk_team', 'http://***@host/***'],
    ['fgk_team', '***'],
    ['*', '*'],
    ['/fgk_teamx/', '/fgk_teamx/'],
    ['/v1;v=1/fgk_team/x?y', '/v1;v=1/***/x?y'],
    ['/v1;fgk_team/x', '/v1;***/x'],
    ['/v1&fgk_team/x', '/v1&***/x'],
    [`/v1/${BASE64_KEY}/x;y`, '/v1/***/x;y'],
    [`/v1/${BASE64_KEY}?key=s`, '/v1/***?key=***'],
    [BASE64_KEY, '***'],
    ['//a;;/;b/', '//a;;/;b/'],
    ['', ''],
    [`/a${'/b'.repeat(62)}/c`, `/a${'/b'.repeat(62)}/***`],
    [`/a${'/b'.repeat(62)}`, `/a${'/b'.repeat(62)}`],
  ] as const) {
    test(`${target} becomes ${logged}`, () => assert.equal(redactUnchecked(target, KEYS), logged))
  }

  test('is masked as a whole after 128 comparisons, so that a long one costs no more', () => {
    let comparisons = 0
    const keys: KeyRing = {
      ...KEYS,
      staticKeys: { size: 1, has: () => ++comparisons === 0 } as unknown as KeyRing['staticKeys'],
    }
    const segment = `/${'a'.repeat(20)}`
    assert.match(redactUnchecked(segment.repeat(60), keys), /^(\/a{20}){30,35}\/\*\*\*$/)
    assert.ok(comparisons <= 132, `${comparisons}`)
  })

  test('stays where no key is configured', () => {
    assert.equal(redactUnchecked('/a/fgk_team?key=s', keyRing()), '/a/fgk_team?key=***')
  })

  test('and its method, if that is a key', () => {
    assert.equal(redactMethod('fgk_team', KEYS), '***')
    assert.equal(redactMethod('GET', KEYS), 'GET')
  })
})

test('no spelling of a key between other parameters gets through', () => {
  const key = 'fgk_Team-7'
  const spelling = fc
    .array(fc.constantFrom('raw', 'lower', 'upper'), { minLength: key.length, maxLength: key.length })
    .map((ways) =>
      [...key]
        .map((char, i) => {
          const hex = `%${char.charCodeAt(0).toString(16)}`
          return ways[i] === 'raw' ? char : ways[i] === 'lower' ? hex : hex.toUpperCase()
        })
        .join(''),
    )
  const filler = fc.array(fc.stringMatching(/^[a-z=%&;?#0-9]{0,8}$/), { maxLength: 3 }).map((parts) => parts.join('&'))
  fc.assert(
    fc.property(filler, fc.stringMatching(/^[a-z]{1,5}$/), spelling, filler, (before, name, spelled, after) => {
      const logged = redactTarget(`/x?${before}&${name}=${spelled}&${after}`, keyRing(key))
      assert.ok(!logged.includes(spelled), logged)
    }),
  )
})
