import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { within } from '../support/deadline.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'
import { close, connectMany, place, startWorkers, telling, untilServing } from '../support/workers.ts'

const LIMIT = 10
const server = { workers: 3, max_connections: LIMIT }

test('max_connections is exact over all workers', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startWorkers({ server, ...upTo(origin) })
  await untilServing(gateway, 3)
  const clients: RawClient[] = []
  for (let i = 0; i < 2 * LIMIT; i++) {
    const client = await connect(gateway.port)
    clients.push(client)
    void client.write(get(`/up/${i}`))
    // Connections are accepted in their order.
    if (i < LIMIT) await origin.request(i)
    else assert.equal((await client.response()).status, 503, `client ${i}`)
  }
  assert.equal(origin.requests.length, LIMIT)
  for (const { connection } of origin.requests) await connection.write(ok('ok'))
  for (const client of clients.slice(0, LIMIT)) assert.equal((await client.response()).text, 'ok')
  for (const client of clients.slice(LIMIT)) assert.equal(await client.ended(), 'fin')
  close(clients)
})

test('many that come at once are as many as the limit says', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startWorkers({ server, ...upTo(origin) })
  await untilServing(gateway, 3)
  const clients = await Promise.all(Array.from({ length: 60 }, () => connect(gateway.port)))
  for (const client of clients) void client.write(get('/up/x'))
  await origin.request(LIMIT - 1)
  // Told so, or closed while it had not said a word.
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = clients.length - LIMIT
  for (const client of clients)
    client.ended().then(
      () => --left === 0 && resolve(),
      () => {},
    )
  await within(promise, 'the end of all others')
  assert.equal(clients.filter(({ ending }) => ending === undefined).length, LIMIT)
  assert.equal(origin.requests.length, LIMIT)
  close(clients)
})

test('a new one takes the place of an idle one, whichever worker has that', async () => {
  await using origin = await startOrigin(({ connection, target }) => {
    if (target !== '/wait') void connection.write(ok('ok'))
  })
  await using gateway = await startWorkers({ server, ...upTo(origin) })
  await untilServing(gateway, 3)
  const clients = await connectMany(gateway, LIMIT)
  const [idle, ...busy] = clients
  for (const client of busy) void client.write(get('/up/wait'))
  await origin.request(LIMIT - 2)
  // One after the other: each takes the place of the one before, and is idle in its turn.
  let before = idle!
  for (let i = 0; i < 2 * LIMIT; i++) {
    const late = await connect(gateway.port)
    clients.push(late)
    void late.write(get('/up/late'))
    assert.equal((await late.response()).text, 'ok', `client ${i}`)
    assert.equal(await before.ended(), 'fin')
    before = late
  }
  for (const client of busy) assert.equal(client.ending, undefined)
  close(clients)
})

test('one that has ended does not count, whichever worker had it', async () => {
  await using origin = await startOrigin(({ connection, target }) => {
    if (target !== '/wait') void connection.write(ok('ok'))
  })
  await using gateway = await startWorkers({ server, ...upTo(origin) })
  await untilServing(gateway, 3)
  const clients = await connectMany(gateway, LIMIT)
  const last = clients.pop()!
  for (const client of clients) void client.write(get('/up/wait'))
  await origin.request(LIMIT - 2)
  close([last])
  for (let i = 0; i < 2 * LIMIT; i++) {
    using client = await connect(gateway.port)
    void client.write(get('/up/x'))
    assert.equal((await client.response()).status, 200, `client ${i}`)
  }
  close(clients)
})

test('a limit that a reload lowers holds for those that come then, and nobody is cut for it', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startWorkers({ server, ...upTo(origin) })
  await untilServing(gateway, 3)
  const clients = await connectMany(gateway, LIMIT)
  const busy = clients.slice(0, 4)
  for (const client of busy) void client.write(get('/up/wait'))
  await origin.request(3)
  gateway.rewrite({ server: { ...server, max_connections: 5 }, ...upTo(origin) })
  await gateway.waitForLog('reloaded automatically')
  // Five of the six idle ones have to go for it.
  const late = await connect(gateway.port)
  void late.write(get('/up/late'))
  await origin.request(4)
  assert.ok(clients.slice(4).filter(({ ending }) => ending === undefined).length <= 2)
  const next = await connect(gateway.port)
  void next.write(get('/up/next'))
  for (const client of busy) assert.equal(client.ending, undefined)
  close([...clients, late, next])
})

test('those that wait for a worker that is stuck have a bound', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startWorkers({ server: { workers: 2, max_connections: 4 }, ...upTo(origin) })
  const placed = await place(gateway, 2, 2)
  const { client: sticky, thread: stuck } = placed[0]!
  for (const { client, thread } of placed) if (thread !== stuck) void client.write(get('/up/wait'))
  await origin.request(1)
  void sticky.write(telling('worker-sticks'))
  await sticky.response(1)
  // Each of them would hold a descriptor until it is known to be stuck, ten seconds later.
  const late = await Promise.all(Array.from({ length: 800 }, () => connect(gateway.port)))
  const ended = (): number => late.filter(({ ending }) => ending !== undefined).length
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const client of late)
    client.ended().then(
      () => ended() > 0 && resolve(),
      () => {},
    )
  await within(promise, 'the end of some', 7000)
  assert.equal(gateway.log().includes('Worker does not respond'), false)
  close([...placed.map(({ client }) => client), ...late])
})
