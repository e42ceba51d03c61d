import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CLIENT_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const cases: readonly (readonly [name: string, sent: readonly string[], arrives: readonly string[]])[] = [
  [
    'a bearer of the provider',
    ['Authorization: Bearer login', `x-fluxgate-key: ${CLIENT_KEY}`, 'Y: 2'],
    ['Authorization: Bearer login', 'Y: 2'],
  ],
  [
    'another scheme',
    [`X-Fluxgate-Key: ${CLIENT_KEY}`, 'authorization:  AWS4-HMAC-SHA256 Credential=a/b, Signature=c'],
    ['authorization:  AWS4-HMAC-SHA256 Credential=a/b, Signature=c'],
  ],
  ['a key field of the provider', ['x-api-key: login', `x-fluxgate-key: ${CLIENT_KEY}`], ['x-api-key: login']],
  ['no login at all', [`x-fluxgate-key: ${CLIENT_KEY}`, 'Y: 2'], ['Y: 2']],
  [
    'a gateway key where the login should be, which is removed',
    [`Authorization: Bearer ${CLIENT_KEY}`, 'Y: 2'],
    ['Y: 2'],
  ],
  [
    'a gateway key in two places',
    [`Authorization: Bearer ${CLIENT_KEY}`, `x-fluxgate-key: ${CLIENT_KEY}`, 'x-api-key: login'],
    ['x-api-key: login'],
  ],
]

describe('with credential: pass', () => {
  let gateway: RunningGateway
  let origin: Origin
  before(async () => {
    origin = await startOrigin()
    gateway = await startGateway({
      upstreams: { up: { request_path: '/up', target_url: origin.url, credential: 'pass' } },
    })
  })
  after(() => Promise.all([gateway.stop(), origin.close()]))

  for (const [name, sent, arrives] of cases) {
    it(name, async () => {
      const n = origin.requests.length
      const response = await exchange(gateway.port, ['GET /up/x HTTP/1.1', 'Host: a', ...sent, '', ''].join('\r\n'))
      assert.equal(response.status, 200)
      assert.deepEqual((await origin.request(n)).lines, [`Host: 127.0.0.1:${origin.port}`, ...arrives])
    })
  }
})
