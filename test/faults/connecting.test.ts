import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TlsOptions } from 'node:tls'
import { openBlackHole } from '../support/black-hole.ts'
import { get, ok, post, upTo } from '../support/bytes.ts'
import {
  CA,
  EXPIRED_CERTIFICATE,
  EXPIRED_KEY,
  NAMED_CERTIFICATE,
  NAMED_KEY,
  SELF_SIGNED_CERTIFICATE,
  SELF_SIGNED_KEY,
  SERVER_CERTIFICATE,
  SERVER_KEY,
} from '../support/certificates.ts'
import { closedPort } from '../support/closed-port.ts'
import { WITHIN_A_SECOND_MS } from '../support/deadline.ts'
import { CLIENT_KEY, type ConfigObject, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import type { Message } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'
import { assertAftermath } from './aftermath.ts'
import { type NameAnswer, startNameServer, whyNoNameServer } from './name-server.ts'
import { startTap } from './tap.ts'

const to = (request_path: string, target_url: string, more: ConfigObject = {}): ConfigObject => ({
  request_path,
  target_url,
  api_key: PROVIDER_KEY,
  ...more,
})

function assertRefused(response: Message, status: number, error: string): void {
  assert.equal(response.status, status)
  assert.equal(response.value('x-fluxgate-error'), `fluxgate_${error}`)
  assert.equal(response.state, 'complete')
}

test('connection refused: 502, soon', async () => {
  await using gateway = await startGateway({
    upstreams: { up: to('/up', `http://127.0.0.1:${await closedPort()}`) },
  })
  const startedAt = performance.now()
  assertRefused(await exchange(gateway.port, post('/up/x', 'content')), 502, 'connect_refused')
  assert.ok(performance.now() - startedAt < 5_000, 'it does not try for as long as it could')
  await assertAftermath(gateway, '502 upstream_abort connect_refused')
})

test('a black hole: 504 when the time to connect is over, and nobody else waits for it', async () => {
  using hole = await openBlackHole()
  await using origin = await startOrigin()
  await using gateway = await startGateway({
    upstreams: {
      hole: to('/hole', `http://127.0.0.1:${hole.port}`, { connect_timeout_ms: 700 }),
      up: to('/up', origin.url),
    },
  })
  const order: string[] = []
  const lost = exchange(gateway.port, post('/hole/x', 'content')).finally(() => order.push('hole'))
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  order.push('up')
  assertRefused(await lost, 504, 'connect_timeout')
  assert.deepEqual(order, ['up', 'hole'])
  await assertAftermath(gateway, '200 complete -', '504 timeout connect_timeout')
})

describe('names', { skip: whyNoNameServer() }, () => {
  for (const answer of ['NXDOMAIN', 'SERVFAIL'] as const) {
    test(`a name that is answered with ${answer}: 502`, async () => {
      await using names = await startNameServer({ 'up.test': answer })
      await using gateway = await startGateway(
        { upstreams: { up: to('/up', 'http://up.test') } },
        { under: names.under },
      )
      assertRefused(await exchange(gateway.port, post('/up/x', 'content')), 502, 'dns')
      assert.ok(names.questions.includes('up.test'))
      await assertAftermath(gateway, '502 upstream_abort dns')
    })

    test(`a name that was good before it is answered with ${answer}: its last address`, async () => {
      await using names = await startNameServer({ 'up.test': ['127.0.0.1'] })
      await using origin = await startOrigin(ok('ok', 'Connection: close'))
      await using gateway = await startGateway(
        { upstreams: { up: to('/up', `http://up.test:${origin.port}`) } },
        { under: names.under },
      )
      assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
      names.answers['up.test'] = answer
      // The good answer is used for a second without asking.
      for (const asked = names.asked('up.test', 2); await isPending(asked); ) {
        assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
      }
      assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
      assert.ok(gateway.records().every((record) => record.outcome === 'complete'))
    })
  }

  test('a name that nobody answers: 504, one question for all who wait, and other names go on', async () => {
    await using names = await startNameServer({ 'slow.test': 'silence', 'quick.test': ['127.0.0.1'] })
    await using origin = await startOrigin()
    await using gateway = await startGateway(
      {
        upstreams: {
          slow: to('/slow', 'http://slow.test', { connect_timeout_ms: 1000 }),
          quick: to('/quick', `http://quick.test:${origin.port}`),
        },
      },
      { under: names.under },
    )
    const order: string[] = []
    const slow = Array.from({ length: 10 }, (_, i) =>
      exchange(gateway.port, post('/slow/x', `${i}`)).finally(() => order.push('slow')),
    )
    await names.asked('slow.test')
    assert.equal((await exchange(gateway.port, get('/quick/x'))).status, 200)
    order.push('quick')
    for (const response of await Promise.all(slow)) assertRefused(response, 504, 'connect_timeout')
    assert.equal(order[0], 'quick')
    assert.deepEqual(names.questions, ['slow.test', 'quick.test'])
    await assertAftermath(gateway, '200 complete -', ...slow.map(() => '504 timeout connect_timeout'))
  })

  test('many names that nobody answers: other names go on', async () => {
    const slow = ['a', 'b']
    const silent = Object.fromEntries(slow.map((name) => [`${name}.test`, 'silence' as const]))
    await using names = await startNameServer({ ...silent, 'quick.test': ['127.0.0.1'] })
    await using origin = await startOrigin()
    await using gateway = await startGateway(
      {
        upstreams: {
          connect_timeout_ms: 1500,
          ...Object.fromEntries(slow.map((name) => [name, to(`/${name}`, `http://${name}.test`)])),
          quick: to('/quick', `http://quick.test:${origin.port}`),
        },
      },
      { under: names.under },
    )
    const lost = slow.map((name) => exchange(gateway.port, get(`/${name}`)))
    await names.asked('a.test')
    assert.equal((await exchange(gateway.port, get('/quick/x'))).status, 200)
    for (const response of await Promise.all(lost)) assertRefused(response, 504, 'connect_timeout')
  })

  test('a name that moves: new connections go to the new address, old ones end with their exchange', async () => {
    await using names = await startNameServer({ 'up.test': ['127.0.0.1'] })
    await using before = await startOrigin(() => {})
    await using after = await startOrigin(undefined, { host: '127.0.0.2', port: before.port })
    await using gateway = await startGateway(
      { upstreams: { up: to('/up', `http://up.test:${before.port}`) } },
      { under: names.under },
    )
    using client = await connect(gateway.port)
    void client.write(get('/up/stream'))
    const { connection } = await before.request()
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
    await client.untilContent('half')
    before.answer = ok('ok', 'Connection: close')
    names.answers['up.test'] = ['127.0.0.2']
    const movedAt = performance.now()
    while (after.requests.length === 0) {
      assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
      assert.ok(
        performance.now() - movedAt < WITHIN_A_SECOND_MS,
        `still ${before.requests.length} requests at the old address`,
      )
      await sleep(20)
    }
    await connection.write('time')
    assert.equal((await client.response()).text, 'halftime')
    await connection.ended()
    const count = before.requests.length
    for (let i = 0; i < 5; i++) assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
    assert.equal(before.requests.length, count)
    assert.ok(gateway.records().every((record) => record.outcome === 'complete'))
  })

  test('a name that moves while traffic never pauses: within a minute new requests go to the new address', async () => {
    await using names = await startNameServer({ 'up.test': ['127.0.0.1'] })
    await using before = await startOrigin()
    await using after = await startOrigin(undefined, { host: '127.0.0.2', port: before.port })
    await using gateway = await startGateway(
      { upstreams: { up: to('/up', `http://up.test:${before.port}`) } },
      { under: names.under },
    )
    using client = await connect(gateway.port)
    const ask = async (n: number): Promise<void> => {
      void client.write(post('/up/x', `${n}`))
      assert.equal((await client.response(n)).status, 200)
      await sleep(5)
    }
    let n = 0
    await ask(n++)
    names.answers['up.test'] = ['127.0.0.2']
    for (const asked = names.asked('up.test', 2, 60_000); await isPending(asked); ) await ask(n++)
    while (after.requests.length === 0) await ask(n++)
    const count = before.requests.length
    for (let i = 0; i < 20; i++) await ask(n++)
    assert.equal(before.requests.length, count)
    assert.equal(before.connections.length, 1, 'one connection was enough until it moved')
    assert.equal(await before.connections[0]!.ended(), 'fin')
  })

  test('three addresses of one name: connections are spread over them', async () => {
    const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
    await using names = await startNameServer({ 'up.test': hosts })
    await using a = await startOrigin(() => {})
    await using b = await startOrigin(() => {}, { host: '127.0.0.2', port: a.port })
    await using c = await startOrigin(() => {}, { host: '127.0.0.3', port: a.port })
    await using gateway = await startGateway(
      { upstreams: { up: to('/up', `http://up.test:${a.port}`) } },
      { under: names.under },
    )
    const clients = await Promise.all(Array.from({ length: 9 }, () => connect(gateway.port)))
    for (const client of clients) void client.write(get('/up/x'))
    for (const origin of [a, b, c]) {
      await origin.until(() => origin.connections.length === 3, 'three connections at each')
    }
    for (const client of clients) client[Symbol.dispose]()
  })

  const deadAddresses: Readonly<Record<string, NameAnswer>> = {
    'the first': ['127.0.0.3', '127.0.0.2'],
    'the second': ['127.0.0.2', '127.0.0.3'],
  }
  for (const [which, addresses] of Object.entries(deadAddresses)) {
    test(`two addresses of which ${which} refuses: 200, and the request is sent once`, async () => {
      await using names = await startNameServer({ 'up.test': addresses })
      await using origin = await startOrigin(undefined, { host: '127.0.0.2' })
      await using gateway = await startGateway(
        { upstreams: { up: to('/up', `http://up.test:${origin.port}`) } },
        { under: names.under },
      )
      assert.equal((await exchange(gateway.port, post('/up/x', 'content'))).status, 200)
      await assertAftermath(gateway, '200 complete -')
      assert.equal(origin.requests.length, 1)
    })
  }

  test('two addresses of which the first is a black hole: 200 within the time to connect, and the request is sent once', async () => {
    using hole = await openBlackHole()
    await using names = await startNameServer({ 'up.test': ['127.0.0.1', '127.0.0.2'] })
    await using origin = await startOrigin(undefined, { host: '127.0.0.2', port: hole.port })
    await using gateway = await startGateway(
      { upstreams: { up: to('/up', `http://up.test:${origin.port}`) } },
      { under: names.under },
    )
    assert.equal((await exchange(gateway.port, post('/up/x', 'content'))).status, 200)
    await assertAftermath(gateway, '200 complete -')
    assert.equal(origin.requests.length, 1)
  })
})

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending
}

const certificates: readonly (readonly [what: string, options: TlsOptions, isCaKnown: boolean])[] = [
  ['has expired', { cert: EXPIRED_CERTIFICATE, key: EXPIRED_KEY }, true],
  ['is for another name', { cert: NAMED_CERTIFICATE, key: NAMED_KEY }, true],
  ['is signed by itself', { cert: SELF_SIGNED_CERTIFICATE, key: SELF_SIGNED_KEY }, true],
  ['is signed by somebody unknown', { cert: SERVER_CERTIFICATE, key: SERVER_KEY }, false],
]
for (const [what, options, isCaKnown] of certificates) {
  test(`a certificate that ${what}: 502, and no byte of a key or a request is sent`, async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'fluxgate-ca-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const ca = path.join(folder, 'ca.pem')
    writeFileSync(ca, CA)
    await using origin = await startOrigin(undefined, { tls: options })
    await using tap = await startTap(origin.port)
    const upstream = to('/up', `https://127.0.0.1:${tap.port}`, isCaKnown ? { tls: { ca } } : {})
    await using gateway = await startGateway({ upstreams: { up: upstream } })
    assertRefused(await exchange(gateway.port, post('/up/x', 'content')), 502, 'tls_verify')
    await assertAftermath(gateway, '502 upstream_abort tls_verify')
    assert.ok(tap.sent().length > 0)
    for (const bytes of tap.sent()) {
      assert.equal(bytes[0], 0x16, 'a TLS handshake and nothing else was tried')
      for (const secret of [PROVIDER_KEY, CLIENT_KEY, 'POST ']) assert.ok(!bytes.includes(secret))
    }
    for (const connection of origin.connections) {
      await connection.ended()
      assert.equal(connection.fault, undefined, 'nor was anything sent encrypted')
    }
    assert.equal(origin.requests.length, 0)
  })
}

test('a TLS handshake that stands still: 504, and the connection is given up', async () => {
  await using origin = await startOrigin(() => {})
  await using tap = await startTap(origin.port)
  await using gateway = await startGateway(
    upTo(origin, { target_url: `https://127.0.0.1:${tap.port}`, connect_timeout_ms: 400 }),
  )
  assertRefused(await exchange(gateway.port, post('/up/x', 'content')), 504, 'connect_timeout')
  await (await origin.connection()).ended()
  await assertAftermath(gateway, '504 timeout connect_timeout')
  assert.ok(tap.sent().length > 0)
  for (const bytes of tap.sent()) assert.equal(bytes[0], 0x16)
  assert.equal(origin.requests.length, 0)
})

test('a server without TLS on a port where it is expected: 502, and it is not spoken to in the clear', async () => {
  const answer = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'
  await using origin = await startOrigin(() => {})
  await using tap = await startTap(origin.port)
  await using gateway = await startGateway(upTo(origin, { target_url: `https://127.0.0.1:${tap.port}` }))
  const response = exchange(gateway.port, post('/up/x', 'content'))
  // It tries once more where nothing has been sent.
  for (let i = 0; i < 2; i++) await (await origin.connection(i)).write(answer)
  assertRefused(await response, 502, 'tls')
  await assertAftermath(gateway, '502 upstream_abort tls')
  assert.ok(tap.sent().length > 0)
  for (const bytes of tap.sent()) assert.equal(bytes[0], 0x16)
  assert.equal(origin.requests.length, 0)
})
