import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { verifyJwt } from '../../../src/access/jwt.ts'
import type { KeyRing } from '../../../src/config/snapshot.ts'
import { identityOf, jwtKey } from '../../support/tokens.ts'
import { tokens } from '../corpus.ts'
import type { TextTarget, ValueTarget } from '../target.ts'

const { now, keys, vectors } = tokens()

const RING: KeyRing['jwtKeys'] = new Map(
  Object.entries(keys).map(([id, key]) => [id, jwtKey(Buffer.from(key), identityOf(id))]),
)

const SIGNED = new Set(vectors.filter(({ expect }) => expect === 'accept').map(({ token }) => token))

const encode = (text: string): string => Buffer.from(text).toString('base64url')

export const tokenBytes: TextTarget = {
  name: 'token-bytes',
  about: 'no token is let in but those that were signed',
  corpus: () => vectors.map(({ token }) => token).filter(({ length }) => length < 4_000),
  spice: [
    '.',
    '=',
    '-',
    '_',
    'A',
    'e30',
    encode('{"alg":"none","typ":"JWT","kid":"team-a"}'),
    '\0',
    ' ',
    '\n',
    '+',
    '/',
  ],
  check(token) {
    const found = verifyJwt(token, RING, now)
    if (typeof found === 'string') return `refused: ${found}`
    assert.ok(SIGNED.has(token), `${found.name} has never signed it`)
    return found.name
  },
}

/** Names and values as they stand in the JSON of a header or of claims. */
type Members = readonly (readonly [name: string, value: string])[]

interface Signed {
  readonly header: Members
  readonly claims: Members
  readonly key: string
}

const name = (...names: string[]): fc.Arbitrary<string> => fc.constantFrom(...names)
const NUMBERS = [now, now + 1, now - 1, now + 0.5, 0, -1, 1e300].map(String)
const value = fc.oneof(
  fc.constantFrom(...NUMBERS),
  fc.constantFrom('null', '"HS256"', '"JWT"', '"team-a"', 'true', '[]', '{}', '1e400', '-1e400', '"1"', '"\\u004aWT"'),
  fc
    .nat(40)
    .map((depth) => '['.repeat(depth) + ']'.repeat(depth))
    .filter((text) => text !== ''),
)

const members = (usual: Members, names: readonly string[]): fc.Arbitrary<Members> =>
  fc
    .tuple(
      fc.subarray([...usual], { minLength: Math.max(0, usual.length - 1) }),
      fc.oneof(
        { weight: 2, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.array(fc.tuple(name(...names), value), { maxLength: 3 }) },
      ),
      fc.boolean(),
    )
    .map(([known, more, isFirst]) => (isFirst ? [...known, ...more] : [...more, ...known]))

const HEADER: Members = [
  ['alg', '"HS256"'],
  ['typ', '"JWT"'],
  ['kid', '"team-a"'],
]

const write = (all: Members): string => `{${all.map(([member, json]) => `"${member}":${json}`).join(',')}}`

/** Seconds by which clocks may differ. */
const LEEWAY = 5

/** By the list of members, where the verifier has only the text. */
function isRight({ header, claims, key }: Signed): boolean {
  for (const all of [header, claims]) {
    const names = all.map(([member]) => JSON.parse(`"${member}"`) as string)
    if (new Set(names).size < names.length || all.some(([, json]) => json.startsWith('['.repeat(32)))) return false
  }
  const read = (all: Members, wanted: string): unknown => {
    const found = all.find(([member]) => JSON.parse(`"${member}"`) === wanted)
    return found === undefined ? undefined : JSON.parse(found[1])
  }
  const type = read(header, 'typ')
  if (read(header, 'alg') !== 'HS256' || read(header, 'kid') !== key) return false
  if (type !== undefined && type !== 'JWT') return false
  if (read(header, 'crit') !== undefined || read(header, 'zip') !== undefined) return false
  const [expires, notBefore] = [read(claims, 'exp'), read(claims, 'nbf')]
  if (expires !== undefined && !(Number.isFinite(expires) && (expires as number) + LEEWAY > now)) return false
  return notBefore === undefined || (Number.isFinite(notBefore) && (notBefore as number) - LEEWAY <= now)
}

export const tokenClaims: ValueTarget<Signed> = {
  name: 'token-claims',
  about: 'of the tokens that a key has signed, those are let in that fit the profile',
  values: (scale) =>
    fc.record({
      header: members(HEADER, ['alg', 'typ', 'kid', 'crit', 'zip', '\\u0061lg', 'jku', '__proto__']),
      claims: members(
        [
          ['exp', NUMBERS[1]!],
          ['nbf', NUMBERS[0]!],
          ['sub', `"${'x'.repeat(scale)}"`],
        ],
        ['exp', 'nbf', 'e\\u0078p', 'iat', '__proto__', 'constructor'],
      ),
      key: fc.oneof({ weight: 5, arbitrary: fc.constant('team-a') }, fc.constant('team-b')),
    }),
  check(signed) {
    const text = `${encode(write(signed.header))}.${encode(write(signed.claims))}`
    const token = `${text}.${createHmac('sha256', keys[signed.key]!).update(text).digest('base64url')}`
    const found = verifyJwt(token, RING, now)
    assert.equal(
      typeof found === 'string' ? undefined : found.name,
      isRight(signed) ? signed.key : undefined,
      `${write(signed.header)}${write(signed.claims)}`,
    )
    return typeof found === 'string' ? `refused: ${found}` : found.name
  },
}
