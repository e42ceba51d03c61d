import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

test('each one at once, before the final response', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  const { connection } = await origin.request()
  for (const [i, status] of ['102 Processing', '103 Early Hints', '199 Odd'].entries()) {
    await connection.write(`HTTP/1.1 ${status}\r\nX-N: ${i}\r\n\r\n`)
    await client.until(() => client.heads[i], `${status}`)
  }
  await connection.write(ok('final'))
  const response = await client.response()
  assert.deepEqual(
    response.interim.map((head) => head.head),
    [
      'HTTP/1.1 102 Processing\r\nX-N: 0\r\n\r\n',
      'HTTP/1.1 103 Early Hints\r\nX-N: 1\r\n\r\n',
      'HTTP/1.1 199 Odd\r\nX-N: 2\r\n\r\n',
    ],
  )
  assert.equal((await gateway.waitForRecord()).status, 200)
})

test('32 of them, but not one more', async () => {
  const flood = (n: number): string => 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(n) + ok('final')
  await using origin = await startOrigin(flood(32))
  await using gateway = await startGateway(upTo(origin))
  const response = await exchange(gateway.port, get('/up/x'))
  assert.equal(response.interim.length, 32)
  assert.equal(response.text, 'final')
  origin.answer = flood(33)
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 502)
})

test('but a switch of protocols that nobody asked for is not', async () => {
  await using origin = await startOrigin(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\nraw',
  )
  await using gateway = await startGateway(upTo(origin))
  const response = await exchange(gateway.port, get('/up/x'))
  assert.equal(response.status, 502)
  assert.equal(response.interim.length, 0)
})
