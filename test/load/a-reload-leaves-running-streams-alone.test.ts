import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok } from '../support/bytes.ts'
import { WITHIN_A_SECOND_MS } from '../support/deadline.ts'
import { assertWhole, EventStreams, openStreams } from '../support/event-streams.ts'
import { CLIENT_KEY, type ConfigObject, startGateway } from '../support/gateway.ts'
import { startLoad } from '../support/load.ts'
import { type OriginRequest, startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const STREAMS = 50
const EVERY_MS = 50
/** One of them on the wire, roughly. */
const EVENT_BYTES = 120

/** The load has a key of its own, so that it goes on whatever happens to the one that the test is about. */
const LOAD_KEY = 'fgk_the_key_of_the_load'
const keys = (tested: string): ConfigObject => ({
  api_keys: {
    static: [
      { id: 'tested', key: tested },
      { id: 'load', key: LOAD_KEY },
    ],
  },
})

const background = (port: number, prefix: string) =>
  startLoad({
    port,
    connections: 16,
    perSecond: 500,
    request: (n) => get(`${prefix}/${n}`).replace(CLIENT_KEY, LOAD_KEY),
  })

/** Streams, and for everything else the provider key that it came with. */
const answerWith =
  (streams: EventStreams) =>
  async (request: OriginRequest): Promise<void> => {
    if (request.target.includes('/stream/')) return streams.answer(request)
    await request.connection.write(ok(request.message.value('authorization') ?? 'none'))
  }

interface Sighting {
  readonly status: number
  readonly text: string
  readonly sentAt: number
}

/** One request after the other on one connection, until one is answered with this status. */
async function askUntil(status: number, port: number, request: string, savedAt: number): Promise<Sighting[]> {
  const seen: Sighting[] = []
  using client = await connect(port)
  while (seen.at(-1)?.status !== status) {
    const sentAt = performance.now()
    assert.ok(sentAt - savedAt < 10_000, `still ${seen.at(-1)?.status} after ten seconds`)
    void client.write(request)
    const response = await client.response(seen.length)
    seen.push({ status: response.status, text: response.text, sentAt })
  }
  return seen
}

test('keys of both sides change: live within a second for new requests, not at all for running streams', async () => {
  using streams = new EventStreams(EVERY_MS)
  await using origin = await startOrigin(answerWith(streams))
  const configuration = (clientKey: string, providerKey: string): ConfigObject => ({
    ...keys(clientKey),
    upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: providerKey } },
  })
  await using gateway = await startGateway(configuration(CLIENT_KEY, 'sk-before'), { env: { FLUXGATE_LOG: 'info' } })
  const readers = await openStreams(gateway.port, '/up', STREAMS)
  using load = await background(gateway.port, '/up')
  await load.untilMore(100)

  const nextKey = 'fgk_the_next_one'
  gateway.rewrite(configuration(nextKey, 'sk-after'))
  const savedAt = performance.now()
  const [withOld, withNew] = await Promise.all([
    askUntil(401, gateway.port, get('/up/old'), savedAt),
    askUntil(200, gateway.port, get('/up/new').replace(CLIENT_KEY, nextKey), savedAt),
  ])
  assert.ok(withOld.at(-1)!.sentAt - savedAt < WITHIN_A_SECOND_MS, 'the old key is refused within a second')
  assert.ok(withNew.at(-1)!.sentAt - savedAt < WITHIN_A_SECOND_MS, 'the new key is let in within a second')
  assert.deepEqual([...new Set(withOld.slice(0, -1).map((each) => each.status))], [200])
  assert.deepEqual([...new Set(withOld.slice(0, -1).map((each) => each.text))], ['Bearer sk-before'])
  assert.deepEqual([...new Set(withNew.slice(0, -1).map((each) => each.status))], [401])
  assert.equal(withNew.at(-1)!.text, 'Bearer sk-after', 'both keys change at once')

  // They go on for two seconds and more.
  const seen = readers.map(({ client }) => client.receivedBytes)
  for (const [i, { client }] of readers.entries()) {
    await client.until(() => client.receivedBytes > seen[i]! + 40 * EVENT_BYTES, 'more events')
  }
  streams.finish()
  for (const reader of readers) await assertWhole(reader, streams)
  assert.deepEqual([...new Set(streams.credentials.values())], ['Bearer sk-before'])
  // The connections of streams that began with the old key go on with the new one only.
  for (const { client } of readers.slice(0, 2)) {
    void client.write(get('/up/x'))
    assert.equal((await client.response(1)).status, 401)
    void client.write(get('/up/x').replace(CLIENT_KEY, nextKey))
    assert.equal((await client.response(2)).text, 'Bearer sk-after')
  }
  await load.stop()
  assert.deepEqual(load.failures, [])
  assert.equal(load.ended, 0)
  for (const reader of readers) reader[Symbol.dispose]()
})

test('an upstream is removed: its streams run to their end, new requests get 404, its connections are given up', async () => {
  using streams = new EventStreams(EVERY_MS)
  await using removed = await startOrigin(answerWith(streams))
  await using kept = await startOrigin(answerWith(streams))
  const upstreams: Record<string, ConfigObject> = {
    removed: { request_path: '/removed', target_url: removed.url, api_key: 'sk-removed' },
    kept: { request_path: '/kept', target_url: kept.url, api_key: 'sk-kept' },
  }
  await using gateway = await startGateway({ ...keys(CLIENT_KEY), upstreams }, { env: { FLUXGATE_LOG: 'info' } })
  const readers = await openStreams(gateway.port, '/removed', STREAMS)
  // Leaves idle connections to the upstream in the pool.
  using warm = await background(gateway.port, '/removed')
  await warm.untilMore(100)
  await warm.stop()
  assert.deepEqual(warm.failures, [])
  assert.ok(removed.connections.length > STREAMS)
  using load = await background(gateway.port, '/kept')
  await load.untilMore(100)

  gateway.rewrite({ ...keys(CLIENT_KEY), upstreams: { kept: upstreams['kept'] } })
  const savedAt = performance.now()
  const asked = await askUntil(404, gateway.port, get('/removed/x'), savedAt)
  assert.ok(asked.at(-1)!.sentAt - savedAt < WITHIN_A_SECOND_MS)

  const idle = removed.connections.filter(({ requests }) =>
    requests.every(({ target }) => !target.includes('/stream/')),
  )
  for (const connection of idle) assert.equal(await connection.ended(), 'fin')
  assert.ok(idle.length > 0)
  const busy = removed.connections.filter((connection) => !idle.includes(connection))
  assert.equal(busy.length, STREAMS)
  assert.ok(
    busy.every((connection) => connection.ending === undefined),
    'no stream is touched',
  )
  streams.finish()
  for (const reader of readers) await assertWhole(reader, streams)
  for (const connection of busy) assert.equal(await connection.ended(), 'fin')
  await load.untilMore(50)
  await load.stop()
  assert.deepEqual(load.failures, [])
  assert.equal(load.ended, 0)
  for (const reader of readers) reader[Symbol.dispose]()
})
