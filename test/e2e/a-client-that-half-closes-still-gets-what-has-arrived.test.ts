import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

/** More than the kernel holds of one connection (some 2.7 MB), so that a part of it waits in the gateway or before it. */
const LARGE = 4 * 1024 * 1024

for (const framing of ['length', 'chunked'] as const) {
  test(`the tail of a whole answer (${framing}) is delivered, at the client's pace`, async () => {
    const body = Buffer.alloc(LARGE, 'x')
    await using origin = await startOrigin(async ({ connection }) => {
      if (framing === 'length') await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\n\r\n`)
      else await connection.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${LARGE.toString(16)}\r\n`)
      // It has said all that it will say as soon as the kernel has the last of it.
      await connection.write(body)
      if (framing === 'chunked') await connection.write('\r\n0\r\n\r\n')
      said.resolve()
    })
    const said = Promise.withResolvers<void>()
    await using gateway = await startGateway(upTo(origin))
    using client = await connect(gateway.port, { paused: true, keepBytes: 0 })
    await client.write(get('/up/x'))
    await said.promise
    await client.fin()
    // Long after the 100 ms in which an upstream would be cancelled.
    await new Promise((resolve) => setTimeout(resolve, 400))
    client.resume()
    const response = await client.response()
    assert.equal(response.state, 'complete', `${client.receivedBytes} of ${LARGE}`)
    assert.equal(response.contentBytes, LARGE)
    const record = await gateway.waitForRecord()
    assert.equal(record.outcome, 'complete')
    assert.equal(record.response_bytes, LARGE)
  })
}

test('an upstream that is still at work is cancelled, and the answer is visibly short', async () => {
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  await client.write(get('/up/x'))
  await client.untilContent('hello')
  await client.fin()
  await (await origin.connection()).ended()
  assert.equal((await client.response()).state, 'truncated')
  assert.equal((await gateway.waitForRecord()).outcome, 'client_abort')
})
