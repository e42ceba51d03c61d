import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { FAILURES } from '../../src/failure.ts'
import { metricProblems } from '../support/metric-names.ts'
import { readPage } from '../support/pages.ts'

// Dashboard and alerts ask for metrics that there are, and each alert has been seen to fire.

const FOLDER = fileURLToPath(new URL('../../deploy/prometheus', import.meta.url))

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string }
}

interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[]
}

const ALERTS = (
  parse(readPage('deploy/prometheus/fluxgate.rules.yaml')) as { groups: { rules: Rule[] }[] }
).groups.flatMap(({ rules }) => rules)

/** Every query of a dashboard: those of its panels, variables and annotations. */
function queriesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(queriesOf)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, each]) =>
    (key === 'expr' || key === 'query') && typeof each === 'string' ? [each] : queriesOf(each),
  )
}

/** `fluxgate_a` and `fluxgate_(a|b)` in a matcher of `code`. */
function refusalCodes(text: string): string[] {
  return [...text.matchAll(/code=~?"fluxgate_\(?([\w|]+)\)?"/g)].flatMap(([, codes]) => codes!.split('|'))
}

const QUERIES = queriesOf(JSON.parse(readPage('deploy/grafana/fluxgate.json')))

test('the dashboard asks for metrics and labels that there are', () => {
  assert.ok(QUERIES.length > 30)
  assert.deepEqual(QUERIES.flatMap(metricProblems), [])
})

test('the ids of its panels differ, and none lies upon another', () => {
  const { panels } = JSON.parse(readPage('deploy/grafana/fluxgate.json')) as {
    panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[]
  }
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
  )
  assert.equal(new Set(cells).size, cells.length)
})

for (const { alert, expr, labels, annotations } of ALERTS) {
  test(`${alert} asks for metrics that there are, and says what to do`, () => {
    assert.deepEqual(metricProblems(`${expr} ${annotations.description}`), [])
    for (const code of refusalCodes(expr)) assert.ok(code in FAILURES, code)
    assert.match(labels.severity, /^(?:page|ticket)$/)
    assert.match(annotations.summary, /\.$/)
    const [page, anchor] = annotations.runbook_url.split('#')
    assert.equal(anchor, alert.toLowerCase())
    assert.match(readPage(page!), new RegExp(`^### ${alert}$`, 'm'))
  })
}

test('each alert fires in a test of its own', () => {
  const { tests } = parse(readPage('deploy/prometheus/fluxgate.rules.test.yaml')) as { tests: RuleTest[] }
  const fired = tests.flatMap((each) =>
    each.alert_rule_test.filter(({ exp_alerts }) => exp_alerts.length > 0).map(({ alertname }) => alertname),
  )
  assert.deepEqual([...new Set(fired)].sort(), ALERTS.map(({ alert }) => alert).sort())
})

test('a metric, a label and a histogram without its suffix are seen where they are wrong', () => {
  const text =
    'fluxgate_requests_total{outcome="x",path="/"} fluxgate_request_total fluxgate_request_duration_seconds ' +
    'fluxgate_request_duration_seconds_bucket{le="1"} fluxgate_workers_count process_open_fds{job="a"} inner_keys fluxgate_workers'
  assert.deepEqual(metricProblems(text), [
    'fluxgate_requests_total{path}',
    'fluxgate_request_total',
    'fluxgate_request_duration_seconds',
    'fluxgate_workers_count',
  ])
})

const skip = spawnSync('promtool', ['--version']).error === undefined ? false : 'promtool is not installed'

test('promtool takes the rules, and its tests of them pass', { skip }, () => {
  for (const args of [
    ['check', 'rules', 'fluxgate.rules.yaml'],
    ['test', 'rules', 'fluxgate.rules.test.yaml'],
    ['check', 'config', '--syntax-only', '../compose/prometheus/prometheus.yaml'],
  ]) {
    const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: FOLDER, encoding: 'utf8' })
    assert.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`)
  }
})

test('promtool can read the queries of the dashboard', { skip }, () => {
  const scratch = mkdtempSync(path.join(tmpdir(), 'queries-'))
  try {
    // What Grafana puts in; queries of variables are Grafana's own.
    const rules = QUERIES.filter((query) => !query.startsWith('label_values('))
      .filter((query) => query !== 'prometheus')
      .map((query, at) => ({ record: `query:${at}`, expr: query.replaceAll('$__rate_interval', '5m') }))
    const file = path.join(scratch, 'queries.yaml')
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
  } finally {
    rmSync(scratch, { recursive: true })
  }
})
