import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { get, ok, upTo } from '../support/bytes.ts'
import { EventStreams, type StreamReader } from '../support/event-streams.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'
import { close, connectMany, DIED, place, startWorkers, telling, threadsOf, untilServing } from '../support/workers.ts'

const ENDS = [
  { deed: 'worker-throws', reason: 'a bug of a worker', losesAll: false },
  { deed: 'worker-exits', reason: 'exit code 3', losesAll: true },
  { deed: 'worker-eats', reason: 'memory limit', losesAll: true },
] as const

for (const { deed, reason, losesAll } of ENDS) {
  test(`${deed}: the others notice nothing, and another one takes its place`, async () => {
    using streams = new EventStreams(20)
    await using origin = await startOrigin((request) => {
      if (request.target.includes('/stream/')) return streams.answer(request)
      void request.connection.write(ok('ok'))
    })
    await using gateway = await startWorkers({ server: { workers: 2 }, ...upTo(origin) }, { memoryMb: 64 })
    const placed = await place(gateway, 2, 2)
    const readers: StreamReader[] = []
    for (const [stream, { client }] of placed.entries()) {
      // The last one of the thread that is to die tells it so; all others have streams.
      if (stream === 0) continue
      void client.write(get(`/up/stream/${stream}`))
      await client.untilContent('"event":0,', 1)
      readers.push({ client, stream, [Symbol.dispose]: () => client[Symbol.dispose]() })
    }
    const { client: killer, thread: dead } = placed[0]!
    void killer.write(telling(deed))
    await gateway.waitForLog(DIED)
    assert.match(gateway.log(), new RegExp(`"level":"ERROR","message":"${DIED}","worker":\\d,"reason":"[^"]*${reason}`))
    // Whoever comes is served, by the other one and by the new one.
    const served = await connectMany(gateway, 4)
    await untilServing(gateway, 3)
    assert.ok(!threadsOf(gateway).slice(-4).includes(dead), 'nobody comes to the dead one')
    streams.finish()
    for (const reader of readers) {
      const isOfDead = placed[reader.stream]!.thread === dead
      if (!isOfDead || !losesAll) {
        const { client, stream } = reader
        const response = await client.response(1)
        assert.deepEqual([response.state, response.text.endsWith('[DONE]')], ['complete', true], `stream ${stream}`)
      } else assert.notEqual((await reader.client.response(1)).state, 'complete')
    }
    gateway.signal('SIGTERM')
    assert.equal((await gateway.exited).code, 0)
    close([...placed.map(({ client }) => client), ...served])
  })
}

test('what was on its way to it comes to another one, with every byte', async () => {
  await using origin = await startOrigin()
  await using gateway = await startWorkers({ server: { workers: 2 }, ...upTo(origin) })
  const placed = await place(gateway, 2, 2)
  void placed[0]!.client.write(telling('worker-sticks-and-exits'))
  await placed[0]!.client.response(1)
  const late = await Promise.all(Array.from({ length: 12 }, () => connect(gateway.port)))
  for (const client of late) void client.write(get('/up/x'))
  // The other one has served its share.
  await origin.request(3)
  writeFileSync(join(gateway.directory, 'released'), '')
  for (const client of late) assert.equal((await client.response()).status, 200)
  await gateway.waitForLog(DIED)
  close([...placed.map(({ client }) => client), ...late])
})

test('its places are free again', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startWorkers({ server: { workers: 2, max_connections: 4 }, ...upTo(origin) })
  const placed = await place(gateway, 2, 2)
  const { client: killer, thread: dead } = placed[0]!
  for (const { client, thread } of placed.slice(1)) if (thread !== dead) void client.write(get('/up/wait'))
  await origin.request(1)
  void killer.write(telling('worker-exits'))
  await gateway.waitForLog(DIED)
  for (const { client, thread } of placed) if (thread === dead) await client.ended()
  const late = [await connect(gateway.port), await connect(gateway.port), await connect(gateway.port)]
  for (const client of late.slice(0, 2)) void client.write(get('/up/wait'))
  await origin.request(3)
  void late[2]!.write(get('/up/wait'))
  assert.equal((await late[2]!.response()).status, 503, 'and there are no more of them')
  close([...placed.map(({ client }) => client), ...late])
})

test('one that dies while it is on its way out is told of as well', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startWorkers({ server: { workers: 2 }, ...upTo(origin) })
  const placed = await place(gateway, 2, 2)
  const [first, second] = [...new Set(placed.map(({ thread }) => thread))].map((thread) =>
    placed.filter((other) => other.thread === thread),
  )
  void first![0]!.client.write(get('/up/wait'))
  void second![0]!.client.write(get('/up/wait'))
  await origin.request(1)
  gateway.rewrite({ server: { workers: 1 }, ...upTo(origin) })
  await gateway.waitForLog('reloaded automatically')
  void first![1]!.client.write(telling('worker-exits'))
  await gateway.waitForLog(DIED)
  assert.match(gateway.log(), /"reason":"exit code 3"/)
  assert.equal(second![0]!.client.ending, undefined)
  close(placed.map(({ client }) => client))
})

test('whoever comes while none is up waits', async () => {
  await using origin = await startOrigin()
  await using gateway = await startWorkers({ server: { workers: 2 }, ...upTo(origin) })
  const clients = (await place(gateway, 2, 1)).map(({ client }) => client)
  for (const client of clients) void client.write(telling('worker-exits'))
  for (let i = 0; i < 10; i++) {
    using client = await connect(gateway.port)
    void client.write(get('/up/x'))
    // What the dying ones had taken is lost with them.
    await client.until(() => client.ending !== undefined || client.responses[0]?.state === 'complete', 'an end')
  }
  await gateway.waitForLog(DIED, 2)
  const late = await connect(gateway.port)
  void late.write(get('/up/x'))
  assert.equal((await late.response()).status, 200)
  close([...clients, late])
})

test('whoever waits while none is up is served after an upgrade', { timeout: 60_000 }, async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  await using gateway = await startWorkers({ server: { workers: 2 }, ...upTo(origin) })
  await untilServing(gateway, 2)
  // With each death the pause before the next start grows.
  for (let deaths = 1; deaths <= 3; deaths++) {
    using killer = await connect(gateway.port)
    void killer.write(telling('worker-exits'))
    await gateway.waitForLog(DIED, deaths)
  }
  const clients = await Promise.all([connect(gateway.port), connect(gateway.port)])
  for (const client of clients) void client.write(get('/up/x'))
  gateway.signal('SIGUSR2')
  for (const client of clients) assert.equal((await client.response()).status, 200)
  await gateway.waitForLog('Upgrade complete; draining')
  close(clients)
  process.kill(Number(/"Upgrade complete; draining","successor":(\d+)/.exec(gateway.log())![1]), 'SIGTERM')
})

test('one that is stuck is told of and gets nothing new, until it comes back', { timeout: 60_000 }, async () => {
  await using origin = await startOrigin()
  await using gateway = await startWorkers({ server: { workers: 2 }, ...upTo(origin) })
  const placed = await place(gateway, 2, 2)
  const { client: sticky, thread: stuck } = placed[0]!
  void sticky.write(telling('worker-sticks'))
  await gateway.waitForLog('Worker does not respond', 1, 30_000)
  assert.match(gateway.log(), /"level":"WARN","message":"Worker does not respond","worker":\d,"seconds":10/)
  const served = await connectMany(gateway, 6)
  assert.ok(!threadsOf(gateway).slice(-6).includes(stuck))
  writeFileSync(join(gateway.directory, 'released'), '')
  await sticky.response(1)
  close(served)
  await untilServing(gateway, 2)
  assert.equal(gateway.log().split('Worker does not respond').length, 2, 'said once')
  close(placed.map(({ client }) => client))
})

test('a stop does not wait for one that is stuck', { timeout: 60_000 }, async () => {
  await using origin = await startOrigin()
  await using gateway = await startWorkers({ server: { workers: 2 }, ...upTo(origin) })
  const placed = await place(gateway, 2, 2)
  void placed[0]!.client.write(telling('worker-sticks'))
  gateway.signal('SIGTERM')
  await gateway.until(() => gateway.exit, 'its exit', 30_000).catch(() => {})
  assert.notEqual(gateway.exit, undefined)
  close(placed.map(({ client }) => client))
})

test('where none ever starts, the log says so once, and one thread serves', async () => {
  await using origin = await startOrigin()
  const hook = fileURLToPath(new URL('../support/no-workers.ts', import.meta.url))
  await using gateway = await startGateway(
    { server: { workers: 2 }, ...upTo(origin) },
    { env: { NODE_OPTIONS: `--import=${hook}` } },
  )
  await gateway.waitForLog('"message":"Connections cannot be shared among workers here; one serves"')
  for (let i = 0; i < 3; i++) {
    using client = await connect(gateway.port)
    void client.write(get('/up/x'))
    assert.equal((await client.response()).status, 200)
  }
  gateway.rewrite({ server: { workers: 4 }, ...upTo(origin, { request_path: '/next' }) })
  await gateway.waitForLog('reloaded automatically')
  using client = await connect(gateway.port)
  void client.write(get('/next/x'))
  assert.equal((await client.response()).status, 200)
  gateway.signal('SIGTERM')
  assert.equal((await gateway.exited).code, 0)
  assert.equal(gateway.log().split('one serves').length, 2)
})
