import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { get, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

test('also to a client that has sent its next request before it has read the answer', async () => {
  const body = Buffer.alloc(1_500_000, 'x')
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  // Keeps the gateway running.
  using other = await connect(gateway.port)
  void other.write(get('/up/other'))
  const running = await origin.request(0)
  using client = await connect(gateway.port, { paused: true })
  void client.write(get('/up/x'))
  const { connection } = await origin.request(1)
  // The head leaves before the stop, and says nothing of it.
  await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body.subarray(0, 10)}`)
  await client.write('')
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Shutdown signal received')
  await connection.write(body.subarray(10))
  const record = await gateway.waitForRecord(({ request_url }) => request_url === '/up/x')
  assert.equal(record.outcome, 'complete')
  await client.write(get('/up/next'))
  client.resume()
  const response = await client.response()
  assert.equal(response.state, 'complete', `${response.contentBytes} of ${body.length}`)
  await running.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  await other.response()
  assert.equal((await gateway.exited).code, 0)
})

test('also where it is the last exchange of all, and then waits for nobody', async () => {
  const body = Buffer.alloc(1_500_000, 'x')
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port, { paused: true })
  void client.write(get('/up/x'))
  const { connection } = await origin.request()
  await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body.subarray(0, 10)}`)
  await client.write('')
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Shutdown signal received')
  await connection.write(body.subarray(10))
  await gateway.waitForRecord(({ request_url, outcome }) => request_url === '/up/x' && outcome === 'complete')
  // A process that had ended by now would answer what comes next with a reset.
  await Promise.race([gateway.exited, sleep(100)])
  await client.write(get('/up/next'))
  client.resume()
  const response = await client.response()
  assert.equal(response.state, 'complete', `${response.contentBytes} of ${body.length}`)
  assert.equal((await gateway.exited).code, 0)
})

test('a client that does not end its side holds up a stop for a moment only, and changes nothing of its end', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server: { shutdown_timeout_ms: 300 }, ...upTo(origin) })
  using client = await connect(gateway.port, { paused: true })
  void client.write(get('/up/x'))
  const { connection } = await origin.request()
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Shutdown signal received')
  await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  assert.equal((await gateway.exited).code, 0, 'nothing was cut')
})
