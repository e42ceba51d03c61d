import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const TIMEOUT_MS = 300

test('head_timeout_ms, from its first byte to its last, however busy it is', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { head_timeout_ms: TIMEOUT_MS }, ...upTo(origin) })
  using client = await connect(gateway.port)
  const startedAt = performance.now()
  await client.write('GET /up/x HTTP/1.1\r\nHost: a\r\nX: ')
  while (client.responses.length === 0 && performance.now() - startedAt < 20 * TIMEOUT_MS) {
    await client.write('x')
    await client.until(() => client.responses[0], 'an answer', 20).catch(() => {})
  }
  const response = await client.response()
  const elapsed = performance.now() - startedAt
  assert.equal(response.status, 408)
  assert.equal(response.value('connection'), 'close')
  assert.ok(elapsed >= TIMEOUT_MS - 20 && elapsed < TIMEOUT_MS + 3_000, `${elapsed} ms`)
  assert.equal(await client.ended(), 'fin')
  const record = await gateway.waitForRecord()
  assert.equal(record.status, 408)
  assert.equal(record.outcome, 'timeout')
})

test('on a connection that has been used before as well', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { head_timeout_ms: TIMEOUT_MS }, ...upTo(origin) })
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  assert.equal((await client.response()).status, 200)
  void client.write('GET /up/x HTTP/1.1\r\n')
  assert.equal((await client.response(1)).status, 408)
  assert.equal(await client.ended(), 'fin')
})

test('but it does not run while the request before is being answered', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server: { head_timeout_ms: TIMEOUT_MS }, ...upTo(origin) })
  using client = await connect(gateway.port)
  const [first, rest] = [get('/up/1'), get('/up/2')]
  void client.write(first + rest.slice(0, 10))
  const { connection } = await origin.request()
  await client.until(() => client.ending, '', 2 * TIMEOUT_MS).catch(() => {})
  assert.equal(client.ending, undefined)
  await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  await client.response(0)
  void client.write(rest.slice(10))
  assert.equal((await origin.request(1)).target, '/2')
})
