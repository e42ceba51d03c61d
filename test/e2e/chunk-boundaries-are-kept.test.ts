import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, postChunked, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const chunk = (size: number, extension = ''): string => `${size.toString(16)}${extension}\r\n${'x'.repeat(size)}\r\n`
const sizes = [1, 16, 70_000, 3, 65_536, 200_000, 1]
const whole = `${sizes.map((size) => chunk(size)).join('')}0\r\n\r\n`
const extended = `${sizes.map((size) => chunk(size, ' ; a="b\\"c";d')).join('')}0;last\r\n\r\n`

test('in requests, and extensions are dropped', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  for (const [i, body] of [whole, extended].entries()) {
    await exchange(gateway.port, postChunked('/up/x') + body)
    const { message } = await origin.request(i)
    assert.deepEqual(message.chunks, sizes)
    assert.ok(message.rawBody.equals(Buffer.from(whole)))
  }
})

test('in responses, and extensions are dropped', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  for (const body of [whole, extended]) {
    origin.answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`
    const response = await exchange(gateway.port, get('/up/x'))
    assert.deepEqual(response.chunks, sizes)
    assert.ok(response.rawBody.equals(Buffer.from(whole)))
  }
})

test('extensions have bounds: 4 KiB a line, 16 KiB a body', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  const send = async (body: string): Promise<number> =>
    (await exchange(gateway.port, postChunked('/up/x') + body)).status
  const extension = (bytes: number): string => `;${'e'.repeat(bytes - 1)}`
  assert.equal(await send(`${chunk(1, extension(4000))}0\r\n\r\n`), 200)
  assert.equal(await send(`${chunk(1, extension(4200))}0\r\n\r\n`), 400)
  assert.equal(await send(`${chunk(1, extension(4000)).repeat(4)}0\r\n\r\n`), 200)
  assert.equal(await send(`${chunk(1, extension(4000)).repeat(5)}0\r\n\r\n`), 400)

  origin.answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(5)}${chunk(1, extension(4200))}0\r\n\r\n`
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  const response = await client.response()
  assert.ok(response.status === 502 || response.state === 'truncated')
})
