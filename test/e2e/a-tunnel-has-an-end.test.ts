/** What becomes of a tunnel when its time is up, at a stop and at a reload. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { CA, SERVER_CERTIFICATE, SERVER_KEY } from '../support/certificates.ts'
import { ESTABLISHED, startConnectProxy } from '../support/connect-proxy.ts'
import { openDescriptors, untilDescriptors } from '../support/footprint.ts'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { connectRaw, type RawEnd, type RawOrigin, SWITCH, startRawOrigin, upgrade } from '../support/raw-end.ts'

const skip = process.platform === 'linux' ? false : 'reads /proc'
const KEY = `Authorization: Bearer ${CLIENT_KEY}`
const agree = (end: RawEnd): void => {
  void end.write(SWITCH)
}
const to = (url: string, more = {}) => ({
  request_path: '/up',
  target_url: url,
  api_key: PROVIDER_KEY,
  websocket: true,
  ...more,
})

interface Tunnel extends Disposable {
  readonly client: RawEnd
  readonly end: RawEnd
}

async function openTunnel(gateway: RunningGateway, origin: RawOrigin, n = 0): Promise<Tunnel> {
  const client = await connectRaw(gateway.port)
  void client.write(upgrade('/up', KEY))
  await client.untilReceived(SWITCH)
  return { client, end: await origin.end(n), [Symbol.dispose]: () => client.socket.destroy() }
}

async function goesOn({ client, end }: Tunnel, text: string): Promise<void> {
  void client.write(`${text}?`)
  await end.untilReceived(`${text}?`)
  void end.write(`${text}!`)
  await client.untilReceived(`${text}!`)
}

test('a silent tunnel is cut after idle_timeout_ms, which is nobody to be looked at for', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway({ upstreams: { idle_timeout_ms: 400, up: to(origin.url) } })
  using tunnel = await openTunnel(gateway, origin)
  for (let i = 0; i < 6; i++) {
    await new Promise((resolve) => setTimeout(resolve, 150))
    await goesOn(tunnel, `${i}`)
  }
  await tunnel.client.ended('rst')
  await tunnel.end.ended('rst')
  const { status, outcome, error, cause, level } = await gateway.waitForRecord()
  assert.deepEqual([status, outcome, error, cause, level], [101, 'timeout', 'idle_timeout', 'silence', 'TRACE'])
})

for (const side of ['client', 'upstream'] as const) {
  test(`a tunnel whose ${side} takes nothing has ${side} for its cause`, async () => {
    await using origin = await startRawOrigin(agree)
    await using gateway = await startGateway({ upstreams: { idle_timeout_ms: 300, up: to(origin.url) } })
    using tunnel = await openTunnel(gateway, origin)
    const [from, stuck] = side === 'client' ? [tunnel.end, tunnel.client] : [tunnel.client, tunnel.end]
    stuck.socket.pause()
    const piece = Buffer.alloc(1024 * 1024, 'x')
    while (await from.write(piece));
    await from.ended('rst')
    const { outcome, error, cause, level } = await gateway.waitForRecord()
    const expected = ['timeout', 'idle_timeout', side, side === 'client' ? 'TRACE' : 'WARN']
    assert.deepEqual([outcome, error, cause, level], expected)
  })
}

test('no other timeout ends a tunnel', async () => {
  await using origin = await startRawOrigin(agree)
  const times = {
    request_timeout_ms: 200,
    response_timeout_ms: 200,
    keep_alive_timeout_ms: 200,
    max_connection_age_ms: 200,
  }
  await using gateway = await startGateway({
    server: { keep_alive_timeout_ms: 200, body_timeout_ms: 200, head_timeout_ms: 200 },
    upstreams: { up: to(origin.url, times) },
  })
  using tunnel = await openTunnel(gateway, origin)
  await new Promise((resolve) => setTimeout(resolve, 900))
  await goesOn(tunnel, 'still there')
  assert.deepEqual(gateway.records(), [])
})

test('before the 101, the times of a request count', async () => {
  await using origin = await startRawOrigin(() => {})
  await using gateway = await startGateway({ upstreams: { up: to(origin.url, { response_timeout_ms: 100 }) } })
  using client = await connectRaw(gateway.port)
  void client.write(`${upgrade('/up', KEY)}early`)
  await client.until(() => client.received.startsWith('HTTP/1.1 504 '), 'the refusal')
  assert.equal((await gateway.waitForRecord()).error, 'response_timeout')
})

test('a stop waits for tunnels, and cuts them when its time is up', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway({
    server: { shutdown_timeout_ms: 600 },
    upstreams: { up: to(origin.url) },
  })
  using first = await openTunnel(gateway, origin)
  using second = await openTunnel(gateway, origin, 1)
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Shutdown signal received')
  await goesOn(first, 'during the stop')
  first.client.fin()
  await first.end.ended('fin')
  first.end.fin()
  assert.equal((await gateway.waitForRecord()).outcome, 'complete')
  await second.client.ended('rst')
  await second.end.ended('rst')
  assert.equal((await gateway.exited).code, 1)
  const cut = gateway.records()[1]!
  assert.deepEqual([cut.status, cut.outcome, cut.error], [101, 'timeout', 'shutdown'])
})

test('a stop without a time ends with the last tunnel', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway({ upstreams: { up: to(origin.url) } })
  using tunnel = await openTunnel(gateway, origin)
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Shutdown signal received')
  await goesOn(tunnel, 'during the stop')
  tunnel.end.fin()
  await tunnel.client.ended('fin')
  tunnel.client.fin()
  assert.equal((await gateway.exited).code, 0)
  assert.equal(gateway.records()[0]?.outcome, 'complete')
})

test('a reload leaves a tunnel alone, whatever it changes', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway({ upstreams: { up: to(origin.url) } })
  using tunnel = await openTunnel(gateway, origin)
  gateway.rewrite({ upstreams: { up: { ...to('http://127.0.0.1:1'), websocket: false, idle_timeout_ms: 1 } } })
  await gateway.waitForLog('Configuration file changed, reloaded automatically')
  await goesOn(tunnel, 'after the reload')
  using client = await connectRaw(gateway.port)
  void client.write(upgrade('/up', KEY))
  await client.until(() => client.received.startsWith('HTTP/1.1 501 '), '501')
  await goesOn(tunnel, 'after the refusal')
  tunnel.client.fin()
  await tunnel.end.ended('fin')
  tunnel.end.fin()
  assert.equal((await gateway.waitForRecord(({ status }) => status === 101)).outcome, 'complete')
})

test('tunnels have their places among max_connections', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway({ server: { max_connections: 1 }, upstreams: { up: to(origin.url) } })
  using tunnel = await openTunnel(gateway, origin)
  using client = await connectRaw(gateway.port)
  void client.write(upgrade('/up', KEY))
  await client.until(() => client.received.startsWith('HTTP/1.1 503 '), '503')
  await goesOn(tunnel, 'still there')
  tunnel.client.reset()
  await gateway.waitForRecord(({ status }) => status === 101)
  using next = await openTunnel(gateway, origin, 1)
  await goesOn(next, 'in its place')
})

test('500 tunnels at once, each with its own bytes, leave nothing behind', async () => {
  await using origin = await startRawOrigin((end) => {
    agree(end)
    end.socket.on('data', (data: Buffer) => {
      if (end.hasSwitched && !data.includes('\r\n\r\n')) void end.write(data)
    })
    end.socket.on('end', () => end.fin())
  })
  await using gateway = await startGateway({ upstreams: { up: to(origin.url) } })
  const clients = await Promise.all(Array.from({ length: 500 }, () => connectRaw(gateway.port)))
  await Promise.all(
    clients.map(async (client, i) => {
      void client.write(upgrade(`/up/${i}`, KEY))
      await client.untilReceived(SWITCH)
    }),
  )
  assert.deepEqual(gateway.records(), [])
  await Promise.all(
    clients.map(async (client, i) => {
      const text = `<${i}>`.repeat(1 + (i % 7) * 1_000)
      void client.write(text)
      await client.until(() => client.received.length === SWITCH.length + text.length, text.slice(0, 9))
      assert.equal(client.received.slice(SWITCH.length), text)
      client.fin()
      await client.ended('fin')
    }),
  )
  await gateway.until(() => gateway.records().length === 500, '500 records', 20_000)
  assert.ok(
    gateway
      .records()
      .every(
        ({ outcome, request_bytes, response_bytes }) => outcome === 'complete' && request_bytes === response_bytes,
      ),
  )
  gateway.signal('SIGTERM')
  assert.equal((await gateway.exited).code, 0)
})

test('a client that goes in the moment of its end leaves nothing behind', { skip }, async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway({ upstreams: { up: to(origin.url) } })
  let before = 0
  for (let i = 0; i < 3; i++) {
    using tunnel = await openTunnel(gateway, origin, i)
    await goesOn(tunnel, 'before')
    // All of it is found at once: the FIN has gone on, and is not out yet, when a write finds the client gone.
    gateway.signal('SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, 50))
    tunnel.client.fin()
    await new Promise((resolve) => setTimeout(resolve, 50))
    tunnel.client.reset()
    await tunnel.end.write('unheard')
    await new Promise((resolve) => setTimeout(resolve, 50))
    gateway.signal('SIGCONT')
    await gateway.until(() => gateway.records().length === i + 1, 'its record')
    assert.equal(gateway.records()[i]!.outcome, 'client_abort')
    tunnel.end.reset()
    if (i === 0) before = openDescriptors(gateway.pid)
  }
  await untilDescriptors(gateway.pid, before)
})

/** It reaches the origin over TLS. */
async function startWithCa(origin: RawOrigin, more = {}): Promise<RunningGateway> {
  const gateway = await startGateway({})
  writeFileSync(path.join(gateway.directory, 'ca.pem'), CA)
  gateway.rewrite({ upstreams: { up: to(origin.url, { tls: { ca: 'ca.pem' }, ...more }) } })
  await gateway.waitForLog('reloaded automatically')
  return gateway
}

const TLS = { cert: SERVER_CERTIFICATE, key: SERVER_KEY }

test('over TLS, each way ends by itself', async () => {
  await using origin = await startRawOrigin(agree, TLS)
  await using gateway = await startWithCa(origin)
  using first = await openTunnel(gateway, origin)
  await goesOn(first, 'over TLS')
  first.client.fin()
  await first.end.ended('fin')
  const rest = 'x'.repeat(300_000)
  void first.end.write(rest)
  first.end.fin()
  await first.client.until(() => first.client.receivedBytes === `${SWITCH}over TLS!${rest}`.length, 'the rest')
  await first.client.ended('fin')
  assert.equal((await gateway.waitForRecord()).outcome, 'complete')
  using second = await openTunnel(gateway, origin, 1)
  second.end.fin()
  await second.client.ended('fin')
  void second.client.write('still heard')
  await second.end.untilReceived('still heard')
  second.client.reset()
  await second.end.ended('rst')
  assert.equal((await gateway.waitForRecord(({ outcome }) => outcome === 'client_abort')).status, 101)
})

for (const options of [undefined, TLS]) {
  test(`through a proxy ${options === undefined ? 'in the clear' : 'over TLS'}, it is the same`, async () => {
    await using origin = await startRawOrigin(agree, options)
    await using proxy = await startConnectProxy(() => ({ head: ESTABLISHED, port: Number(new URL(origin.url).port) }))
    const way = { proxy: { url: proxy.url } }
    await using gateway =
      options === undefined
        ? await startGateway({ upstreams: { up: to(origin.url, way) } })
        : await startWithCa(origin, way)
    using tunnel = await openTunnel(gateway, origin)
    await goesOn(tunnel, 'through a proxy')
    // The proxy of these tests ends both ways at once.
    tunnel.end.fin()
    await tunnel.client.ended('fin')
    tunnel.client.fin()
    assert.equal((await gateway.waitForRecord()).outcome, 'complete')
  })
}
