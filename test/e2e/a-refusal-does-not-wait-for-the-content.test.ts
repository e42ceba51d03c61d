import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const stranger = (...lines: string[]): string =>
  ['POST /up/x HTTP/1.1', 'Host: a', 'Authorization: Bearer wrong', ...lines, '', ''].join('\r\n')

test('of 64 KiB, which is read and dropped, and the connection kept', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(stranger('Content-Length: 65536'))
  const refusal = await client.response()
  assert.equal(refusal.status, 401)
  assert.deepEqual(refusal.values('connection'), [])
  void client.write('x'.repeat(65_536) + get('/up/next'))
  assert.equal((await client.response(1)).text, 'ok')
  assert.equal(origin.requests.length, 1)
})

test('of which no more than 64 KiB are still to come', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(`${stranger('Content-Length: 5')}hello${stranger('Content-Length: 5')}he`)
  assert.deepEqual((await client.response(1)).values('connection'), [])
  void client.write(`llo${get('/up/next')}`)
  assert.equal((await client.response(2)).text, 'ok')
})

const closing: readonly (readonly [name: string, line: string])[] = [
  ['of more than 64 KiB', 'Content-Length: 65537'],
  ['of unknown length', 'Transfer-Encoding: chunked'],
  ['that may never come', 'Content-Length: 5\r\nExpect: 100-continue'],
]
for (const [name, line] of closing) {
  test(`${name}, and then the connection closes`, async () => {
    await using origin = await startOrigin()
    await using gateway = await startGateway(upTo(origin))
    using client = await connect(gateway.port)
    void client.write(stranger(line))
    const refusal = await client.response()
    assert.equal(refusal.status, 401)
    assert.equal(refusal.value('connection'), 'close')
    assert.equal(await client.ended(), 'fin')
  })
}

test('and a client that is busy uploading 25 MB gets to read it', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  const content = Buffer.alloc(25_000_000, 'x')
  using client = await connect(gateway.port)
  void client.write(stranger(`Content-Length: ${content.length}`))
  const isTaken = client.write(content)
  const refusal = await client.response()
  assert.equal(refusal.status, 401)
  assert.equal(refusal.value('connection'), 'close')
  assert.equal(await client.ended(), 'fin')
  assert.equal(await isTaken, true, 'all that it sends is taken, so that no reset overtakes the answer')
  assert.equal(origin.connections.length, 0)
  assert.equal((await gateway.waitForRecord()).status, 401)
})

for (const [length, framing] of [
  [25_000_000, 'on a connection that closes'],
  [1000, 'on a connection that is kept'],
] as const) {
  test(`and what is still to be dropped ${framing} holds up no stop`, async () => {
    await using origin = await startOrigin()
    await using gateway = await startGateway(upTo(origin))
    using client = await connect(gateway.port)
    void client.write(`${stranger(`Content-Length: ${length}`)}beginning`)
    await client.response()
    const askedAt = performance.now()
    gateway.signal('SIGTERM')
    assert.deepEqual(await gateway.exited, { code: 0, signal: null })
    // Five seconds of silence would end it by themselves.
    assert.ok(performance.now() - askedAt < 4_500)
  })
}
