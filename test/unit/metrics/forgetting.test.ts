import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Snapshot } from '../../../src/config/snapshot.ts'
import { Collected, totalOf } from '../../../src/metrics/collected.ts'
import { createForgetting } from '../../../src/metrics/forgetting.ts'
import { add, Series } from '../../../src/metrics/series.ts'
import { type Ended, Traffic } from '../../../src/metrics/traffic.ts'
import { createTextSet } from '../../../src/runtime/text-set.ts'

const HOUR_MS = 3_600_000

const ENDED: Ended = {
  apiKey: 'team',
  method: 'POST',
  status: 200,
  outcome: 'complete',
  failure: undefined,
  isAnswered: false,
  upstreamStatus: 200,
  durationMs: 1,
  ttfbMs: 1,
  requestBytes: 1,
  responseBytes: 1,
  hasRetried: false,
}

function setUp() {
  const collected = new Collected()
  const pages = collected.join()
  const traffic = new Traffic(new Series((memory) => pages.take(memory)), createTextSet(1_000))
  const forgotten: string[] = []
  let now = 0
  const forgetting = createForgetting(
    collected,
    (label, values) => {
      for (const value of values) forgotten.push(`${label} ${value}`)
      traffic.forget(label, values)
    },
    () => now,
  )
  const names = (upstreams: string[], keys: string[]): void =>
    forgetting.publish({ upstreams: upstreams.map((name) => ({ name })), keyNames: () => keys } as unknown as Snapshot)
  const after = (ms: number): boolean => {
    now += ms
    return forgetting.look()
  }
  const requests = (): string[] =>
    [...collected.rows('fluxgate_requests_total')].map(({ labels }) => labels.slice(0, 2).join())
  return { collected, traffic, forgotten, names, after, requests }
}

test('series of a key and of an upstream that were removed go after an hour, the others stay', () => {
  const { traffic, forgotten, names, after, requests } = setUp()
  for (const upstream of ['a', 'b', '']) {
    for (const apiKey of ['team', 'other', '']) traffic.ended(traffic.upstream(upstream), { ...ENDED, apiKey })
  }
  names(['a'], ['team'])
  assert.equal(after(0), true)
  assert.equal(requests().length, 9)
  assert.equal(after(HOUR_MS - 1), true)
  assert.equal(requests().length, 9)
  assert.equal(after(1), false)
  assert.deepEqual(requests().sort(), [',', ',team', 'a,', 'a,team'])
  assert.deepEqual(forgotten, ['upstream b', 'api_key other'])
})

test('an exchange that runs keeps those of its upstream', () => {
  const { traffic, names, after, requests } = setUp()
  const { inFlight } = traffic.upstream('a')
  add(inFlight, 1)
  names([], ['team'])
  after(0)
  assert.equal(after(10 * HOUR_MS), true)
  traffic.ended(traffic.upstream('a'), ENDED)
  add(inFlight, -1)
  // What it has counted at its end has its own hour.
  assert.equal(after(0), true)
  assert.deepEqual(requests(), ['a,team'])
  assert.equal(after(HOUR_MS), false)
  assert.deepEqual(requests(), [])
})

test('what comes back in time goes on, and what comes back later begins anew', () => {
  const { collected, traffic, names, after, requests } = setUp()
  traffic.ended(traffic.upstream('a'), ENDED)
  names([], ['team'])
  after(0)
  names(['a'], ['team'])
  after(HOUR_MS)
  names([], ['team'])
  assert.equal(after(0), true)
  traffic.ended(traffic.upstream('a'), ENDED)
  after(HOUR_MS)
  assert.deepEqual(requests(), [])
  names(['a'], ['team'])
  traffic.ended(traffic.upstream('a'), ENDED)
  const [row] = collected.rows('fluxgate_requests_total')
  assert.equal(totalOf(row!), 1)
})

test('what an exchange counts at its end has its own hour, where something was counted before as well', () => {
  const { traffic, names, after, requests } = setUp()
  const { inFlight } = traffic.upstream('a')
  traffic.ended(traffic.upstream('a'), ENDED)
  add(inFlight, 1)
  names([], ['team'])
  after(0)
  after(2 * HOUR_MS)
  traffic.ended(traffic.upstream('a'), ENDED)
  add(inFlight, -1)
  assert.equal(after(1), true)
  assert.deepEqual(requests(), ['a,team'])
  assert.equal(after(HOUR_MS), false)
  assert.deepEqual(requests(), [])
})

test('a key that is gone goes from an upstream that always has an exchange, an hour after the last that it counted', () => {
  const { traffic, names, after, requests } = setUp()
  traffic.ended(traffic.upstream('a'), ENDED)
  add(traffic.upstream('a').inFlight, 1)
  names(['a'], [])
  after(0)
  traffic.ended(traffic.upstream('a'), ENDED)
  assert.equal(after(HOUR_MS - 1), true)
  assert.equal(after(1), true)
  assert.deepEqual(requests(), ['a,team'])
  assert.equal(after(HOUR_MS), false)
  assert.deepEqual(requests(), [])
})

test('tens of thousands of series go in one step, without a look at all others for each', () => {
  const { collected, traffic, names, after, forgotten } = setUp()
  const keys = Array.from({ length: 2000 }, (_, i) => `key-${i}`)
  for (const apiKey of keys) traffic.ended(traffic.upstream('a'), { ...ENDED, apiKey })
  const { drop } = collected
  let drops = 0
  collected.drop = (rows) => {
    drops++
    drop.call(collected, rows)
  }
  names(['a'], [])
  after(0)
  assert.equal(after(HOUR_MS), false)
  assert.equal(forgotten.length, keys.length)
  assert.equal(drops, 1)
})
