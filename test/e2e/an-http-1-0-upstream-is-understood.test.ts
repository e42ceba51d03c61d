import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

test('its start line says HTTP/1.1 to the client, all else is as it came', async () => {
  await using origin = await startOrigin('HTTP/1.0 200 Fine\r\nContent-Length: 3\r\nServer: old\r\n\r\nold')
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/1'))
  await client.response()
  assert.equal(client.received, 'HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nServer: old\r\n\r\nold')
  void client.write(get('/up/2'))
  assert.equal((await client.response(1)).text, 'old')
  assert.equal(origin.connections.length, 2, 'an HTTP/1.0 connection is not used again')
})

test('its body that ends with the connection does so for the client', async () => {
  await using origin = await startOrigin(({ connection }) => {
    void connection.write('HTTP/1.0 200 OK\r\n\r\nto the end')
    void connection.fin()
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  const response = await client.response()
  assert.equal(response.head, 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n')
  assert.equal(`${response.text} ${response.state}`, 'to the end complete')
})

test('chunks in it are nonsense', async () => {
  await using origin = await startOrigin('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
  await using gateway = await startGateway(upTo(origin))
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 502)
})
