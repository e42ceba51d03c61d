import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { assertWhole, EventStreams, openStream, openStreams } from '../support/event-streams.ts'
import { type ConfigObject, type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'
import { close, connectMany, counted, startWorkers, threadsOf, untilServing } from '../support/workers.ts'

const RELOADED = 'Configuration file changed, reloaded automatically'

/** One request after the other, each on a connection of its own or on one that is kept as long as the gateway keeps it. */
async function visit(gateway: RunningGateway, isOver: () => boolean, keeps: boolean): Promise<number> {
  let answered = 0
  let client = await connect(gateway.port)
  let asked = 0
  while (!isOver()) {
    void client.write(get(`/up/${answered}`))
    const { status, text } = await client.response(asked++)
    const response = client.responses.at(-1)!
    assert.deepEqual([status, text], [200, 'ok'])
    answered++
    if (keeps && response.value('connection') !== 'close') continue
    client[Symbol.dispose]()
    client = await connect(gateway.port)
    asked = 0
  }
  client[Symbol.dispose]()
  return answered
}

test('from 1 to 3 to 1 and back under load: nothing is lost, nothing is refused, no stream is cut', async () => {
  using streams = new EventStreams(20)
  await using origin = await startOrigin((request) => {
    if (request.target.includes('/stream/')) return streams.answer(request)
    void request.connection.write(ok('ok'))
  })
  const config = (workers: number): ConfigObject => ({ server: { workers }, ...upTo(origin) })
  await using gateway = await startGateway(config(1))
  let isOver = false
  const visitors = Array.from({ length: 8 }, (_, i) => visit(gateway, () => isOver, i % 2 === 0))
  const readers = await openStreams(gateway.port, '/up', 4)
  let reloads = 0
  for (const workers of [3, 1, 3, 2, 1]) {
    const seen = origin.requests.length
    gateway.rewrite(config(workers))
    await gateway.waitForLog(RELOADED, ++reloads)
    readers.push(...(await openStreams(gateway.port, '/up', 4, readers.length)))
    await origin.until(() => origin.requests.length > seen + 300, 'more requests')
  }
  isOver = true
  const answered = (await Promise.all(visitors)).reduce((sum, count) => sum + count, 0)
  streams.finish()
  for (const reader of readers) await assertWhole(reader, streams)
  close(readers.map(({ client }) => client))
  const total = answered + readers.length
  assert.equal(origin.requests.length, total)
  await gateway.until(() => gateway.records().length >= total, `${total} records`)
  gateway.signal('SIGTERM')
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
  assert.equal(gateway.records().length, total)
  for (const record of gateway.records()) assert.equal(record.outcome, 'complete')
  assert.doesNotMatch(gateway.log(), /ERROR|"WARN"/)
})

test('a worker too many is served to its end, tells its clients to go, and is gone then', async () => {
  using streams = new EventStreams(20)
  await using origin = await startOrigin((request) => {
    if (request.target.includes('/stream/')) return streams.answer(request)
    void request.connection.write(ok('ok'))
  })
  const config = (workers: number): ConfigObject => ({ server: { workers }, ...upTo(origin) })
  await using gateway = await startWorkers(config(3))
  await untilServing(gateway, 3)
  const reader = await openStream(gateway.port, '/up', 0)
  const clients = await connectMany(gateway, 9)
  gateway.rewrite(config(1))
  await gateway.waitForLog(RELOADED)
  // A request that was on its way is answered on the connection that is to go.
  const [first] = clients
  void first!.write(get('/up/x'))
  const response = await first!.response(1)
  assert.deepEqual([response.text, response.value('connection')], ['ok', 'close'])
  for (const client of clients) await client.ended()
  const late = await connectMany(gateway, 3)
  assert.deepEqual([...counted(threadsOf(gateway).slice(-3)).keys()], [0], 'from now on one thread serves')
  streams.finish()
  await assertWhole(reader, streams)
  close([...clients, ...late, reader.client])
})
