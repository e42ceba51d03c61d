import assert from 'node:assert/strict'
import { test } from 'node:test'
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
