import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { get, ok, post, postChunked, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { residentBytes } from '../support/memory.ts'
import { OK, type OriginConnection, startOrigin } from '../support/origin.ts'
import { connect, exchange, type RawClient } from '../support/raw-client.ts'
import { assertAftermath } from './aftermath.ts'

const MEBIBYTE = 1024 * 1024
const TIMEOUT_MS = 300
/** The promise. A try that the machine's other work has held up is outvoted by the others. */
const CANCELLED_MS = 100
const TRIES = 7
const onLinux = process.platform === 'linux' ? false : 'reads /proc'

const uploadHead = (length: number): string =>
  `POST /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: ${length}\r\n\r\n`

const leavings: Readonly<Record<string, (client: RawClient) => void>> = {
  FIN: (client) => void client.fin(),
  reset: (client) => client.reset(),
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

/** Milliseconds from the client's leaving to the moment at which the upstream sees the end of its connection. */
async function leave(client: RawClient, how: keyof typeof leavings, upstream: OriginConnection): Promise<number> {
  const leftAt = performance.now()
  leavings[how]!(client)
  await upstream.ended()
  return upstream.endedAt - leftAt
}

for (const how of Object.keys(leavings)) {
  test(`a ${how} before the head: the upstream exchange is cancelled within 100 ms`, async () => {
    await using origin = await startOrigin(() => {})
    await using gateway = await startGateway(upTo(origin))
    const times: number[] = []
    for (let i = 0; i < TRIES; i++) {
      using client = await connect(gateway.port)
      void client.write(post('/up/x', 'content'))
      const request = await origin.request(i)
      await request.ended()
      times.push(await leave(client, how, request.connection))
    }
    // The least: what else runs on the machine only adds to it.
    assert.ok(Math.min(...times) < CANCELLED_MS, `${times}`)
    await assertAftermath(gateway, ...times.map(() => '- client_abort client_abort'))
    assert.equal(origin.requests.length, TRIES)
  })

  test(`a ${how} in the middle of the stream: the upstream exchange is cancelled within 100 ms`, async () => {
    await using origin = await startOrigin(({ connection }) => {
      void connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
    })
    await using gateway = await startGateway(upTo(origin))
    const times: number[] = []
    for (let i = 0; i < TRIES; i++) {
      using client = await connect(gateway.port)
      void client.write(post('/up/x', 'content'))
      await client.untilContent('hello')
      times.push(await leave(client, how, origin.requests[i]!.connection))
    }
    // The least: what else runs on the machine only adds to it.
    assert.ok(Math.min(...times) < CANCELLED_MS, `${times}`)
    await assertAftermath(gateway, ...times.map(() => '200 client_abort client_abort'))
    assert.deepEqual(
      gateway.records().map((record) => record.response_bytes),
      [...times.map(() => 'hello'.length), 0],
    )
    assert.equal(origin.requests.length, TRIES)
  })

  for (const [framing, start] of [
    ['a length', `${uploadHead(10)}hello`],
    ['chunks', `${postChunked('/up/x')}5\r\nhello\r\n`],
  ] as const) {
    test(`a ${how} in the middle of an upload with ${framing}: the upstream sees within 100 ms that it is not whole`, async () => {
      await using origin = await startOrigin(() => {})
      await using gateway = await startGateway(upTo(origin))
      const times: number[] = []
      for (let i = 0; i < TRIES; i++) {
        using client = await connect(gateway.port)
        void client.write(start)
        const request = await origin.request(i)
        await request.until(() => request.text === 'hello', 'what has been sent')
        times.push(await leave(client, how, request.connection))
        assert.equal(request.message.state, 'truncated')
      }
      // The least: what else runs on the machine only adds to it.
      assert.ok(Math.min(...times) < CANCELLED_MS, `${times}`)
      await assertAftermath(gateway, ...times.map(() => '- client_abort client_abort'))
      assert.equal(origin.requests.length, TRIES)
    })
  }
}

test('an upload that stands still: 408, and the upstream sees that it is not whole', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server: { body_timeout_ms: TIMEOUT_MS }, ...upTo(origin) })
  using client = await connect(gateway.port)
  void client.write(`${uploadHead(10)}hello`)
  const response = await client.response()
  assert.equal(response.status, 408)
  assert.equal(response.value('x-fluxgate-error'), 'fluxgate_body_timeout')
  assert.equal(await client.ended(), 'fin')
  const request = await origin.request()
  await request.connection.ended()
  assert.equal(request.message.state, 'truncated')
  await assertAftermath(gateway, '408 timeout body_timeout')
})

test('a client that reads nothing: its upstream is held back, then both are cut', async () => {
  let written = 0
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
    const piece = Buffer.alloc(MEBIBYTE, 'x')
    while (await connection.write(piece)) written += piece.length
  })
  await using gateway = await startGateway(upTo(origin, { idle_timeout_ms: TIMEOUT_MS }))
  using client = await connect(gateway.port, { paused: true })
  void client.write(post('/up/x', 'content'))
  await (await origin.connection()).ended()
  assert.ok(written < 32 * MEBIBYTE, `${written} bytes were taken for nobody`)
  await assertAftermath(gateway, '200 timeout idle_timeout')
  client.resume()
  assert.equal((await client.response()).state, 'truncated')
  assert.equal(origin.requests.length, 1)
})

test('many clients that read nothing: little is held for each, and all are cut', { skip: onLinux }, async () => {
  const READERS = 60
  await using origin = await startOrigin(async ({ connection, target }) => {
    if (target === '/small') return void (await connection.write(OK))
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
    const piece = Buffer.alloc(65_536, 'x')
    while (await connection.write(piece));
  })
  await using gateway = await startGateway(upTo(origin, { idle_timeout_ms: 2000 }))
  for (let i = 0; i < 50; i++) await exchange(gateway.port, get('/up/small'))
  const before = residentBytes(gateway.pid)
  const clients: RawClient[] = []
  for (let i = 0; i < READERS; i++) {
    const client = await connect(gateway.port, { paused: true })
    clients.push(client)
    void client.write(get('/up/large'))
  }
  await gateway.until(() => gateway.records().length >= 50 + READERS, 'the first are cut', 20_000)
  const growth = residentBytes(gateway.pid) - before
  for (const client of clients) client.reset()
  assert.ok(growth < (READERS * MEBIBYTE) / 4, `${growth / MEBIBYTE} MiB`)
  const ends = Array.from({ length: READERS }, () => '200 timeout idle_timeout')
  await assertAftermath(gateway, ...Array.from({ length: 50 }, () => '200 complete -'), ...ends)
})

const PROBES = 15
const probed = Array.from({ length: 2 * PROBES }, () => '200 complete -')

/** What a request takes on this machine as busy as it is now: 2 ms where nothing else runs. */
async function probe(gateway: RunningGateway): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < PROBES; i++) {
    const startedAt = performance.now()
    assert.equal((await exchange(gateway.port, get('/up/probe'))).status, 200)
    times.push(performance.now() - startedAt)
  }
  return median(times)
}

/** Requests that have nothing to do with an attack are served as if there were none: `before` is what they took then. */
async function assertServed(gateway: RunningGateway, before: number): Promise<void> {
  const now = await probe(gateway)
  assert.ok(now < 100 || now < 20 * before, `${now} ms, before ${before} ms`)
}

const areOpen = (clients: readonly RawClient[]): boolean => clients.some(({ socket }) => !socket.destroyed)

/** Every client sends a byte now and then, for as long as `goesOn`; not longer than the test, should it fail. */
async function drip(clients: readonly RawClient[], byte: string, goesOn: () => boolean): Promise<void> {
  while (goesOn() && areOpen(clients)) {
    for (const client of clients) void client.write(byte)
    await sleep(20)
  }
}

const ATTACKERS = 100

async function attack(gateway: RunningGateway, start: string): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let i = 0; i < ATTACKERS; i++) {
    const client = await connect(gateway.port)
    void client.write(start)
    clients.push(client)
  }
  return clients
}

test('slow heads, a byte at a time: 408 in time for each, and others are served meanwhile', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { head_timeout_ms: 1500 }, ...upTo(origin) })
  const before = await probe(gateway)
  const clients = await attack(gateway, 'GET /up/slow HTTP/1.1\r\nHost: a\r\nX-A: ')
  const dripping = drip(clients, 'x', () => clients.some((client) => client.responses.length === 0))
  await assertServed(gateway, before)
  for (const client of clients) assert.equal((await client.response()).status, 408)
  await dripping
  for (const client of clients) assert.equal(await client.ended(), 'fin')
  const heads = clients.map(() => '408 timeout head_timeout')
  await assertAftermath(gateway, ...heads, ...probed)
  assert.equal(origin.requests.length, 2 * PROBES)
})

test('slow bodies, a byte at a time: others are served meanwhile, and 408 for each that falls silent', async () => {
  await using origin = await startOrigin(async (request) => {
    if (request.target === '/probe') await request.connection.write(OK)
  })
  await using gateway = await startGateway({ server: { body_timeout_ms: 1000 }, ...upTo(origin) })
  const before = await probe(gateway)
  const clients = await attack(gateway, uploadHead(1_000_000))
  let goesOn = true
  const dripping = drip(clients, 'x', () => goesOn)
  await assertServed(gateway, before)
  goesOn = false
  await dripping
  for (const client of clients) assert.equal((await client.response()).status, 408)
  const bodies = clients.map(() => '408 timeout body_timeout')
  await assertAftermath(gateway, ...bodies, ...probed)
  for (const request of origin.requests) {
    if (request.target === '/probe') continue
    await request.connection.ended()
    assert.equal(request.message.state, 'truncated')
  }
})

test('slow readers, a little at a time: others are served meanwhile', async () => {
  await using origin = await startOrigin(async ({ connection, target }) => {
    if (target === '/probe') return void (await connection.write(OK))
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
    const piece = Buffer.alloc(65_536, 'x')
    while (await connection.write(piece));
  })
  await using gateway = await startGateway(upTo(origin))
  const before = await probe(gateway)
  const sockets = await Promise.all(
    Array.from({ length: ATTACKERS }, () => connect(gateway.port, { paused: true, keepBytes: 0 })),
  )
  for (const client of sockets) void client.write(get('/up/slow'))
  await origin.until(() => origin.requests.length === ATTACKERS, 'all of them')
  let goesOn = true
  const reading = (async () => {
    while (goesOn && areOpen(sockets)) {
      for (const { socket } of sockets) socket.read(64)
      await sleep(20)
    }
  })()
  await assertServed(gateway, before)
  goesOn = false
  await reading
  for (const client of sockets) client.reset()
  const slow = sockets.map(() => '200 client_abort client_abort')
  await assertAftermath(gateway, ...slow, ...probed)
})

test('more clients than may be: 503 and a close for those beyond, and room again as soon as one has gone', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({ server: { max_connections: 2 }, ...upTo(origin) })
  using first = await connect(gateway.port)
  using second = await connect(gateway.port)
  void first.write(post('/up/1', 'content'))
  void second.write(post('/up/2', 'content'))
  await origin.request(1)
  using late = await connect(gateway.port)
  void late.write(post('/up/3', 'content'))
  const response = await late.response()
  assert.equal(response.status, 503)
  assert.equal(response.value('x-fluxgate-error'), 'fluxgate_max_connections')
  assert.equal(response.value('retry-after'), '1')
  assert.equal(await late.ended(), 'fin')
  first.reset()
  await gateway.waitForRecord((record) => record.outcome === 'client_abort')
  using next = await connect(gateway.port)
  void next.write(post('/up/4', 'content'))
  await origin.request(2)
  for (const [client, request] of [
    [second, origin.requests[1]],
    [next, origin.requests[2]],
  ] as const) {
    await request?.connection.write(ok('ok'))
    assert.equal((await client.response()).text, 'ok')
  }
  await assertAftermath(
    gateway,
    '503 refused max_connections',
    '- client_abort client_abort',
    '200 complete -',
    '200 complete -',
  )
  assert.deepEqual(
    origin.requests.map((request) => request.target),
    ['/1', '/2', '/4'],
  )
})

/** How many files this process, and so the gateway, may open. */
const maxFiles = Number(spawnSync('sh', ['-c', 'ulimit -Hn']).stdout.toString()) || 1_000_000
const IDLE = Math.min(10_000, Math.floor(maxFiles * 0.8) - 100)

test('ten thousand idle connections: a few KiB each, others are served, and a stop ends them all', {
  skip: onLinux,
}, async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { max_connections: IDLE + 100 }, ...upTo(origin) })
  const alone = await probe(gateway)
  const before = residentBytes(gateway.pid)
  const idle: net.Socket[] = []
  t.after(() => {
    for (const socket of idle) socket.destroy()
  })
  for (let i = 0; i < IDLE; i += 100) {
    const batch = Array.from({ length: 100 }, () => net.connect(gateway.port, '127.0.0.1').resume())
    idle.push(...batch)
    await Promise.all(batch.map((socket) => once(socket, 'connect')))
  }
  await assertServed(gateway, alone)
  const perConnection = (residentBytes(gateway.pid) - before) / idle.length
  t.diagnostic(`${idle.length} connections, ${(perConnection / 1024).toFixed(1)} KiB each`)
  assert.ok(perConnection <= 10 * 1024, `${perConnection} bytes`)
  assert.ok(idle.every((socket) => !socket.readableEnded))
  await assertAftermath(gateway, ...probed)
  const ended = Promise.all(idle.map((socket) => once(socket, 'close')))
  gateway.signal('SIGTERM')
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
  await ended
})
