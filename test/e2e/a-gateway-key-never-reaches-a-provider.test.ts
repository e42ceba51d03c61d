import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const SECRET = '0123456789abcdef0123456789abcdef'
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const signed = `${part({ alg: 'HS256', typ: 'JWT', kid: 'portal' })}.${part({ sub: 'a' })}`
const JWT = `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const escaped = (text: string): string => text.replace(/[^0-9]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)

const FORMS: Readonly<Record<string, (key: string) => string>> = {
  plain: (key) => key,
  escaped,
  'in a login': (key) => `Basic ${base64(`user:${key}`)}`,
  bearer: (key) => `Bearer ${key}`,
  'another scheme': (key) => `Token ${key}`,
  quoted: (key) => `Token token="${key}", realm=x`,
  'in angle brackets': (key) => `<${key}>`,
  'in a login behind another mark': (key) => `Basic "${base64(`user:${key}`)}"`,
  'in a login in a longer word': (key) => `xBasic ${base64(`user:${key}`)}`,
  'behind an account': (key) => `Token acct:${key}`,
  'in a URL': (key) => `https://u:${key}@h/`,
  'in a list': (key) => `a, ${key}; b`,
}
const OWN_FIELDS = ['x-api-key', 'api-key', 'x-goog-api-key', 'x-fluxgate-key', 'Authorization']
const FOREIGN_FIELDS = [
  'Cookie',
  'xi-api-key',
  'Ocp-Apim-Subscription-Key',
  'Helicone-Auth',
  'X-Forwarded-Key',
  'Referer',
]
const PLACES = ['swap', 'bearer', 'x-api-key', 'api-key', 'x-goog-api-key', 'pass'] as const

/** Whether the key can be read out of the bytes, as they are or decoded. */
function shows(bytes: string, key: string): boolean {
  const decoded = bytes.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const logins = [...bytes.matchAll(/basic[\s+,"':=]+([^\s"']+)/gi)].map(([, login]) =>
    Buffer.from(login!, 'base64').toString(),
  )
  return [bytes, decoded, ...logins].some((each) => each.includes(key))
}

let origin: Origin
let gateway: RunningGateway
before(async () => {
  origin = await startOrigin()
  const upstreams = PLACES.map((credential) => [
    credential,
    {
      request_path: `/${credential}`,
      target_url: origin.url,
      credential,
      ...(credential === 'pass' ? {} : { api_key: PROVIDER_KEY }),
    },
  ])
  gateway = await startGateway({
    upstreams: Object.fromEntries(upstreams),
    api_keys: { static: [{ id: 'test', key: CLIENT_KEY }], jwt: [{ id: 'portal', key: SECRET }] },
  })
})
after(() => Promise.all([gateway.stop(), origin.close()]))

const ask = (target: string, lines: readonly string[]): ReturnType<typeof exchange> =>
  exchange(gateway.port, [`GET ${target} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n'))

/** A request with the key in `carrier` and once more in `stray`; what the origin has of it, its Host left out. */
async function passed(place: string, carrier: string, stray: string): Promise<string[]> {
  const n = origin.requests.length
  const response = await ask(`/${place}/x`, ['A: 1', carrier, 'B:2 ', stray, 'C: %41 Basic eA=='])
  assert.equal(response.status, 200)
  return (await origin.request(n)).lines.slice(1)
}

for (const [kind, key] of [
  ['a static key', CLIENT_KEY],
  ['a token', JWT],
] as const) {
  for (const place of PLACES) {
    describe(`${kind}, credential: ${place}`, () => {
      for (const [form, write] of Object.entries(FORMS)) {
        for (const field of [...OWN_FIELDS, ...FOREIGN_FIELDS]) {
          it(`${form} in ${field}`, async () => {
            const carrier = field === 'x-api-key' ? `x-goog-api-key: ${key}` : `x-api-key: ${key}`
            const lines = await passed(place, carrier, `${field}: ${write(key)}`)
            assert.ok(!shows(lines.join('\r\n'), key), lines.join('\n'))
            assert.deepEqual(
              lines.filter((line) => !line.includes(PROVIDER_KEY)),
              ['A: 1', 'B:2 ', 'C: %41 Basic eA=='],
            )
            assert.equal(lines.length, place === 'pass' ? 3 : 4)
          })
        }
      }
    })
  }
}

describe('whatever else a credential field holds:', () => {
  for (const place of PLACES) {
    for (const field of OWN_FIELDS) {
      it(`${field}, credential: ${place}`, async () => {
        const carrier = field === 'x-api-key' ? `x-goog-api-key: ${CLIENT_KEY}` : `x-api-key: ${CLIENT_KEY}`
        const stray = `${field}: Token of-another-place`
        const lines = await passed(place, carrier, stray)
        const stays = place === 'pass' && field !== 'x-fluxgate-key'
        assert.equal(lines.includes(stray), stays)
        assert.equal(lines.length, place === 'pass' && !stays ? 3 : 4)
      })
    }
  }
})

describe('in the target it is refused:', () => {
  for (const [where, target] of [
    ['in the path', `/swap/${CLIENT_KEY}/x`],
    ['in the query', `/swap/x?key=${CLIENT_KEY}`],
    ['escaped', `/pass/x?q=${escaped(CLIENT_KEY)}`],
    ['in a login', `/swap/x?auth=Basic%20${base64(`u:${CLIENT_KEY}`)}`],
    ['in a login behind a plus', `/pass/x?auth=Basic+${base64(`u:${CLIENT_KEY}`)}`],
    ['where nothing is', `/nowhere/${CLIENT_KEY}`],
  ] as const) {
    it(where, async () => {
      const before = origin.requests.length
      const n = gateway.records().length
      const response = await ask(target, [`Authorization: Bearer ${CLIENT_KEY}`])
      assert.equal(`${response.status} ${response.value('x-fluxgate-error')}`, '400 fluxgate_key_in_target')
      assert.equal(response.value('connection'), 'close')
      const isIts = ({ error }: { error?: string }): boolean => error === 'key_in_target'
      const record = await gateway.until(() => gateway.records().slice(n).find(isIts), 'its record')
      assert.equal(record.api_key, 'test')
      assert.ok(!shows(JSON.stringify(record), CLIENT_KEY), record.request_url)
      assert.equal(origin.requests.length, before)
      // Who shows no key hears nothing of it.
      assert.equal((await ask(target, [])).status, 401)
    })
  }
})
