import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import fc from 'fast-check'
import type { KeyRing } from '../../../src/config/snapshot.ts'
import { redactTarget, redactUnchecked } from '../../../src/observe/redact.ts'
import { identityOf } from '../../support/tokens.ts'
import type { TextTarget } from '../target.ts'

const KEYS = ['fgk_team', 'a/b+c=', 'semi;colon', 'ein schl\u00fcssel']
const RING: KeyRing = {
  staticKeys: new Map(KEYS.map((key) => [hash('sha256', key), identityOf('k')])),
  jwtKeys: new Map(),
}
const BYTES = KEYS.map((key) => Buffer.from(key).toString('latin1'))
const NAMES = ['key', 'api-key', 'api_key', 'apikey', 'access_token', 'token']

const decode = (text: string): string =>
  text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

/** The parameters that must not be read in the log, by the plainest reading of a query. */
function secretsOf(target: string): { readonly secret: string; readonly isNamed: boolean }[] {
  const parameters = target.slice(target.indexOf('?') + 1).split('&')
  return parameters.flatMap((parameter) => {
    const equals = parameter.indexOf('=')
    const secret = parameter.slice(equals + 1)
    const isNamed = equals !== -1 && NAMES.includes(decode(parameter.slice(0, equals)).toLowerCase())
    return secret !== '' && (isNamed || BYTES.includes(secret) || BYTES.includes(decode(secret)))
      ? [{ secret, isNamed }]
      : []
  })
}

/** What is left of the target between the masks, in order. */
function assertOnlyMasked(target: string, logged: string): void {
  let at = 0
  for (const [i, piece] of logged.split('***').entries()) {
    const found = i === 0 ? 0 : target.indexOf(piece, at)
    assert.ok(found !== -1 && target.startsWith(piece, found), `${JSON.stringify(piece)} was never in it`)
    at = found + piece.length
  }
}

/** Where nobody has looked at its key, a whole piece of the path that is one is masked as well. */
function assertUncheckedMasked(target: string): void {
  const logged = redactUnchecked(target, RING)
  assertOnlyMasked(target, logged)
  const [path = ''] = target.split(/[?#]/, 1)
  for (const piece of path.split(/[/;&]/))
    if (BYTES.includes(decode(piece)) && target.split(piece).length === 2)
      assert.ok(!logged.includes(piece), `${JSON.stringify(piece)} is logged`)
}

const filler = fc.stringMatching(/^[a-z=%&;?#0-9]{0,8}$/)

export const redaction: TextTarget = {
  name: 'redaction',
  about: 'no credential in a query is logged, and nothing else is changed',
  corpus: () => [
    '/v1?alt=sse&key=s&x=1',
    '/v1?KEY=a1&Api-Key=b2&api_key=c3&apikey=d4',
    '/v1?k%65y=s&%61pi%5Fkey=t',
    '/v1?access_token=s;token=t?key=u#key=v',
    '/v1?x=fgk%5Fteam&y=%66gk_team&fgk_team',
    '/v1?x=a/b+c=&y=semi;colon&z=ein%20schl%c3%bcssel',
    'http://host/v1?key=s',
    'http://u:fgk_team@host/v1#key=s',
    '/v1;key=s;x=fgk_team',
    '/v1&key=s',
    '/v1;x=1/fgk_team/y?z',
    '/v1;fgk_team/x',
    '/fgk%5fteam&a/b+c=',
    `/v1?${'p=v&'.repeat(63)}key=s&x=fgk_team`,
  ],
  spice: [
    '?',
    '&',
    ';',
    '#',
    '=',
    '%',
    '%3d',
    '%26',
    '***',
    ...NAMES.map((name) => `&${name}=`),
    ...BYTES,
    'KEY=',
    '%6b',
  ],
  values: () =>
    fc
      .array(fc.tuple(filler, fc.constantFrom(...NAMES, 'x'), fc.oneof(filler, fc.constantFrom(...BYTES))), {
        maxLength: 5,
      })
      .map((all) => `/x?${all.map(([before, name, value]) => `${before}&${name}=${value}`).join('&')}`),
  check(target) {
    const logged = redactTarget(target, RING)
    // In an absolute form, what comes before the host is masked.
    const unnamed = target.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1***@')
    const start = unnamed.search(/[?#;&]/)
    assertOnlyMasked(target, logged)
    assertUncheckedMasked(target)
    if (start === -1) {
      assert.equal(logged, unnamed)
      return 'no query'
    }
    assert.equal(logged.slice(0, start + 1), unnamed.slice(0, start + 1))
    const secrets = target.includes('?') ? secretsOf(target) : []
    for (const { secret } of secrets.slice(0, 100)) {
      // Only where it stands once can it be told from what may be logged.
      if (secret.length > 3 && target.split(secret).length === 2)
        assert.ok(!logged.includes(secret), `${JSON.stringify(secret)} is logged`)
    }
    const kinds = [
      secrets.some(({ isNamed }) => isNamed) && 'named',
      secrets.some(({ isNamed }) => !isNamed) && 'a key',
    ]
    return [...kinds.filter((kind) => kind !== false), Math.min(3, logged.split('***').length - 1)].join(' ')
  },
}
