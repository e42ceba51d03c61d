import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { Collected } from '../../../src/metrics/collected.ts'
import { expose, type Family } from '../../../src/metrics/exposition.ts'
import { gatewayFamilies } from '../../../src/metrics/gateway-families.ts'
import { processFamilies } from '../../../src/metrics/process-families.ts'
import { Series } from '../../../src/metrics/series.ts'
import { Traffic } from '../../../src/metrics/traffic.ts'
import { createTextSet } from '../../../src/runtime/text-set.ts'

const text = (families: Iterable<Family>, format: 'prometheus' | 'openmetrics' = 'prometheus'): string =>
  [...expose(families, format)].join('')

const counter = (samples: Family['samples'], help = 'What it is.'): Family => ({
  name: 'a_total',
  type: 'counter',
  help,
  samples,
})

test('labels and help are escaped', () => {
  const family = counter([{ labels: { l: 'a"b\\c\nd', m: '' }, value: 1 }], 'back\\slash, "quote",\nline')
  const value = 'a_total{l="a\\"b\\\\c\\nd",m=""} 1\n'
  assert.equal(text([family]), `# HELP a_total back\\\\slash, "quote",\\nline\n# TYPE a_total counter\n${value}`)
  assert.equal(
    text([family], 'openmetrics'),
    `# HELP a back\\\\slash, \\"quote\\",\\nline\n# TYPE a counter\n${value}# EOF\n`,
  )
})

test('numbers are those that parsers take', () => {
  const values = [0, 1, 0.1, 1e21, 1e-7, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]
  const lines = text([counter(values.map((value) => ({ labels: {}, value })))])
    .split('\n')
    .slice(2, -1)
  assert.deepEqual(
    lines,
    ['0', '1', '0.1', '1e+21', '1e-7', '+Inf', '-Inf', 'NaN'].map((shown) => `a_total ${shown}`),
  )
})

test('a family without a series is left out', () => {
  assert.equal(text([counter([])]), '')
  assert.equal(text([counter([])], 'openmetrics'), '# EOF\n')
})

test('bounds are floats in OpenMetrics', () => {
  const samples = ['0.5', '1', '+Inf'].map((le) => ({ suffix: '_bucket', labels: { le }, value: 1 }))
  const lines = text([{ name: 'h', type: 'histogram', help: '', samples }], 'openmetrics')
    .split('\n')
    .slice(2, -2)
  assert.deepEqual(lines, ['h_bucket{le="0.5"} 1', 'h_bucket{le="1.0"} 1', 'h_bucket{le="+Inf"} 1'])
})

const hasPromtool = spawnSync('promtool', ['--version']).status === 0

test('promtool has nothing to say about it', { skip: hasPromtool ? false : 'promtool is not installed' }, () => {
  const collected = new Collected()
  const pages = collected.join()
  const traffic = new Traffic(new Series((memory) => pages.take(memory)), createTextSet(1_000))
  const upstream = traffic.upstream('a')
  upstream.connected('ok', 0.01)
  upstream.connections('idle', 1)
  traffic.ended(upstream, {
    ...{ apiKey: 'k', method: 'GET', status: 503, outcome: 'refused', failure: 'shutdown', isAnswered: true },
    ...{ upstreamStatus: 200, durationMs: 5, ttfbMs: 4, requestBytes: 1, responseBytes: 1, hasRetried: true },
  })
  const facts = {
    ...{ ledger: undefined, workers: 1, workerRestarts: 0, generation: 1, records: { written: 1, dropped: 0 } },
    clients: { accepted: 1, refused: 0, busy: 0, idle: 1, limit: 10 },
  }
  const families = [...gatewayFamilies(collected, facts, {}), ...processFamilies()]
  const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], {
    input: text(families),
    encoding: 'utf8',
  })
  assert.deepEqual([status, stderr + stdout], [0, ''])
})
