import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { assertWhole, EventStreams, openStreams } from '../support/event-streams.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { startLoad } from '../support/load.ts'
import { OK, type OriginRequest, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const STREAMS = 20

const answerWith =
  (streams: EventStreams) =>
  async (request: OriginRequest): Promise<void> => {
    if (request.target.includes('/stream/')) return streams.answer(request)
    await request.connection.write(OK)
  }

const loadOn = (host: string, port: number) =>
  startLoad({ host, port, connections: 16, perSecond: 500, request: (n) => get(`/up/${n}`) })

interface Move {
  readonly address: (oldPort: number) => string
  /** Where new connections are taken then. */
  readonly host: string
  /** Where they are not any more, on the old port. */
  readonly refuses?: string
}

/** From one address to the next, while everything that was connected before goes on. */
async function moveUnderLoad(moves: readonly Move[]): Promise<void> {
  using streams = new EventStreams(50)
  await using origin = await startOrigin(answerWith(streams))
  await using gateway: RunningGateway = await startGateway(upTo(origin), { env: { FLUXGATE_LOG: 'info' } })
  const readers = await openStreams(gateway.port, '/up', STREAMS)
  using first = await loadOn('127.0.0.1', gateway.port)
  const loads = [first]
  try {
    await first.untilMore(100)
    for (const [i, { address, host, refuses }] of moves.entries()) {
      const oldPort = gateway.port
      gateway.rewrite({ server: { bind_address: address(oldPort) }, ...upTo(origin) })
      await gateway.waitForLog('Bind address changed, restarting server', i + 1)
      await gateway.waitForLog('Fluxgate proxy server listening on', i + 2)
      assert.equal((await exchange(gateway.port, get('/up/new'), { host })).status, 200)
      if (refuses !== undefined) await assert.rejects(connect(oldPort, { host: refuses }), { code: 'ECONNREFUSED' })
      loads.push(await loadOn(host, gateway.port))
      for (const load of loads) await load.untilMore(100)
    }
    streams.finish()
    for (const reader of readers) await assertWhole(reader, streams)
    for (const load of loads) {
      await load.stop()
      assert.deepEqual(load.failures, [])
      assert.equal(load.ended, 0, 'a connection stays, whatever address it came in by')
    }
    assert.deepEqual(origin.failures, [])
  } finally {
    for (const load of loads) load[Symbol.dispose]()
    for (const reader of readers) reader[Symbol.dispose]()
  }
}

test('to another address and back: connections of before lose no request, new ones go to the new address', () =>
  moveUnderLoad([
    { address: () => '127.0.0.2:0', host: '127.0.0.2', refuses: '127.0.0.1' },
    { address: () => '127.0.0.1:0', host: '127.0.0.1', refuses: '127.0.0.2' },
  ]))

test('to one that overlaps it, on the same port, and back', () =>
  moveUnderLoad([
    { address: (port) => `127.0.0.2:${port}`, host: '127.0.0.2', refuses: '127.0.0.1' },
    { address: (port) => `0.0.0.0:${port}`, host: '127.0.0.3' },
    { address: (port) => `127.0.0.2:${port}`, host: '127.0.0.2', refuses: '127.0.0.3' },
  ]))

test('to one that cannot be had: the old one goes on, for new connections too', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin), { env: { FLUXGATE_LOG: 'info' } })
  using load = await loadOn('127.0.0.1', gateway.port)
  await load.untilMore(50)
  gateway.rewrite({ server: { bind_address: `127.0.0.1:${origin.port}` }, ...upTo(origin) })
  await gateway.waitForLog('Failed to bind to address')
  using more = await loadOn('127.0.0.1', gateway.port)
  for (const each of [load, more]) {
    await each.untilMore(50)
    await each.stop()
    assert.deepEqual(each.failures, [])
    assert.equal(each.ended, 0)
  }
})
