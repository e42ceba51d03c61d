import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const cases: readonly (readonly [target: string, sent: readonly string[], arrives: readonly string[]])[] = [
  ['/keyed/x', ['Y: 2'], ['Y: 2', `Authorization: Bearer ${PROVIDER_KEY}`]],
  ['/keyed/x', ['Authorization: Bearer whatever', 'Y: 2'], [`Authorization: Bearer ${PROVIDER_KEY}`, 'Y: 2']],
  ['/keyed/x', ['x-api-key: whatever', 'Y: 2'], [`x-api-key: ${PROVIDER_KEY}`, 'Y: 2']],
  ['/keyed/x', ['Authorization: Basic eA==', 'x-api-key: a', 'x-fluxgate-key: b'], [`x-api-key: ${PROVIDER_KEY}`]],
  ['/keyed/x', ['x-fluxgate-key: b', 'Y: 2'], ['Y: 2', `Authorization: Bearer ${PROVIDER_KEY}`]],
  ['/keyless/x', ['Y: 2'], ['Y: 2']],
  ['/keyless/x', ['Authorization: Bearer whatever', 'Y: 2'], ['Y: 2']],
  ['/keyless/x', ['x-goog-api-key: whatever', 'Y: 2'], ['Y: 2']],
  ['/passing/x', ['x-fluxgate-key: a', 'x-api-key: b'], ['x-api-key: b']],
  ['/passing/x', ['Authorization: Basic dXNlcjpwdw==', 'Y: 2'], ['Authorization: Basic dXNlcjpwdw==', 'Y: 2']],
]

test('with the provider’s key, with none, or with the client’s own login', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({
    server: { allow_anonymous: true },
    upstreams: {
      keyed: { request_path: '/keyed', target_url: origin.url, api_key: PROVIDER_KEY },
      keyless: { request_path: '/keyless', target_url: origin.url, api_key: '' },
      passing: { request_path: '/passing', target_url: origin.url, credential: 'pass' },
    },
  })
  for (const [n, [target, sent, arrives]] of cases.entries()) {
    await exchange(gateway.port, [`GET ${target} HTTP/1.1`, 'Host: a', ...sent, '', ''].join('\r\n'))
    const { lines } = await origin.request(n)
    assert.deepEqual(lines.slice(1), arrives, `${target} ${sent}`)
  }
  assert.equal((await exchange(gateway.port, 'GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n')).status, 404)
  const record = await gateway.waitForRecord()
  assert.equal(record.api_key, undefined)
})
