import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it, test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const OTHER_KEY = 'fgk_of_somebody_else'
const HASHED_KEY = 'fgk_known_by_its_digest_only'

const ask = (port: number, lines: readonly string[], target = '/up/x'): ReturnType<typeof exchange> =>
  exchange(port, [`GET ${target} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n'))

const refused: readonly (readonly [name: string, lines: readonly string[], target?: string])[] = [
  ['no credential', []],
  ['a wrong key', ['Authorization: Bearer wrong']],
  ['the provider’s key', [`Authorization: Bearer ${PROVIDER_KEY}`]],
  ['a part of a key', [`Authorization: Bearer ${CLIENT_KEY.slice(0, -1)}`]],
  ['more than a key', [`Authorization: Bearer ${CLIENT_KEY}x`]],
  ['a key in the other case', [`Authorization: Bearer ${CLIENT_KEY.toUpperCase()}`]],
  ['the digest of a key', [`Authorization: Bearer ${createHash('sha256').update(HASHED_KEY).digest('hex')}`]],
  ['no scheme', [`Authorization: ${CLIENT_KEY}`]],
  ['another scheme', [`Authorization: Basic ${CLIENT_KEY}`]],
  ['a scheme in a field that has none', [`x-api-key: Bearer ${CLIENT_KEY}`]],
  ['a tab after the scheme', [`Authorization: Bearer\t${CLIENT_KEY}`]],
  ['an empty bearer', ['Authorization: Bearer ']],
  ['two Authorization lines', [`Authorization: Bearer ${CLIENT_KEY}`, `Authorization: Bearer ${CLIENT_KEY}`]],
  [
    'two Authorization lines, one of them of the client’s own',
    [`Authorization: Bearer ${CLIENT_KEY}`, 'Authorization: Basic dXNlcjpwdw=='],
  ],
  ['two identities', [`Authorization: Bearer ${CLIENT_KEY}`, `x-api-key: ${OTHER_KEY}`]],
  ['two identities in a later pair', [`x-goog-api-key: ${OTHER_KEY}`, `x-fluxgate-key: ${CLIENT_KEY}`]],
  ['a key in the query', [], `/up/x?key=${CLIENT_KEY}`],
  ['a key in a cookie', [`Cookie: key=${CLIENT_KEY}`]],
  ['a name that objects have', ['Authorization: Bearer __proto__']],
]

describe('refused:', () => {
  let gateway: RunningGateway
  let origin: Origin
  before(async () => {
    origin = await startOrigin()
    const digest = createHash('sha256').update(HASHED_KEY).digest('hex')
    gateway = await startGateway({
      api_keys: { static: [{ id: 'test', key: CLIENT_KEY }, { key: OTHER_KEY }, { id: 'hashed', key_sha256: digest }] },
      ...upTo(origin),
    })
  })
  after(() => Promise.all([gateway.stop(), origin.close()]))

  for (const [name, lines, target] of refused) {
    it(name, async () => {
      const n = gateway.records().length
      const response = await ask(gateway.port, lines, target)
      assert.equal(response.status, 401)
      assert.deepEqual(response.values('www-authenticate'), ['Bearer'])
      const record = await gateway.until(() => gateway.records()[n], 'its record')
      assert.equal(record.api_key, undefined)
      assert.equal(origin.requests.length, 0, 'nothing goes upstream')
    })
  }

  it('but a key that is known by its digest is let in, and each is logged by its id or its place', async () => {
    const n = gateway.records().length
    for (const key of [HASHED_KEY, OTHER_KEY, CLIENT_KEY]) {
      assert.equal((await ask(gateway.port, [`Authorization: Bearer ${key}`])).status, 200)
    }
    await gateway.until(() => gateway.records()[n + 2], 'three records')
    assert.deepEqual(
      gateway
        .records()
        .slice(n)
        .map((record) => record.api_key),
      ['hashed', 'static[1]', 'test'],
    )
  })
})

test('without any key configured, every request is refused', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ api_keys: {}, ...upTo(origin) })
  for (const lines of [[], [`Authorization: Bearer ${CLIENT_KEY}`], ['Authorization: Bearer undefined']]) {
    assert.equal((await ask(gateway.port, lines)).status, 401)
    assert.equal((await ask(gateway.port, lines, '/nowhere')).status, 401)
  }
  assert.equal(origin.connections.length, 0)
})
