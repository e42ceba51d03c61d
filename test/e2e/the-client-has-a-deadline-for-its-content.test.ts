import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ok, postChunked, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'

const TIMEOUT_MS = 300
/** Of a clock that must not run out: what restarts it comes five times as often. */
const PATIENCE_MS = 1_500
const server = { body_timeout_ms: TIMEOUT_MS }
const head = (length: number, ...lines: string[]): string =>
  [
    'POST /up/x HTTP/1.1',
    'Host: a',
    `Authorization: Bearer ${CLIENT_KEY}`,
    ...lines,
    `Content-Length: ${length}`,
    '',
    '',
  ].join('\r\n')

/** The client stays silent; resolves early if the gateway ends that. */
const silence = (client: RawClient, ms: number): Promise<unknown> =>
  client.until(() => client.ending, 'the end', ms).catch(() => {})

for (const [framing, start] of [
  ['a length', `${head(10)}hello`],
  ['chunks', `${postChunked('/up/x')}5\r\nhel`],
] as const) {
  test(`body_timeout_ms of silence in content with ${framing}`, async () => {
    await using origin = await startOrigin(() => {})
    await using gateway = await startGateway({ server, ...upTo(origin) })
    using client = await connect(gateway.port)
    const startedAt = performance.now()
    void client.write(start)
    const response = await client.response()
    const elapsed = performance.now() - startedAt
    assert.equal(response.status, 408)
    assert.equal(response.value('connection'), 'close')
    assert.ok(elapsed >= TIMEOUT_MS - 20 && elapsed < TIMEOUT_MS + 3_000, `${elapsed} ms`)
    assert.equal(await client.ended(), 'fin')
    const request = await origin.request()
    await request.connection.ended()
    assert.equal(request.message.state, 'truncated', 'the upstream sees that it is not whole')
    assert.equal((await gateway.waitForRecord()).outcome, 'timeout')
  })
}

test('but not while content keeps coming', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { body_timeout_ms: PATIENCE_MS }, ...upTo(origin) })
  using client = await connect(gateway.port)
  await client.write(head(6))
  for (const letter of 'abcdef') {
    await silence(client, PATIENCE_MS / 5)
    await client.write(letter)
  }
  assert.equal((await client.response()).text, 'ok')
})

test('nor while the client waits for a 100', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server, ...upTo(origin) })
  using client = await connect(gateway.port)
  await client.write(head(5, 'Expect: 100-continue'))
  const request = await origin.request()
  await silence(client, 2 * TIMEOUT_MS)
  assert.equal(client.ending, undefined)
  await request.connection.write('HTTP/1.1 100 Continue\r\n\r\n')
  await client.until(() => client.heads[0], 'the 100')
  await client.write('hello')
  await request.ended()
  await request.connection.write(ok('done'))
  assert.equal((await client.response()).text, 'done')
})

test('nor once a response has begun', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server, ...upTo(origin) })
  using client = await connect(gateway.port)
  await client.write(`${head(10)}hello`)
  const request = await origin.request()
  await request.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nea')
  await client.untilContent('ea')
  await silence(client, 2 * TIMEOUT_MS)
  await client.write('again')
  assert.equal((await request.ended()).text, 'helloagain')
  await request.connection.write('rly')
  assert.equal((await client.response()).text, 'earl')
})

test('nor once a response is whole', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server, ...upTo(origin) })
  using client = await connect(gateway.port)
  await client.write(`${head(10)}hello`)
  const request = await origin.request()
  await request.connection.write(ok('early'))
  assert.equal((await client.response()).text, 'early')
  await silence(client, 2 * TIMEOUT_MS)
  await client.write('again')
  assert.equal((await request.ended()).text, 'helloagain')
  assert.equal((await gateway.waitForRecord()).outcome, 'complete')
})

test('nor while it is the upstream that does not read', async () => {
  await using origin = await startOrigin((request) => request.connection.pause())
  await using gateway = await startGateway({ server, ...upTo(origin) })
  using client = await connect(gateway.port)
  const content = Buffer.alloc(32 * 1024 * 1024, 'x')
  void client.write(head(content.length))
  const isTaken = client.write(content)
  const request = await origin.request()
  await silence(client, 3 * TIMEOUT_MS)
  assert.equal(client.ending, undefined)
  request.connection.resume()
  assert.equal(await isTaken, true)
  assert.equal((await request.ended()).state, 'complete')
})
