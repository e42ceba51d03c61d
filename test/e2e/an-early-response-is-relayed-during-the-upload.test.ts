import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const uploadHead = (length: number): string =>
  `POST /up/upload HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: ${length}\r\n\r\n`

test('the response comes at once, and the upload goes on', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  await client.write(`${uploadHead(10)}first`)
  const request = await origin.request()
  await request.connection.write(ok('early'))
  assert.equal((await client.response()).text, 'early')
  assert.equal(request.message.state, 'open')
  await client.write('after')
  assert.equal((await request.ended()).text, 'firstafter')
  const record = await gateway.waitForRecord()
  assert.equal(record.outcome, 'complete')
  assert.equal(record.request_bytes, 10)
  void client.write(get('/up/next'))
  const next = await origin.request(1)
  await next.connection.write(ok('next'))
  assert.equal((await client.response(1)).text, 'next')
})

test('both directions flow at the same time', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  await client.write(uploadHead(4))
  const request = await origin.request()
  await request.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n')
  for (const [i, letter] of [...'abcd'].entries()) {
    await client.write(letter)
    await request.until(() => request.message.bodyBytes === i + 1, letter)
    await request.connection.write(letter.toUpperCase())
    await client.untilContent(letter.toUpperCase())
  }
  assert.equal((await client.response()).text, 'ABCD')
})

test('a client that is busy uploading gets to read the answer of an upstream that has closed', async () => {
  const answer = 'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 7\r\n\r\ntoo big'
  await using origin = await startOrigin(async (request) => {
    request.connection.pause()
    await request.connection.write(answer)
    void request.connection.fin()
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  await client.write(uploadHead(32 * 1024 * 1024))
  void client.write(Buffer.alloc(32 * 1024 * 1024, 'x'))
  const response = await client.response()
  assert.equal(`${response.status} ${response.text}`, '413 too big')
  assert.equal(response.value('connection'), 'close', 'the rest of the upload has nowhere to go')
  assert.equal(await client.ended(), 'fin')
  assert.equal((await gateway.waitForRecord()).status, 413)
})

test('a response that was complete before its upstream reset the upload is delivered', async () => {
  await using origin = await startOrigin(async (request) => {
    await request.connection.write(ok('done'))
    await client.untilContent('done')
    request.connection.reset()
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  await client.write(`${uploadHead(1_000_000)}part`)
  assert.equal((await client.response()).text, 'done')
  assert.equal(await client.ended(), 'fin')
})

for (const [what, piece] of [
  ['takes no more', 8 * 1024 * 1024],
  ['has not been sent all', 10],
] as const) {
  test(`nobody else gets a connection whose upstream has answered early and ${what}`, async () => {
    await using origin = await startOrigin(async ({ method, connection }) => {
      if (method === 'POST') connection.pause()
      await connection.write(ok('early'))
    })
    await using gateway = await startGateway(upTo(origin))
    using client = await connect(gateway.port)
    await client.write(uploadHead(piece))
    assert.equal((await client.response()).text, 'early')
    const sent = client.write(Buffer.alloc(piece, 'x'))
    const [first] = origin.requests
    if (piece > 1_000_000) {
      using other = await connect(gateway.port)
      void other.write(get('/up/other'))
      assert.equal((await other.response()).text, 'early')
      assert.notEqual(origin.requests[1]!.connection, first!.connection)
      // What was to be uploaded goes on being uploaded.
      first!.connection.resume()
      assert.equal((await first!.ended()).contentBytes, piece)
    }
    await sent
    assert.equal((await gateway.waitForRecord((record) => record.method === 'POST')).request_bytes, piece)
    using next = await connect(gateway.port)
    void next.write(get('/up/next'))
    assert.equal((await next.response()).text, 'early')
    assert.notEqual(origin.requests.at(-1)!.connection, first!.connection)
  })
}
