import assert from 'node:assert/strict'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { within } from '../support/deadline.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: what runs goes on, what is idle closes, what is new is refused`, async () => {
    await using origin = await startOrigin(() => {})
    await using gateway = await startGateway(upTo(origin))
    const { port } = gateway
    using idle = await connect(port)
    using waiting = await connect(port)
    using streaming = await connect(port)
    using uploading = await connect(port)
    void waiting.write(get('/up/waiting'))
    const first = await origin.request(0)
    void streaming.write(get('/up/streaming'))
    const second = await origin.request(1)
    await second.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
    await streaming.untilContent('half')
    await uploading.write(
      `POST /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: 10\r\n\r\nhello`,
    )
    const third = await origin.request(2)

    gateway.signal(signal)
    await gateway.waitForLog(`Shutdown signal received (${signal}); shutting down proxy`)
    await gateway.waitForLog('"Waiting for connections before shutdown","connections":3')
    assert.equal(await idle.ended(), 'fin')
    assert.equal(idle.receivedBytes, 0)
    await assert.rejects(connect(port), { code: 'ECONNREFUSED' })

    await first.connection.write(ok('first'))
    const response = await waiting.response()
    assert.equal(response.text, 'first')
    assert.equal(response.value('connection'), 'close')
    assert.equal(await waiting.ended(), 'fin')
    await uploading.write('world')
    await third.ended()
    assert.equal(third.text, 'helloworld')
    await third.connection.write(ok('third'))
    assert.equal((await uploading.response()).text, 'third')
    assert.equal(gateway.exit, undefined, 'it waits for the last one')
    await second.connection.write('time')
    assert.equal((await streaming.response()).text, 'halftime')
    assert.equal(await streaming.ended(), 'fin')

    assert.deepEqual(await gateway.exited, { code: 0, signal: null })
    assert.deepEqual(
      gateway.records().map((record) => record.outcome),
      ['complete', 'complete', 'complete'],
    )
    assert.match(gateway.log().trimEnd().split('\n').at(-1) ?? '', /Proxy server shutdown complete/)
  })
}

test('an idle gateway stops at once', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  await client.response()
  const askedAt = performance.now()
  gateway.signal('SIGTERM')
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
  assert.doesNotMatch(gateway.log(), /Waiting for connections/)
  assert.ok(performance.now() - askedAt < 5_000, 'neither idle clients nor idle upstream connections hold it up')
})

test('a second signal ends it in the middle', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  await origin.request()
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Shutdown signal received')
  gateway.signal('SIGINT')
  const { code, signal } = await gateway.exited
  assert.ok(code !== 0 || signal !== null)
  await client.ended()
})

test('a second signal leaves the record of every exchange that it cuts', async () => {
  await using origin = await startOrigin(({ connection }) => {
    void connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
  })
  await using gateway = await startGateway(upTo(origin))
  using first = await connect(gateway.port)
  using second = await connect(gateway.port)
  void first.write(get('/up/1'))
  void second.write(get('/up/2'))
  await first.untilContent('half')
  await second.untilContent('half')
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Shutdown signal received')
  assert.equal(gateway.records().length, 0)
  gateway.signal('SIGTERM')
  assert.deepEqual(await within(gateway.exited, 'the exit'), { code: 143, signal: null })
  assert.match(gateway.log(), /exiting at once","connections":2\}/)
  assert.deepEqual(
    gateway
      .records()
      .map((record) => [record.request_url, record.status, record.response_bytes])
      .sort(),
    [
      ['/up/1', 200, 4],
      ['/up/2', 200, 4],
    ],
  )
  for (const client of [first, second]) assert.equal((await client.response()).state, 'truncated')
  assert.doesNotMatch(gateway.log(), /shutdown complete/)
})

/** Its standard output is a FIFO which nobody reads, and which never breaks. */
const withoutReader = ['sh', '-c', 'mkfifo out && exec "$@" 3<>out >out', 'sh']

test('nor does a log that nobody reads hold up a second signal', {
  skip: process.platform === 'win32' ? 'there are no FIFOs' : false,
}, async (t) => {
  await using origin = await startOrigin(({ target, connection }) => {
    if (target !== '/stream') void connection.write(OK)
  })
  await using gateway = await startGateway(upTo(origin), { under: withoutReader, wait: false })
  let log = ''
  const out = await t.waitFor(
    () => openSync(join(gateway.directory, 'out'), constants.O_RDONLY | constants.O_NONBLOCK),
    { timeout: 10_000 },
  )
  t.after(() => closeSync(out))
  const port = await t.waitFor(
    () => {
      const piece = Buffer.alloc(1024)
      log += piece.toString('latin1', 0, readSync(out, piece))
      return Number(/listening on 127\.0\.0\.1:(\d+)/.exec(log)![1])
    },
    { timeout: 10_000 },
  )
  using streaming = await connect(port)
  void streaming.write(get('/up/stream'))
  using client = await connect(port)
  // Far more than a FIFO holds.
  for (let i = 0; i < 50; i++) {
    void client.write(get(`/up/${'x'.repeat(10_000)}`))
    assert.equal((await client.response(i)).status, 200)
  }
  process.kill(gateway.pid, 'SIGTERM')
  await t.waitFor(() => assert.rejects(connect(port), { code: 'ECONNREFUSED' }), { timeout: 10_000 })
  process.kill(gateway.pid, 'SIGTERM')
  assert.deepEqual(await within(gateway.exited, 'the exit'), { code: 143, signal: null })
})

test('shutdown_timeout_ms cuts what still runs, and the exit says so', async () => {
  await using origin = await startOrigin(({ connection }) => {
    void connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
  })
  await using gateway = await startGateway({ server: { shutdown_timeout_ms: 300 }, ...upTo(origin) })
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  await client.untilContent('half')
  const askedAt = performance.now()
  gateway.signal('SIGTERM')
  assert.equal((await client.response()).state, 'truncated')
  assert.deepEqual(await gateway.exited, { code: 1, signal: null })
  const elapsed = performance.now() - askedAt
  assert.ok(elapsed >= 280 && elapsed < 5_000, `${elapsed} ms`)
  assert.equal(gateway.records().length, 1, 'it leaves its record')
  assert.match(gateway.log(), /before shutdown","connections":1,"waited_ms":\d+,"limit_ms":300\}/)
  assert.match(gateway.log(), /cut at the end of the shutdown timeout","connections":1\}/)
})

test('other signals change nothing', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGPIPE'] as const) gateway.signal(signal)
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  assert.equal((await client.response()).status, 200)
  assert.ok(!/debugger|inspector/i.test(gateway.log()))
})
