import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

interface Case {
  readonly name: string
  readonly sent: readonly string[]
  readonly arrives: readonly string[]
}

const cases: readonly Case[] = [
  {
    name: 'Authorization',
    sent: ['X: 1', `Authorization: Bearer ${CLIENT_KEY}`, 'Y: 2'],
    arrives: ['X: 1', `Authorization: Bearer ${PROVIDER_KEY}`, 'Y: 2'],
  },
  {
    name: 'its scheme as the client spells it',
    sent: [`authorization: bEARER ${CLIENT_KEY}`],
    arrives: [`authorization: bEARER ${PROVIDER_KEY}`],
  },
  {
    name: 'white space around the value',
    sent: [`Authorization:\t Bearer ${CLIENT_KEY} \t`, 'Y: 2'],
    arrives: [`Authorization:\t Bearer ${PROVIDER_KEY} \t`, 'Y: 2'],
  },
  {
    name: 'x-api-key',
    sent: ['X: 1', `X-Api-Key: ${CLIENT_KEY}`, 'Y: 2'],
    arrives: ['X: 1', `X-Api-Key: ${PROVIDER_KEY}`, 'Y: 2'],
  },
  {
    name: 'x-api-key, and a bare key in Authorization goes no further',
    sent: [`X-Api-Key: ${CLIENT_KEY}`, `Authorization: ${CLIENT_KEY}`, 'Y: 2'],
    arrives: [`X-Api-Key: ${PROVIDER_KEY}`, 'Y: 2'],
  },
  ...[
    `Token ${CLIENT_KEY}`,
    `Basic\t${CLIENT_KEY}`,
    `Bearer\t${CLIENT_KEY}`,
    `Token token="${CLIENT_KEY}"`,
    `Bearer ${CLIENT_KEY},`,
    `Bearer ${CLIENT_KEY} x`,
    `Basic ${Buffer.from(`u:${CLIENT_KEY}`).toString('base64')}`,
    `basic ${Buffer.from(`${CLIENT_KEY}:`).toString('base64')}`,
  ].map((value) => ({
    name: `x-api-key, nor does ${value.replace(CLIENT_KEY, 'KEY')}`,
    sent: [`X-Api-Key: ${CLIENT_KEY}`, `Authorization: ${value}`],
    arrives: [`X-Api-Key: ${PROVIDER_KEY}`],
  })),
  {
    name: 'x-api-key, and a login of the client goes no further either',
    sent: [`X-Api-Key: ${CLIENT_KEY}`, 'Authorization: Basic dTpw'],
    arrives: [`X-Api-Key: ${PROVIDER_KEY}`],
  },
  {
    name: 'api-key',
    sent: ['X: 1', `api-key:${CLIENT_KEY}`, 'Y: 2'],
    arrives: ['X: 1', `api-key:${PROVIDER_KEY}`, 'Y: 2'],
  },
  {
    name: 'x-goog-api-key',
    sent: ['X: 1', `x-goog-api-key: ${CLIENT_KEY}`, 'Y: 2'],
    arrives: ['X: 1', `x-goog-api-key: ${PROVIDER_KEY}`, 'Y: 2'],
  },
  {
    name: 'x-fluxgate-key, for which a bearer comes last',
    sent: ['X: 1', `X-Fluxgate-Key: ${CLIENT_KEY}`, 'Y: 2'],
    arrives: ['X: 1', 'Y: 2', `Authorization: Bearer ${PROVIDER_KEY}`],
  },
  {
    name: 'x-fluxgate-key, for which a bearer takes the place of a provider login',
    sent: [`x-fluxgate-key: ${CLIENT_KEY}`, 'Authorization: Basic dXNlcjpwdw==', 'Y: 2'],
    arrives: [`Authorization: Bearer ${PROVIDER_KEY}`, 'Y: 2'],
  },
  {
    name: 'x-fluxgate-key, for which a bearer takes the place of another bearer',
    sent: ['Authorization: Bearer of-the-client', `x-fluxgate-key: ${CLIENT_KEY}`, 'Y: 2'],
    arrives: [`Authorization: Bearer ${PROVIDER_KEY}`, 'Y: 2'],
  },
  {
    name: 'the first of several fields with the same key; the others go no further',
    sent: [
      `x-fluxgate-key: ${CLIENT_KEY}`,
      `x-goog-api-key: ${CLIENT_KEY}`,
      `api-key: ${CLIENT_KEY}`,
      `x-api-key: ${CLIENT_KEY}`,
      'Y: 2',
    ],
    arrives: [`x-api-key: ${PROVIDER_KEY}`, 'Y: 2'],
  },
  {
    name: 'Authorization before all others',
    sent: [`x-api-key: ${CLIENT_KEY}`, `Authorization: Bearer ${CLIENT_KEY}`, 'Y: 2'],
    arrives: [`Authorization: Bearer ${PROVIDER_KEY}`, 'Y: 2'],
  },
  {
    name: 'and a field with another credential goes no further: one credential goes to a provider',
    sent: ['x-api-key: of-the-client', `Authorization: Bearer ${CLIENT_KEY}`, 'x-goog-api-key: of-the-client-too'],
    arrives: [`Authorization: Bearer ${PROVIDER_KEY}`],
  },
]

describe('the provider’s credential stands where the client’s stood:', () => {
  let gateway: RunningGateway
  let origin: Origin
  before(async () => {
    origin = await startOrigin()
    gateway = await startGateway(upTo(origin))
  })
  after(() => Promise.all([gateway.stop(), origin.close()]))

  for (const { name, sent, arrives } of cases) {
    it(name, async () => {
      const n = origin.requests.length
      const response = await exchange(gateway.port, ['GET /up/x HTTP/1.1', 'Host: a', ...sent, '', ''].join('\r\n'))
      assert.equal(response.status, 200)
      assert.deepEqual((await origin.request(n)).lines, [`Host: 127.0.0.1:${origin.port}`, ...arrives])
    })
  }
})
