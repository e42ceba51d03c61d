import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const places = {
  bearer: 'authorization',
  'x-api-key': 'x-api-key',
  'api-key': 'api-key',
  'x-goog-api-key': 'x-goog-api-key',
} as const
const fields = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'x-fluxgate-key'] as const
const carrying = (field: string, key: string): string =>
  `${field}: ${field === 'authorization' ? `Bearer ${key}` : key}`

describe('credential:', () => {
  let gateway: RunningGateway
  let origin: Origin
  before(async () => {
    origin = await startOrigin()
    const upstreams = Object.keys(places).map((credential) => [
      credential,
      { request_path: `/${credential}`, target_url: origin.url, api_key: PROVIDER_KEY, credential },
    ])
    gateway = await startGateway({ upstreams: Object.fromEntries(upstreams) })
  })
  after(() => Promise.all([gateway.stop(), origin.close()]))

  for (const [credential, place] of Object.entries(places)) {
    for (const used of fields) {
      it(`${credential}, for a client that uses ${used}`, async () => {
        const n = origin.requests.length
        await exchange(
          gateway.port,
          `GET /${credential}/x HTTP/1.1\r\nHost: a\r\n${carrying(used, CLIENT_KEY)}\r\nY: 2\r\n\r\n`,
        )
        const { lines } = await origin.request(n)
        assert.ok(!lines.join().includes(CLIENT_KEY))
        const credentials = lines.map((line) => line.toLowerCase()).filter((line) => line.includes(PROVIDER_KEY))
        assert.deepEqual(credentials, [carrying(place, PROVIDER_KEY).toLowerCase()])
        assert.equal(lines.length, 3, 'Host, Y and the credential')
      })
    }

    it(`${credential}, for a client that has another key in ${place}`, async () => {
      const n = origin.requests.length
      const other = place === 'authorization' ? 'authorization: Basic dXNlcjpwdw==' : `${place}: of-the-client`
      await exchange(
        gateway.port,
        `GET /${credential}/x HTTP/1.1\r\nHost: a\r\n${other}\r\nx-fluxgate-key: ${CLIENT_KEY}\r\n\r\n`,
      )
      const request = await origin.request(n)
      assert.deepEqual(request.values(place), [place === 'authorization' ? `Bearer ${PROVIDER_KEY}` : PROVIDER_KEY])
      assert.equal(request.lines.length, 2, 'Host and the credential')
    })
  }
})
