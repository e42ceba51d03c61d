import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Snapshot } from '../../src/config/snapshot.ts'
import { ACCESS_FIELDS, createRecordFormatter } from '../../src/observe/access-log.ts'

// People copy from the page of log systems. What it says of lines must hold of them.

const page = readFileSync(new URL('../../docs/guide/log-systems.md', import.meta.url), 'utf8')
const SNAPSHOT = { keys: { staticKeys: new Map(), jwtKeys: new Map() } } as unknown as Snapshot
const NASTY = 'a,"status":1,\\"status\\":2'

const line = createRecordFormatter({ level: 'trace', format: 'json', colour: false })(
  {
    level: 'warn',
    clientIp: NASTY,
    peerIp: NASTY,
    method: NASTY,
    requestUrl: NASTY,
    requestBodyLength: NASTY,
    apiKey: NASTY,
    subject: NASTY,
    clientCertificate: NASTY,
    targetUrl: NASTY,
    upstream: NASTY,
    durationMs: 1,
    status: 502,
    responseBodyLength: NASTY,
    requestBytes: 1,
    responseBytes: 1,
    ttfbMs: 1,
    outcome: 'upstream_abort',
    error: NASTY,
    upstreamAddress: NASTY,
    requestId: NASTY,
    cause: NASTY,
  },
  SNAPSHOT,
)

test('the rule for Datadog’s Agent renames the status of a record, and nothing else', () => {
  const [, pattern] = /pattern: '(.+)'/.exec(page)!
  const [, replacement] = /replace_placeholder: '(.+)'/.exec(page)!
  const renamed = line.replaceAll(new RegExp(pattern!, 'g'), replacement!.replace(/\$\{(\d)\}/, '$$$1'))
  const { status, ...rest } = JSON.parse(line)
  assert.equal(status, 502)
  const { http_status, ...left } = JSON.parse(renamed)
  assert.equal(http_status, 502)
  assert.deepEqual(left, rest)
})

test('the processors for Datadog are JSON, and read members that there are', () => {
  const [, processors] = /```json\n([\s\S]+?)```/.exec(page)!
  const members = new Set(['time', 'level', 'http_status', ...Object.keys(ACCESS_FIELDS)])
  for (const { sources } of JSON.parse(processors!)) {
    for (const source of sources ?? []) assert.ok(members.has(source), source)
  }
})

test('every member in its tables is one of a line', () => {
  const members = new Set([...['time', 'level', 'message', 'severity'], ...Object.keys(ACCESS_FIELDS)])
  const table = page.slice(page.indexOf('| member |'), page.indexOf('A name has the same type'))
  for (const row of table.split('\n').filter((each) => each.startsWith('| `'))) {
    for (const [, name] of row.split('|')[1]!.matchAll(/`(\w+)`/g)) assert.ok(members.has(name!), row)
  }
})
