import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openBlackHole } from '../support/black-hole.ts'
import { get, ok, postChunked, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import type { Message } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const TIMEOUT_MS = 300
/** No clock that was not set ends within this; a machine that is busy makes the one that was set late. */
const LATE_MS = TIMEOUT_MS + 3_000
/** Of a clock that must not run out: what restarts it comes five times as often. */
const PATIENCE_MS = 1_500

async function assertTimedOut(
  gateway: RunningGateway,
  ask: () => Promise<Message>,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const startedAt = performance.now()
  const response = await ask()
  const elapsed = performance.now() - startedAt
  assert.equal(response.status, 504)
  assert.ok(elapsed >= timeoutMs - 20 && elapsed < LATE_MS, `${elapsed} ms`)
  const record = await gateway.waitForRecord()
  assert.equal(record.outcome, 'timeout')
  assert.equal(record.status, 504)
}

test('connect_timeout_ms to be reached', async () => {
  using hole = await openBlackHole()
  await using gateway = await startGateway({
    upstreams: {
      connect_timeout_ms: TIMEOUT_MS,
      up: { request_path: '/up', target_url: `http://127.0.0.1:${hole.port}`, api_key: PROVIDER_KEY },
    },
  })
  await assertTimedOut(gateway, () => exchange(gateway.port, get('/up/x')))
})

test('connect_timeout_ms for the TLS handshake too', async () => {
  await using origin = await startOrigin(() => {}, { paused: true })
  await using gateway = await startGateway({
    upstreams: {
      connect_timeout_ms: TIMEOUT_MS,
      up: { request_path: '/up', target_url: `https://127.0.0.1:${origin.port}`, api_key: PROVIDER_KEY },
    },
  })
  await assertTimedOut(gateway, () => exchange(gateway.port, get('/up/x')))
})

test('response_timeout_ms from the last byte of the request, interim responses notwithstanding', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin, { response_timeout_ms: PATIENCE_MS }))
  using client = await connect(gateway.port)
  await client.write(postChunked('/up/x'))
  const request = await origin.request()
  for (let i = 0; i < 6; i++) {
    await client.until(() => client.ending, '', PATIENCE_MS / 5).catch(() => {})
    await client.write('1\r\nx\r\n')
    await request.connection.write('HTTP/1.1 102 Processing\r\n\r\n')
  }
  assert.equal(client.ending, undefined)
  await assertTimedOut(
    gateway,
    async () => {
      void client.write('0\r\n\r\n')
      return await client.response()
    },
    PATIENCE_MS,
  )
  await request.connection.ended()
})

test('idle_timeout_ms to take an upload', async () => {
  await using origin = await startOrigin((request) => request.connection.pause())
  await using gateway = await startGateway(upTo(origin, { idle_timeout_ms: TIMEOUT_MS }))
  using client = await connect(gateway.port)
  const content = Buffer.alloc(32 * 1024 * 1024, 'x')
  void client.write(
    `POST /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: ${content.length}\r\n\r\n`,
  )
  void client.write(content)
  const response = await client.response()
  assert.equal(response.status, 504)
  const record = await gateway.waitForRecord()
  assert.equal(record.outcome, 'timeout')
})

test('idle_timeout_ms for a stream that stands still', async () => {
  await using origin = await startOrigin(({ connection }) => {
    void connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
  })
  await using gateway = await startGateway(upTo(origin, { idle_timeout_ms: TIMEOUT_MS }))
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  const startedAt = performance.now()
  const response = await client.response()
  const elapsed = performance.now() - startedAt
  assert.equal(`${response.status} ${response.text} ${response.state}`, '200 hello truncated')
  assert.ok(elapsed >= TIMEOUT_MS - 20 && elapsed < LATE_MS, `${elapsed} ms`)
  const record = await gateway.waitForRecord()
  assert.equal(record.outcome, 'timeout')
  assert.equal(record.status, 200)
  await (await origin.connection()).ended()
})

test('but a stream may go on and on', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(
    upTo(origin, { idle_timeout_ms: PATIENCE_MS, response_timeout_ms: PATIENCE_MS }),
  )
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  const { connection } = await origin.request()
  await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n')
  for (const letter of 'sloooow!') {
    await client.until(() => client.ending, '', PATIENCE_MS / 5).catch(() => {})
    await connection.write(letter)
  }
  assert.equal((await client.response()).text, 'sloooow!')
})

test('request_timeout_ms for the whole exchange: 504 before the head', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin, { request_timeout_ms: TIMEOUT_MS }))
  await assertTimedOut(gateway, () => exchange(gateway.port, get('/up/x')))
})

test('request_timeout_ms for the whole exchange: cut after the head, busy or not', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin, { request_timeout_ms: TIMEOUT_MS }))
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  const startedAt = performance.now()
  const { connection } = await origin.request()
  await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n')
  while (client.ending === undefined) {
    await connection.write('x')
    await client.until(() => client.ending, '', 20).catch(() => {})
  }
  const elapsed = performance.now() - startedAt
  assert.ok(elapsed >= TIMEOUT_MS - 20 && elapsed < LATE_MS, `${elapsed} ms`)
  assert.equal((await client.response()).state, 'truncated')
  assert.equal((await gateway.waitForRecord()).outcome, 'timeout')
  await connection.ended()
})

test('each upstream its own, where it has them', async () => {
  await using origin = await startOrigin(() => {})
  const to = (request_path: string, more: object = {}) => ({
    request_path,
    target_url: origin.url,
    api_key: PROVIDER_KEY,
    ...more,
  })
  await using gateway = await startGateway({
    upstreams: {
      response_timeout_ms: TIMEOUT_MS,
      hasty: to('/hasty'),
      patient: to('/', { response_timeout_ms: 60_000 }),
    },
  })
  const patient = exchange(gateway.port, get('/patient'))
  const request = await origin.request()
  await assertTimedOut(gateway, () => exchange(gateway.port, get('/hasty/x')))
  await request.connection.write(ok('at last'))
  assert.equal((await patient).text, 'at last')
})
