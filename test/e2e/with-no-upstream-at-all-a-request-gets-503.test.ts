import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { exchange } from '../support/raw-client.ts'

test('if it is let in', async () => {
  await using gateway = await startGateway({})
  assert.equal((await exchange(gateway.port, get('/x'))).status, 503)
  assert.equal((await exchange(gateway.port, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n')).status, 401)
})
