import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Snapshot } from '../../../src/config/snapshot.ts'
import { Pools } from '../../../src/upstream/pools.ts'
import { answering, events, type Told, upstreamAt, used } from './one-exchange.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

function snapshotOf(...ports: number[]): Snapshot {
  return { upstreams: ports.map((port) => upstreamAt(port)) } as unknown as Snapshot
}

test('upstreams with one endpoint share a pool, which outlives them', () => {
  const pools = new Pools<Told>(events)
  const pool = pools.of(upstreamAt(1))
  assert.equal(pools.of({ ...upstreamAt(1), name: 'other', prefix: '/other' }), pool)
  assert.notEqual(pools.of(upstreamAt(2)), pool)
  pools.publish(snapshotOf(1, 2))
  assert.equal(pools.of(upstreamAt(1)), pool)
})

test('an endpoint that is no longer named loses its connections, and gets another pool when it is back', async () => {
  await using server = await answering(OK)
  const pools = new Pools<Told>(events)
  const pool = pools.of(upstreamAt(server.port))
  const connection = await used(pool)
  connection.release(true)
  pools.publish(snapshotOf(server.port))
  assert.equal(pool.idleCount, 1)
  pools.publish(snapshotOf(1))
  assert.equal(pool.idleCount, 0)
  assert.equal(connection.isUsable, false)
  assert.notEqual(pools.of(upstreamAt(server.port)), pool)
})

test('at the end every pool is retired', async () => {
  await using server = await answering(OK)
  const pools = new Pools<Told>(events)
  const connection = await used(pools.of(upstreamAt(server.port)))
  connection.release(true)
  pools.close()
  assert.equal(connection.isUsable, false)
})

describe('connections are counted', () => {
  const counts = (pools: Pools<Told>): object => Object.fromEntries(pools.connections())

  test('by the name that their upstream has now', async () => {
    await using server = await answering(OK)
    const [before, after] = ['before', 'after'].map((name) => ({ ...upstreamAt(server.port), name }))
    const pools = new Pools<Told>(events)
    const pool = pools.of(before!)
    const [idle, busy] = [await used(pool, before), await used(pool, before)]
    idle.release(true)
    assert.deepEqual(counts(pools), { before: { idle: 1, busy: 1, connecting: 0 } })
    pools.publish({ upstreams: [after] } as unknown as Snapshot)
    // Its exchange began under that name.
    assert.deepEqual(counts(pools), {
      before: { idle: 0, busy: 1, connecting: 0 },
      after: { idle: 1, busy: 0, connecting: 0 },
    })
    busy.release(true)
    assert.deepEqual(counts(pools), { after: { idle: 2, busy: 0, connecting: 0 } })
    pools.close()
    assert.deepEqual(counts(pools), {})
  })

  test('while they are made, and no longer', async () => {
    await using server = await answering(OK)
    const pools = new Pools<Told>(events)
    const upstream = upstreamAt(server.port)
    const never = (): never => assert.fail('nobody is to hear of this')
    const connect = (): (() => void) =>
      pools.of(upstream).connect(upstream, { trying() {}, connected: never, failed: never })
    const [first, second] = [connect(), connect()]
    assert.deepEqual(counts(pools), { up: { idle: 0, busy: 0, connecting: 2 } })
    first()
    assert.deepEqual(counts(pools), { up: { idle: 0, busy: 0, connecting: 1 } })
    second()
    assert.deepEqual(counts(pools), {})
    const connection = await used(pools.of(upstream))
    connection.close()
    assert.deepEqual(counts(pools), {})
    pools.close()
  })
})
