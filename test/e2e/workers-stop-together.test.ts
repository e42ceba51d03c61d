import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { get, ok, upTo } from '../support/bytes.ts'
import { within } from '../support/deadline.ts'
import { assertWhole, EventStreams, openStreams } from '../support/event-streams.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'
import { close, startWorkers, untilServing } from '../support/workers.ts'

const STREAMS = 12

test('a stop lets every stream of every worker end, and every record comes before its last line', async () => {
  using streams = new EventStreams(20)
  await using origin = await startOrigin((request) => streams.answer(request))
  await using gateway = await startGateway({ server: { workers: 3 }, ...upTo(origin) })
  const readers = await openStreams(gateway.port, '/up', STREAMS)
  using idle = await connect(gateway.port)
  gateway.signal('SIGTERM')
  await gateway.waitForLog(`"message":"Waiting for connections before shutdown","connections":${STREAMS},`)
  await idle.ended()
  await assert.rejects(connect(gateway.port), 'nobody else is let in')
  streams.finish()
  for (const reader of readers) await assertWhole(reader, streams)
  assert.deepEqual(await within(gateway.exited, 'the exit'), { code: 0, signal: null })
  assert.equal(gateway.records().length, STREAMS)
  assert.match(gateway.log().trimEnd().split('\n').at(-1)!, /Proxy server shutdown complete/)
  close(readers.map(({ client }) => client))
})

async function waiting(port: number, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let i = 0; i < count; i++) {
    const client = await connect(port)
    void client.write(get(`/up/${i}`))
    clients.push(client)
  }
  return clients
}

test('server.shutdown_timeout_ms cuts what still runs on all of them, and each leaves its record', async () => {
  await using origin = await startOrigin(() => {})
  const server = { workers: 3, shutdown_timeout_ms: 300 }
  await using gateway = await startWorkers({ server, ...upTo(origin) })
  await untilServing(gateway, 3)
  const before = gateway.records().length
  const clients = await waiting(gateway.port, 9)
  await origin.request(8)
  gateway.signal('SIGTERM')
  assert.equal((await within(gateway.exited, 'the exit')).code, 1)
  assert.match(gateway.log(), /"message":"Exchanges were cut at the end of the shutdown timeout","connections":9/)
  assert.equal(gateway.records().filter(({ error }) => error === 'shutdown').length, 9)
  assert.ok(gateway.records().length >= before + 9)
  close(clients)
})

test('a second signal cuts all of them at once, and each leaves its record', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startWorkers({ server: { workers: 3 }, ...upTo(origin) })
  await untilServing(gateway, 3)
  const clients = await waiting(gateway.port, 9)
  await origin.request(8)
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Waiting for connections before shutdown')
  gateway.signal('SIGTERM')
  assert.equal((await within(gateway.exited, 'the exit')).code, 143)
  assert.match(
    gateway.log(),
    /"message":"Second shutdown signal received \(SIGTERM\); exiting at once","connections":9/,
  )
  assert.equal(gateway.records().filter(({ error }) => error === 'shutdown').length, 9)
  close(clients)
})

test('records are as many as requests, and whole, however fast they come', async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  await using gateway = await startGateway({ server: { workers: 3 }, ...upTo(origin) })
  const long = 'x'.repeat(3000)
  const lanes = Array.from({ length: 12 }, async (_, lane) => {
    using client = await connect(gateway.port)
    for (let n = 0; n < 200; n++) {
      void client.write(get(`/up/${lane}/${n}/${n % 10 === 0 ? long : ''}`))
      assert.equal((await client.response(n)).status, 200)
    }
  })
  await Promise.all(lanes)
  gateway.signal('SIGTERM')
  assert.equal((await within(gateway.exited, 'the exit')).code, 0)
  const targets = new Set(gateway.records().map(({ request_url }) => request_url))
  assert.deepEqual([gateway.records().length, targets.size], [2400, 2400])
  for (const line of gateway.log().trimEnd().split('\n')) JSON.parse(line)
})

test('a stop waits for no worker that is not up yet', async () => {
  const hook = fileURLToPath(new URL('../support/late-workers.ts', import.meta.url))
  await using gateway = await startGateway(
    { server: { workers: 2 }, upstreams: {} },
    { env: { NODE_OPTIONS: `--import=${hook}` }, wait: 'Starting proxy server on' },
  )
  gateway.signal('SIGTERM')
  assert.equal((await within(gateway.exited, 'the exit', 4000)).code, 0)
})
