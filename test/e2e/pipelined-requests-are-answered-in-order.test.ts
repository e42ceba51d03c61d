import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, post, postChunked, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

test('requests that come in one packet are answered one after the other', async () => {
  await using origin = await startOrigin(async (request) => {
    await request.ended()
    await request.connection.write(ok(`${request.method} ${request.target} ${request.text}`))
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  const chunked = `${postChunked('/up/3')}5\r\nthree\r\n0\r\n\r\n`
  void client.write(get('/up/1') + post('/up/2', 'two') + chunked + get('/nowhere') + get('/up/5'))
  const last = await client.response(4)
  assert.equal(last.text, 'GET /5 ')
  const answers = client.responses.map((response) => (response.status === 200 ? response.text : response.status))
  assert.deepEqual(answers, ['GET /1 ', 'POST /2 two', 'POST /3 three', 404, 'GET /5 '])
  assert.equal(client.fault, undefined)
})

test('a request waits until the one before it has been answered', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/1') + get('/up/2'))
  const first = await origin.request(0)
  await first.connection.write(ok('one'))
  const second = await origin.request(1)
  assert.equal((await client.response(0)).text, 'one')
  await second.connection.write(ok('two'))
  assert.equal((await client.response(1)).text, 'two')
})

test('nothing that follows a request with Connection: close is looked at', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/1', 'Connection: close') + get('/up/2'))
  const response = await client.response()
  assert.equal(response.value('connection'), 'close')
  await client.ended()
  assert.equal(client.responses.length, 1)
  assert.deepEqual(
    origin.requests.map((request) => request.target),
    ['/1'],
  )
})
