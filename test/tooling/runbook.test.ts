import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FAILURES } from '../../src/failure.ts'
import { EVENTS } from '../../src/observe/events.ts'
import { metricProblems } from '../support/metric-names.ts'
import { readPage } from '../support/pages.ts'

// Whoever is woken by a line of the log finds it in the runbook. (That each alert is there, dashboard-and-alerts.test.ts looks.)

const PAGE = 'docs/runbook.md'
const page = readPage(PAGE)

/** The text under each heading of the third level. */
const ENTRIES = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((entry) => [entry.slice(0, entry.indexOf('\n')), entry.slice(entry.indexOf('\n')).split(/^## /m)[0]!.trim()]),
)

for (const { level, message } of Object.values(EVENTS)) {
  if (level !== 'warn' && level !== 'error') continue
  test(`${PAGE} has ${message}`, () => {
    const entry = ENTRIES.get(`\`${message}\``)
    assert.ok(entry !== undefined, `no heading ### \`${message}\``)
    assert.ok(entry.includes(level.toUpperCase()), `it does not say that it is ${level.toUpperCase()}`)
    assert.ok(entry.length > 80, 'it says neither what it means nor what to do')
  })
}

test(`${PAGE} names metrics that there are`, () => {
  const codes = new Set(Object.keys(FAILURES).map((code) => `fluxgate_${code}`))
  assert.deepEqual(
    metricProblems(page).filter((name) => !codes.has(name)),
    [],
  )
})
