import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import fc from 'fast-check'
import { createRouteTable } from '../../../src/config/route-table.ts'
import type { CredentialPlace, Snapshot } from '../../../src/config/snapshot.ts'
import { authenticate } from '../../../src/exchange/authenticate.ts'
import { forward } from '../../../src/exchange/forward.ts'
import { route } from '../../../src/exchange/route.ts'
import { CLIENT_KEY, PROVIDER_KEY } from '../../support/gateway.ts'
import { exchangeOf, snapshot, upstream } from '../../unit/exchange/exchange-of.ts'
import type { ValueTarget } from '../target.ts'

const CREDENTIAL = /^(?:authorization|x-api-key|api-key|x-goog-api-key|x-fluxgate-key):[ \t]*(?:bearer +)?(.*?)[ \t]*$/i

/** The values of the credential fields among these lines, without a scheme. */
export function credentialsIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => CREDENTIAL.exec(line)?.[1] ?? [])
}

/** As `openssl rand -base64` makes them, with marks that lists and parameters have too. */
const KEYS = [CLIENT_KEY, 'Zm9v+bar/baz9Qx7==', '8f,k=q;Vv[w](1)pZ'] as const
const PLACES: readonly CredentialPlace[] = ['swap', 'bearer', 'x-api-key', 'api-key', 'x-goog-api-key', 'pass']
const CARRIERS = ['Authorization: Bearer ', 'x-api-key: ', 'api-key:', 'X-Goog-Api-Key:\t', 'x-fluxgate-key: '] as const
const FOREIGN = ['Cookie', 'xi-api-key', 'X', 'Referer', 'helicone-auth', 'tE-x', 'authorization2'] as const
const NAMES = ['Authorization', 'x-api-key', 'api-key', 'X-GOOG-API-KEY', 'x-fluxgate-key', ...FOREIGN] as const

const escaped = (key: string): string =>
  [...key].map((c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`).join('')
/** Ways in which a key stands in a value; all but the first are found in credential fields whosesoever the key is. */
const FORMS: readonly ((key: string) => string)[] = [
  (key) => `Token ${key}`,
  (key) => `Token token="${key}"`,
  (key) => `<${key}>`,
  escaped,
  (key) => escaped(key.slice(0, 3)) + key.slice(3),
  (key) => `bASIC ${Buffer.from(`user:${key}`).toString('base64').replace(/=+$/, '')}`,
  (key) => `Basic\t${Buffer.from(`${key}:pass`).toString('base64')}`,
  (key) => `acct:${key}`,
  (key) => `https://u:${key}@h/`,
]

interface Stray {
  readonly name: (typeof NAMES)[number]
  readonly key: number
  /** Of FORMS; -1: no key. */
  readonly form: number
  readonly before: string
  readonly after: string
}

interface Arrangement {
  readonly place: CredentialPlace
  /** Of KEYS; -1: anonymous. */
  readonly key: number
  readonly carrier: number
  readonly at: number
  readonly lines: readonly Stray[]
  readonly target: Pick<Stray, 'form' | 'key'>
}

const noise = fc.string({ unit: fc.constantFrom('%', '4', 'f', 'g', 'k', '_', '=', 'x', '"', ':'), maxLength: 12 })
const stray: fc.Arbitrary<Stray> = fc.record({
  name: fc.constantFrom(...NAMES),
  key: fc.nat(KEYS.length - 1),
  form: fc.integer({ min: -1, max: FORMS.length - 1 }),
  before: noise.map((text) => (text === '' ? '' : `${text} `)),
  after: noise.map((text) => (text === '' ? '' : ` ${text}`)),
})
const arrangements: fc.Arbitrary<Arrangement> = fc.record({
  place: fc.constantFrom(...PLACES),
  key: fc.integer({ min: -1, max: KEYS.length - 1 }),
  carrier: fc.nat(CARRIERS.length - 1),
  at: fc.nat(20),
  lines: fc.array(stray, { maxLength: 8 }),
  target: fc.record({ form: fc.integer({ min: -20, max: 4 }), key: fc.nat(KEYS.length - 1) }),
})

function snapshotWith(place: CredentialPlace, isAnonymous: boolean): Snapshot {
  const target = upstream({ credential: place, apiKey: PROVIDER_KEY })
  const keys = isAnonymous
    ? []
    : KEYS.map((key, i) => [hash('sha256', key), { name: `${i}`, routes: createRouteTable([target]) }] as const)
  return { ...snapshot(isAnonymous, target), keys: { staticKeys: new Map(keys), jwtKeys: new Map() } }
}

const writtenValue = ({ form, key, before, after }: Stray): string =>
  before + (FORMS[form]?.(KEYS[key]!) ?? 'own') + after
const isCredential = ({ name }: Stray): boolean => credentialsIn([`${name}: x`]).length > 0

/** By how it was made, not by looking for it. */
function staysOn(line: Stray, { place, key }: Arrangement): boolean {
  const hasKey = line.form !== -1 && key !== -1
  if (!isCredential(line)) return !hasKey || line.key !== key
  return place === 'pass' && line.name !== 'x-fluxgate-key' && !hasKey
}

function check(arrangement: Arrangement): string {
  const { place, key, carrier, at, lines, target } = arrangement
  const written = lines.map((line) => `${line.name}: ${writtenValue(line)}`)
  const kept = written.filter((_, i) => staysOn(lines[i]!, arrangement))
  const own = key === -1 ? [] : [`${CARRIERS[carrier]}${KEYS[key]}`]
  const inTarget = (FORMS[target.form]?.(KEYS[target.key]!) ?? 'own').replace(/[^!-~]|"/g, '')
  const fields = [...written.slice(0, at), ...own, ...written.slice(at)]
  const head = [`GET /up/${inTarget} HTTP/1.1`, 'Host: a', ...fields, '', ''].join('\r\n')
  const exchange = exchangeOf(head, snapshotWith(place, key === -1))
  const failure = authenticate(exchange) ?? route(exchange)
  if (failure === 'unauthorized') {
    assert.ok(fields.filter((line) => /^authorization:/i.test(line)).length > 1, 'who shows one key is let in')
    return failure
  }
  if (failure !== undefined) {
    assert.equal(failure, 'key_in_target')
    assert.ok(target.form >= 0 && target.key === key)
    return failure
  }
  if (key !== -1 && target.key === key) assert.ok(target.form < 0 || !inTarget.includes(KEYS[key]!))
  forward(exchange)
  const left = exchange.upstreamHead.split('\r\n').slice(2, -2)
  const theirs = left.filter((line) => !line.includes(PROVIDER_KEY))
  assert.deepEqual(theirs, kept)
  assert.equal(left.length - theirs.length, place === 'pass' ? 0 : 1, 'one credential goes to a provider')
  if (key !== -1) assert.ok(!exchange.upstreamHead.includes(KEYS[key]!), 'the gateway key goes on')
  return `${place} ${lines.length - kept.length}`
}

export const credentials: ValueTarget<Arrangement> = {
  name: 'credentials',
  about: 'wherever a gateway key stands, it goes no further, and all other bytes do',
  values: () => arrangements,
  check,
}
