import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Collected } from '../../../src/metrics/collected.ts'
import { FAMILIES } from '../../../src/metrics/families.ts'
import { gatewayFamilies } from '../../../src/metrics/gateway-families.ts'
import { add, Series, set } from '../../../src/metrics/series.ts'
import { Traffic } from '../../../src/metrics/traffic.ts'
import { createTextSet } from '../../../src/runtime/text-set.ts'

const FACTS = {
  workers: 2,
  ledger: undefined,
  workerRestarts: 1,
  clients: { accepted: 10, refused: 1, busy: 3, idle: 4, limit: 1024 },
  records: { written: 8, dropped: 2 },
  generation: 5,
}

test('a histogram counts up to each bound, and its count is that of all buckets', () => {
  const collected = new Collected()
  const pages = collected.join()
  const traffic = new Traffic(new Series((memory) => pages.take(memory)), createTextSet(1_000))
  for (const ms of [1, 1, 40, 700_000]) {
    traffic.ended(traffic.upstream('a'), {
      apiKey: 'k',
      method: 'BREW',
      status: undefined,
      outcome: 'client_abort',
      failure: 'client_abort',
      isAnswered: false,
      upstreamStatus: undefined,
      durationMs: ms,
      ttfbMs: undefined,
      requestBytes: 0,
      responseBytes: 0,
      hasRetried: true,
    })
  }
  const families = new Map([...gatewayFamilies(collected, FACTS, {})].map((family) => [family.name, family]))
  const samples = (name: string) => [...families.get(name)!.samples].map((sample) => ({ ...sample }))
  const duration = samples('fluxgate_request_duration_seconds')
  const bucket = (le: string) => duration.find(({ labels }) => labels['le'] === le)!.value
  assert.deepEqual([bucket('0.005'), bucket('0.025'), bucket('0.05'), bucket('600'), bucket('+Inf')], [2, 2, 3, 3, 4])
  assert.deepEqual(duration.slice(-2), [
    { suffix: '_sum', labels: { upstream: 'a' }, value: 700.042 },
    { suffix: '_count', labels: { upstream: 'a' }, value: 4 },
  ])
  assert.deepEqual(samples('fluxgate_requests_total'), [
    { labels: { upstream: 'a', api_key: 'k', method: 'other', code: '', outcome: 'client_abort' }, value: 4 },
  ])
  assert.deepEqual(samples('fluxgate_retries_total'), [{ labels: { upstream: 'a' }, value: 4 }])
  assert.deepEqual(samples('fluxgate_client_connections'), [
    { labels: { state: 'idle' }, value: 4 },
    { labels: { state: 'busy' }, value: 3 },
  ])
  // Inner ones are for nobody else.
  const exposed = Object.entries(FAMILIES).filter(([name]) => !name.startsWith('inner'))
  assert.deepEqual(
    [...families.keys()],
    exposed.map(([name]) => name),
  )
})

test('a gauge of a thread that has ended is not shown any more', () => {
  const collected = new Collected()
  const pages = collected.join()
  const series = new Series((memory) => pages.take(memory))
  set(series.of('fluxgate_event_loop_delay_seconds', '2'), 1)
  add(series.of('fluxgate_retries_total', 'a'), 1)
  const shown = (): string[] =>
    [...gatewayFamilies(collected, FACTS, {})]
      .filter(({ name }) => name === 'fluxgate_event_loop_delay_seconds' || name === 'fluxgate_retries_total')
      .filter(({ samples }) => [...samples].length > 0)
      .map(({ name }) => name)
  assert.deepEqual(shown(), ['fluxgate_retries_total', 'fluxgate_event_loop_delay_seconds'])
  collected.leave(pages)
  assert.deepEqual(shown(), ['fluxgate_retries_total'])
})
