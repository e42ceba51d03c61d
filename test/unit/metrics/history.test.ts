import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Collected } from '../../../src/metrics/collected.ts'
import { FAMILIES } from '../../../src/metrics/families.ts'
import { History, percentile } from '../../../src/metrics/history.ts'
import { add, observe, Series } from '../../../src/metrics/series.ts'

test('only what has been added since counts, and what was not there before does whole', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let now = 0
  const collected = new Collected()
  const pages = collected.join()
  const series = new Series((memory) => pages.take(memory))
  const complete = series.of('inner_outcomes', 'a', 'complete')
  add(complete, 100)
  const history = new History(collected, () => now)
  add(complete, 3)
  add(series.of('inner_outcomes', 'b', 'timeout'), 2)
  assert.deepEqual(
    [...history.counts('inner_outcomes', 'upstream', 'outcome')],
    [
      ['a', { complete: 3 }],
      ['b', { timeout: 2 }],
    ],
  )
  for (let i = 0; i < 11; i++) {
    now += 5000
    t.mock.timers.tick(5000)
  }
  assert.equal(history.seconds, 55)
  // The twelfth note is as old as a minute, and the first one is forgotten.
  now += 5000
  t.mock.timers.tick(5000)
  assert.deepEqual([...history.counts('inner_outcomes', 'upstream', 'outcome')], [])
  history.close()
})

test('a percentile lies within its bucket', () => {
  const bounds = FAMILIES.fluxgate_time_to_first_byte_seconds.bounds!
  const collected = new Collected()
  const pages = collected.join()
  const counted = new Series((memory) => pages.take(memory)).of('fluxgate_time_to_first_byte_seconds', 'a')
  const history = new History(collected)
  for (let i = 0; i < 90; i++) observe(counted, bounds, 0.02)
  for (let i = 0; i < 10; i++) observe(counted, bounds, 3)
  const { p50, p95 } = history.percentiles('fluxgate_time_to_first_byte_seconds', 'upstream').get('a')!
  assert.ok(p50! > 0.01 && p50! <= 0.025, `${p50}`)
  assert.ok(p95! > 2.5 && p95! <= 5, `${p95}`)
  history.close()
  const empty = new Float64Array(bounds.length + 2)
  assert.equal(percentile('fluxgate_time_to_first_byte_seconds', empty, 0.5), null)
  empty[bounds.length] = 1
  assert.equal(percentile('fluxgate_time_to_first_byte_seconds', empty, 0.5), 600, 'nobody knows how far above')
})
