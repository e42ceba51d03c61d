import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { exchange } from '../support/raw-client.ts'

test('a key opens nothing, so it is refused like a wrong one', async () => {
  await using gateway = await startGateway({})
  const right = await exchange(gateway.port, get('/x'))
  const wrong = await exchange(gateway.port, 'GET /x HTTP/1.1\r\nHost: a\r\nx-api-key: wrong\r\n\r\n')
  assert.equal(right.status, 401)
  assert.equal(right.head + right.text, wrong.head + wrong.text)
})

test('an anonymous gateway says that it has none', async () => {
  await using gateway = await startGateway({ server: { allow_anonymous: true } })
  const response = await exchange(gateway.port, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal(`${response.status} ${response.value('x-fluxgate-error')}`, '503 fluxgate_no_upstream')
})
