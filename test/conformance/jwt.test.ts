import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange, latin1 } from '../support/raw-client.ts'
import { readVectors } from './lanes.ts'

interface Vector {
  readonly id: string
  readonly why: string
  readonly token: string
  readonly expect: 'accept' | 'reject'
}

/*
 * The vectors have a fixed clock, the gateway has the real one. So each token is moved: times near the vectors' clock are
 * shifted, and the token is signed again in the way in which it was signed, rightly or wrongly. A token that carries no
 * valid signature was made by damage to a good one, which is done again to a good one of today.
 */

const { meta, vectors } = readVectors<Vector>('jwt')
const keys = meta.keys as Record<string, string>
const then = meta.now as number
/** Looked at for each token: some are a few seconds from their end. */
const delta = (): number => Math.floor(Date.now() / 1000) - then

const encode = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url')
const decode = (part: string): string => Buffer.from(part, 'base64url').toString('latin1')

type Signer = (input: string) => string
const hmac =
  (key: string | Uint8Array, hash = 'sha256'): Signer =>
  (input) =>
    createHmac(hash, key).update(input).digest('base64url')

/** Every way in which the vectors were signed: with the keys, with what a careless server would make of them, with guesses. */
const signers: readonly Signer[] = [
  ...Object.values(keys).flatMap((key) => [
    hmac(key),
    hmac(createHash('sha256').update(key).digest()),
    hmac(`${key}\n`),
    hmac(encode(key)),
    hmac(key, 'sha384'),
    hmac(key, 'sha512'),
  ]),
  ...['', 'undefined', '[object Object]', 'attacker'].map((guess) => hmac(guess)),
]

function shiftTimes(part: string): string {
  const text = decode(part)
  const shifted = text.replace(/("(?:exp|nbf|iat)":)(\d{10})(?!\d)/g, (whole, name: string, time: string) =>
    Math.abs(Number(time) - then) < 1e7 ? name + (Number(time) + delta()) : whole,
  )
  return shifted === text ? part : encode(latin1(shifted))
}

const goodHeader = encode(JSON.stringify({ alg: 'HS256', typ: 'JWT', kid: 'team-a' }))
const goodClaims = encode(JSON.stringify({ sub: 'u', exp: then + 3600 }))
const goodSignature = hmac(keys['team-a']!)(`${goodHeader}.${goodClaims}`)
const signedFresh = (claims: string): string => hmac(keys['team-a']!)(`${goodHeader}.${claims}`)

const isDamagedSignature = (part: string): boolean =>
  [...part].filter((character, i) => character === goodSignature[i]).length > 0.9 * goodSignature.length

/** The good signature of today with the same characters changed, missing or too many. */
const damageAgain = (damaged: string, fresh: string): string =>
  [...damaged].map((character, i) => (character === goodSignature[i] ? fresh[i] : character)).join('')

function move(token: string, outside: string): string {
  const [header = '', claims = '', signature = '', ...more] = token.split('.')
  const sign = more.length > 0 ? undefined : signers.find((signer) => signer(`${header}.${claims}`) === signature)
  if (sign !== undefined) {
    const moved = `${encode(latin1(decode(header).replace('http://127.0.0.1:1/', outside)))}.${shiftTimes(claims)}`
    return `${moved}.${sign(moved)}`
  }
  const freshClaims = shiftTimes(goodClaims)
  const fresh = signedFresh(freshClaims)
  return token
    .split(/([."])/)
    .map((part) => (part === goodClaims ? freshClaims : isDamagedSignature(part) ? damageAgain(part, fresh) : part))
    .join('')
}

describe('tokens that a client may bring', () => {
  let gateway: RunningGateway
  let origin: Origin
  /** What a URL in a token points at. */
  let outside: Origin
  const refusals = new Set<string>()
  before(async () => {
    origin = await startOrigin()
    outside = await startOrigin()
    gateway = await startGateway({
      upstreams: { up: { request_path: '/up', target_url: `${origin.url}/up`, api_key: PROVIDER_KEY } },
      api_keys: { jwt: Object.entries(keys).map(([id, key]) => ({ id, key })) },
    })
  })
  after(() => Promise.all([gateway.stop(), origin.close(), outside.close()]))

  for (const vector of vectors) {
    it(`${vector.id} ${vector.expect} ${vector.why}`, async () => {
      const token = move(vector.token, `${outside.url}/`)
      const seen = origin.requests.length
      const head = `POST /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: 2\r\n\r\nhi`
      const response = await exchange(gateway.port, head)
      const record = await gateway.until(() => gateway.records()[vectors.indexOf(vector)], 'its record')
      const arrived = origin.requests.slice(seen)
      if (vector.expect === 'accept') {
        assert.equal(response.status, 200)
        assert.deepEqual(
          arrived.map((request) => request.values('authorization')),
          [[`Bearer ${PROVIDER_KEY}`]],
        )
        assert.equal(record.api_key, JSON.parse(decode(token.split('.')[0]!)).kid)
      } else {
        assert.equal(response.status, 401)
        assert.deepEqual(response.values('www-authenticate'), ['Bearer'])
        assert.equal(arrived.length, 0, 'nothing goes upstream')
        assert.equal(record.api_key, undefined)
        refusals.add(response.text)
      }
      const signature = token.split('.')[2]?.slice(0, 20)
      if (signature) assert.ok(!gateway.log().includes(signature), 'no credential is logged')
    })
  }

  it('every refusal says the same', () => assert.equal(refusals.size, 1))

  it('no URL in a token is visited', () => assert.equal(outside.connections.length, 0))
})
