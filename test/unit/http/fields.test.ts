import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  FIELD,
  fieldOf,
  isCredentialField,
  isForbiddenInTrailers,
  isProtectedFromNomination,
} from '../../../src/http/fields.ts'

const FIELDS = {
  host: FIELD.host,
  'content-length': FIELD.contentLength,
  'transfer-encoding': FIELD.transferEncoding,
  connection: FIELD.connection,
  'keep-alive': FIELD.keepAlive,
  'proxy-connection': FIELD.proxyConnection,
  'proxy-authenticate': FIELD.proxyAuthenticate,
  'proxy-authorization': FIELD.proxyAuthorization,
  te: FIELD.te,
  upgrade: FIELD.upgrade,
  expect: FIELD.expect,
  authorization: FIELD.authorization,
  'x-api-key': FIELD.xApiKey,
  'api-key': FIELD.apiKey,
  'x-goog-api-key': FIELD.xGoogApiKey,
  'x-fluxgate-key': FIELD.xFluxgateKey,
  content_length: FIELD.framingTwin,
  transfer_encoding: FIELD.framingTwin,
} as const

const NAMES = new Map<string, number>(Object.entries(FIELDS))

const CREDENTIALS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'x-fluxgate-key']

describe('the field of a name', () => {
  for (const [name, field] of Object.entries(FIELDS)) {
    test(`${name} is known in any case and anywhere in the text`, () => {
      for (const spelling of [name, name.toUpperCase(), name[0]!.toUpperCase() + name.slice(1)]) {
        assert.equal(fieldOf(`x:${spelling}:`, 2, 2 + spelling.length), field)
      }
      assert.equal(isCredentialField(field), CREDENTIALS.includes(name))
    })

    test(`${name} with one octet changed, added or taken away is another field`, () => {
      const others = [`${name}x`, `x${name}`, name.slice(1), name.slice(0, -1)]
      for (let i = 0; i < name.length; i++) others.push(`${name.slice(0, i)}~${name.slice(i + 1)}`)
      for (const other of others) assert.equal(fieldOf(other, 0, other.length), NAMES.get(other) ?? FIELD.other, other)
    })
  }

  test('no other token is a known field', () => {
    const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}$/)
    fc.assert(
      fc.property(token, (name) => {
        assert.equal(fieldOf(name, 0, name.length), NAMES.get(name.toLowerCase()) ?? FIELD.other)
      }),
    )
  })
})

test('what the gateway answers for cannot be nominated', () => {
  for (const name of ['host', 'content-length', 'transfer-encoding', ...CREDENTIALS])
    assert.ok(isProtectedFromNomination(name))
  for (const name of ['x-hop', 'te', 'upgrade', 'expect']) assert.ok(!isProtectedFromNomination(name))
})

test('what frames, routes or authenticates has no place in trailers, what describes content has', () => {
  const connectionSpecific = ['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade']
  for (const name of [
    'host',
    'content-length',
    'transfer-encoding',
    'set-cookie',
    ...CREDENTIALS,
    ...connectionSpecific,
  ])
    assert.ok(isForbiddenInTrailers(name), name)
  for (const name of ['x-sum', 'digest', 'etag', 'server-timing', 'grpc-status'])
    assert.ok(!isForbiddenInTrailers(name), name)
})
