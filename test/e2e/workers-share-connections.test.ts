import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { startOrigin } from '../support/origin.ts'
import { connectUnix } from '../support/raw-client.ts'
import { close, connectMany, counted, startWorkers, telling, threadsOf, untilServing } from '../support/workers.ts'

for (const [connections, least, most] of [
  [400, 60, 140],
  [8, 1, 4],
] as const) {
  test(`of ${connections} connections on 4 workers, none has fewer than ${least} or more than ${most}`, async () => {
    await using origin = await startOrigin()
    await using gateway = await startWorkers({ server: { workers: 4 }, ...upTo(origin) })
    await untilServing(gateway, 4)
    const clients = await connectMany(gateway, connections)
    const shares = counted(threadsOf(gateway).slice(-connections))
    close(clients)
    assert.equal(shares.get(0), undefined, 'the thread that accepts serves nobody')
    for (const [thread, share] of shares) assert.ok(share >= least && share <= most, `${thread}: ${share}`)
    assert.equal(shares.size, 4)
  })
}

test('with one worker there is no other thread, and no connection goes to one', async () => {
  await using origin = await startOrigin()
  await using gateway = await startWorkers({ server: { workers: 1 }, ...upTo(origin) })
  close(await connectMany(gateway, 3))
  assert.deepEqual(threadsOf(gateway), [0, 0, 0])
})

test('the next ones go to the worker that has fewest', async () => {
  await using origin = await startOrigin()
  await using gateway = await startWorkers({ server: { workers: 2 }, ...upTo(origin) })
  await untilServing(gateway, 2)
  const clients = await connectMany(gateway, 6)
  const threads = threadsOf(gateway).slice(-6)
  // All of one thread go; the next three are its.
  const [gone] = threads
  for (const [i, client] of clients.entries()) {
    if (threads[i] !== gone) continue
    client.socket.end()
    await client.ended()
  }
  const next = await connectMany(gateway, 3)
  assert.deepEqual(threadsOf(gateway).slice(-3), [gone, gone, gone])
  close([...clients, ...next])
})

test('a Unix socket is shared out as well', async () => {
  await using origin = await startOrigin()
  await using gateway = await startWorkers({
    server: { workers: 2, bind_address: 'unix:gateway.sock' },
    ...upTo(origin),
  })
  const path = `${gateway.directory}/gateway.sock`
  for (let i = 0; i < 4; i++) {
    using client = await connectUnix(path)
    void client.write(telling('worker-tells'))
    assert.equal((await client.response()).status, 401)
  }
  assert.equal(counted(threadsOf(gateway)).get(0), undefined)
  for (const { client_ip } of gateway.records()) assert.equal(client_ip, undefined)
})
