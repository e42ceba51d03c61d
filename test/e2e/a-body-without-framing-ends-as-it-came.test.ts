import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

test('with its connection, if that ends well', async () => {
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nno length ')
    await client.untilContent('no length')
    await connection.write('here')
    void connection.fin()
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  const response = await client.response()
  assert.equal(response.text, 'no length here')
  assert.equal(response.state, 'complete')
  assert.deepEqual(
    response.lines.filter((line) => line !== 'Connection: close'),
    ['X-A: 1'],
    'no framing is added',
  )
  assert.equal(response.value('connection'), 'close')
  assert.equal(await client.ended(), 'fin')
  const record = await gateway.waitForRecord()
  assert.equal(record.outcome, 'complete')
  assert.equal(record.response_bytes, 14)
})

test('with a reset, if that breaks off', async () => {
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\n\r\nno length ')
    await client.untilContent('no length')
    connection.reset()
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  assert.equal((await client.response()).state, 'truncated')
  assert.equal(await client.ended(), 'rst')
  const record = await gateway.waitForRecord()
  assert.equal(record.outcome, 'upstream_abort')
})
