import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'

const TIMEOUT_MS = 300

async function assertClosedInTime(client: RawClient, since: number): Promise<void> {
  assert.equal(await client.ended(), 'fin')
  const elapsed = performance.now() - since
  assert.ok(elapsed >= TIMEOUT_MS - 20 && elapsed < TIMEOUT_MS + 3_000, `${elapsed} ms`)
}

test('keep_alive_timeout_ms after it came, or after its last response', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { keep_alive_timeout_ms: TIMEOUT_MS }, ...upTo(origin) })
  using fresh = await connect(gateway.port)
  const cameAt = performance.now()
  using used = await connect(gateway.port)
  void used.write(get('/up/x'))
  await used.response()
  await Promise.all([assertClosedInTime(fresh, cameAt), assertClosedInTime(used, performance.now())])
  assert.equal(fresh.receivedBytes, 0, 'nothing is said')
  assert.equal(used.responses.length, 1)
  assert.equal(gateway.records().length, 1)
})

test('but not while it is in use', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server: { keep_alive_timeout_ms: TIMEOUT_MS }, ...upTo(origin) })
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  const { connection } = await origin.request()
  await client.until(() => client.ending, '', 2 * TIMEOUT_MS).catch(() => {})
  await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  assert.equal((await client.response()).status, 200)
})
