import assert from 'node:assert/strict'
import { test } from 'node:test'
import { postChunked, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const body = (...trailers: string[]): string => ['2', 'hi', '0', ...trailers, '', ''].join('\r\n')
const response = (...trailers: string[]): string =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body(...trailers)}`

/** Fields that frame, route or authenticate a message must not come after it (RFC 9110 section 6.5.1). */
const harmful = [
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'Host: elsewhere',
  `Authorization: Bearer ${CLIENT_KEY}`,
  `x-api-key: ${CLIENT_KEY}`,
  `x-fluxgate-key: ${CLIENT_KEY}`,
  'Set-Cookie: a=b',
  'Connection: x',
  'Trailer: x',
  'TE: trailers',
]

test('harmless ones of a request, and no others', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  await exchange(gateway.port, postChunked('/up/x') + body('X-A: 1', ...harmful, 'x-b:2'))
  const { message } = await origin.request()
  assert.deepEqual(message.trailers, ['X-A: 1', 'x-b:2'])
  assert.equal(message.rawBody.toString(), body('X-A: 1', 'x-b:2'))
})

test('harmless ones of a response, and no others', async () => {
  await using origin = await startOrigin(response('X-A: 1', ...harmful, 'x-b:2'))
  await using gateway = await startGateway(upTo(origin))
  const { trailers, head } = await exchange(gateway.port, `${postChunked('/up/x')}0\r\n\r\n`)
  assert.deepEqual(trailers, ['X-A: 1', 'x-b:2'])
  assert.equal(head, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'nothing is merged into the head')
})

test('16 KiB of them, but no more', async () => {
  const trailers = (bytes: number): string[] =>
    Array.from({ length: bytes / 1024 }, () => `X: ${'v'.repeat(1024 - 'X: \r\n'.length)}`)
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  const fine = await exchange(gateway.port, postChunked('/up/x') + body(...trailers(15 * 1024)))
  assert.equal(fine.status, 200)
  const refused = await exchange(gateway.port, postChunked('/up/x') + body(...trailers(17 * 1024)))
  assert.equal(refused.status, 400)
  assert.equal(refused.value('connection'), 'close')

  // Cut if the head is out; it is not where head and trailers came in one read.
  origin.answer = response(...trailers(17 * 1024))
  using client = await connect(gateway.port)
  void client.write(`${postChunked('/up/x')}0\r\n\r\n`)
  const broken = await client.response()
  assert.ok(broken.state === 'truncated' || broken.status === 502, broken.state)
})
