import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { assertWhole, temporaryFolder } from '../support/ledger-rows.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

test('the last client leaves in the middle of its answer: the stop waits for the record, and for its row', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'ledger.db')
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{')
  })
  await using gateway = await startGateway({
    ledger: { url: `sqlite:${file}` },
    upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY } },
  })
  using client = await connect(gateway.port)
  void client.write(
    `POST /up/x HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: 0\r\n\r\n`,
  )
  await client.until(() => client.received.endsWith('{'), 'the beginning of the answer')
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Waiting for connections before shutdown')
  client.socket.resetAndDestroy()
  await gateway.exited
  assert.deepEqual(
    gateway.records().map(({ outcome }) => outcome),
    ['client_abort'],
  )
  assert.equal(assertWhole(file), 1)
})
