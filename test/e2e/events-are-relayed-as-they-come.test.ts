import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, postChunked, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

test('the client has every event before the next one is sent', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/stream'))
  const { connection } = await origin.request()
  await connection.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
  await client.responseHead()
  for (let i = 0; i < 12; i++) {
    await connection.write(chunk(`data: ${i}\n\n`))
    await client.untilContent(`data: ${i}\n`)
  }
  await connection.write('0\r\n\r\n')
  assert.equal((await client.response()).state, 'complete')
})

test('a part of a chunk is relayed before the rest of it comes', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/stream'))
  const { connection } = await origin.request()
  await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf')
  await client.untilContent('half')
  await connection.write('time\r\n0\r\n\r\n')
  assert.equal((await client.response()).text, 'halftime')
})

test('the upstream has every part of an upload before the next one is sent', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  await client.write(postChunked('/up/upload'))
  const request = await origin.request()
  for (let i = 0; i < 5; i++) {
    await client.write(chunk(`part ${i}`))
    await request.until(() => request.text.endsWith(`part ${i}`), `part ${i}`)
  }
  await client.write('0\r\n\r\n')
  assert.equal((await request.ended()).state, 'complete')
})
