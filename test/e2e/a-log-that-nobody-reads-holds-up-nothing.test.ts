import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { residentBytes } from '../support/memory.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'

const MEBIBYTE = 1024 * 1024

/** Requests one after the other on one connection, each with a record of some length. */
async function send(client: RawClient, count: number, targetBytes: number): Promise<void> {
  const first = client.responses.length
  for (let i = 0; i < count; i++) {
    void client.write(get(`/up/${first + i}/${'x'.repeat(targetBytes)}`))
    assert.equal((await client.response(first + i)).status, 200)
  }
}

test('records wait, and come in their order', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  gateway.pauseLog()
  await send(client, 200, 10_000)
  gateway.resumeLog()
  await gateway.until(() => gateway.records()[199], 'the last record')
  const numbers = gateway.records().map((record) => Number(record.request_url.split('/')[2]))
  assert.deepEqual(
    numbers,
    Array.from({ length: 200 }, (_, i) => i),
  )
  assert.ok(!gateway.log().includes('Log records dropped'))
})

test('past 8 MiB they are dropped, counted and reported', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port, { keepBytes: 0 })
  await send(client, 100, 0)
  const before = process.platform === 'linux' ? residentBytes(gateway.pid) : 0
  gateway.pauseLog()
  await send(client, 500, 20_000)
  if (before > 0) assert.ok(residentBytes(gateway.pid) - before < 48 * MEBIBYTE, 'memory is bounded')
  gateway.resumeLog()
  await gateway.waitForLog('Log records dropped')
  const line = gateway
    .log()
    .split('\n')
    .find((each) => each.includes('Log records dropped'))
  const { level, count } = JSON.parse(line ?? '')
  assert.equal(level, 'WARN')
  await send(client, 1, 0)
  await gateway.until(
    () => gateway.records().length + count === 601 || undefined,
    'every record, or its place in the count',
  )
})

test('nor does one that is closed', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  gateway.closeLog()
  await send(client, 200, 1000)
  assert.equal(gateway.exit, undefined)
})
