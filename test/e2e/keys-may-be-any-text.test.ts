import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

test('a key beyond ASCII goes out, and is recognised, as its UTF-8 bytes', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({
    upstreams: {
      up: { request_path: '/up', target_url: `http://127.0.0.1:${origin.port}`, api_key: 'sk-schlüssel-€' },
    },
    api_keys: { static: [{ id: 'umlaut', key: 'clé-ü' }] },
  })
  const key = Buffer.from('clé-ü', 'utf8').toString('latin1')
  const response = await exchange(gateway.port, `GET /up/x HTTP/1.1\r\nHost: a\r\nx-api-key: ${key}\r\n\r\n`)
  assert.equal(response.status, 200)
  const [sent] = origin.requests
  assert.equal(sent?.message.value('x-api-key'), Buffer.from('sk-schlüssel-€', 'utf8').toString('latin1'))
})
