import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { formatProblem, loadConfiguration } from '../../../src/config/load.ts'

function load(yaml: string, files: Readonly<Record<string, string>> = {}, env: NodeJS.ProcessEnv = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'fluxgate-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    writeFileSync(join(folder, 'fluxgate.yaml'), `version: 1\n${yaml}`)
    const loaded = loadConfiguration(join(folder, 'fluxgate.yaml'), env)
    const told = [...(loaded.ok ? [] : loaded.problems), ...loaded.warnings].map(formatProblem).join('\n')
    return { loaded, told: told.replaceAll(`${folder}/`, ''), folder }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function ledgerOf(yaml: string, env?: NodeJS.ProcessEnv) {
  const { loaded, folder, told } = load(yaml, {}, env)
  assert.ok(loaded.ok, told)
  return { ...loaded.configuration.ledger, folder }
}

test('a ledger has its defaults, and SQLite a spill beside its file', () => {
  const { folder, ...ledger } = ledgerOf('ledger: { url: "sqlite:a.db" }')
  assert.deepEqual(ledger, {
    store: 'sqlite',
    url: join(folder, 'a.db'),
    place: `sqlite:${join(folder, 'a.db')}`,
    queueRows: 100_000,
    spillPath: join(folder, 'a.db-spill'),
    spillMaxBytes: 1_073_741_824,
    retentionDays: 90,
  })
})

test('without a ledger there is none', () => {
  const { loaded } = load('')
  assert.ok(loaded.ok)
  assert.equal(loaded.configuration.ledger, undefined)
  assert.deepEqual(loaded.configuration.prices, [])
})

test('the place of a store tells neither user nor password', () => {
  const url = 'clickhouse+https://writer:s3cr3t-of-the-store@ch.example:8443/metering'
  const { place, store, spillPath } = ledgerOf('ledger: { url: { env: LEDGER } }', { LEDGER: url })
  assert.equal(place, 'clickhouse+https://ch.example:8443/metering')
  assert.equal(store, 'clickhouse')
  assert.equal(spillPath, undefined)
  assert.equal(ledgerOf('ledger: { url: "postgresql://u:p@db/x" }').place, 'postgresql://db/x')
})

test('what is wrong with a ledger is said without its URL', () => {
  for (const url of [
    'mysql://u:hunter2-hunter2@db/x',
    'postgres://u:hunter2-hunter2#@db',
    'hunter2-hunter2',
    'sqlite:',
    // A client takes what is behind the first @ for a host, and an error would name it.
    'postgres://u:p@hunter2-hunter2@db/x',
    'clickhouse+http://u:hunter2-hunter2@x@db/x',
    // No client can read these, and none would say so before the first row.
    'postgres://u:hunter2-hunter2%zz@db/x',
    'clickhouse+https://u:hunter2-hunter2%@db/x',
    'clickhouse+https://u:p@db/hunter2-hunter2%E0',
  ]) {
    const { loaded, told } = load(`ledger: { url: "${url}" }`)
    assert.ok(!loaded.ok, url)
    assert.match(told, /^fluxgate\.yaml:2:\d+: ledger\.url: /)
    assert.doesNotMatch(told, /hunter2/)
  }
  assert.match(load('ledger: { url: { env: NOT_THERE } }').told, /takes an environment variable that is not set/)
  assert.match(load('ledger: { queue_rows: 5 }').told, /ledger: has no url/)
  assert.match(load('ledger: { url: "sqlite:a", retention_days: -1 }').told, /must be an integer from 0/)
})

test('prices become integers of nano-dollars, and their file is watched', () => {
  const { loaded, told } = load('usage: { prices: p.yaml }', {
    'p.yaml': `version: 1
prices:
  - { model: "own-*", upstream: a, input: 0.0375, output: 1.1, tiers: [{ above: 200000, input: 2 }, { above: 1000, output: 3 }] }
  - { model: "*", request: 0.002 }
`,
  })
  assert.ok(loaded.ok, told)
  const [first, second] = loaded.configuration.prices
  assert.equal(first?.rates.input, 37_500_000)
  assert.equal(first?.rates.output, 1_100_000_000)
  assert.deepEqual(
    first?.tiers.map(({ above, rates }) => [above, rates.input, rates.output]),
    [
      [1000, undefined, 3_000_000_000],
      [200_000, 2_000_000_000, undefined],
    ],
  )
  assert.equal(second?.rates.request, 2_000_000)
  assert.ok(loaded.sources.some(({ path }) => path.endsWith('/p.yaml')))
})

test('what is wrong with prices is said with its line', () => {
  const told = (text: string) => load('usage: { prices: p.yaml }', { 'p.yaml': text }).told
  assert.match(
    told('version: 1\nprices:\n  - { model: a }\n'),
    /usage\.prices: line 3 of that file: prices\[0\]: has no price/,
  )
  assert.match(
    told('version: 1\nprices:\n  - { model: a, input: -1 }\n'),
    /line 3 of that file: prices\[0\]\.input: must be/,
  )
  assert.match(told('version: 1\nprices:\n  - { model: a, inptu: 1 }\n'), /inptu: unknown, did you mean input\?/)
  assert.match(told('prices: []\n'), /version: is missing/)
  assert.match(told('version: 1\nprices: [\n'), /line 3 of that file/)
  assert.match(load('usage: { prices: none.yaml }').told, /usage\.prices: names a file that does not exist/)
})

test('an upstream says how its usage is read and whose prices hold', () => {
  const upstream = 'upstreams: { a: { request_path: /a, target_url: "http://h", api_key: k'
  const { loaded, told } = load(`${upstream}, usage: anthropic, provider: aws } }`)
  assert.ok(loaded.ok, told)
  assert.equal(loaded.configuration.upstreams[0]?.usage, 'anthropic')
  assert.equal(loaded.configuration.upstreams[0]?.provider, 'aws')
  assert.match(load(`${upstream}, usage: opanai } }`).told, /upstreams\.a\.usage: must be one of auto, off, openai/)
})

test('a table of public prices is taken as a whole, or not at all', () => {
  const table = {
    version: 'v1',
    providers: [{ id: 'p', host: 'http://h', like: [], models: [['m', ['m'], { a: 1 }]] }],
  }
  const read = (text: string) => load('usage: { price_table: t.json }', { 't.json': text })
  const { loaded } = read(JSON.stringify(table))
  assert.ok(loaded.ok)
  assert.equal(loaded.configuration.priceTable, JSON.stringify(table))
  assert.ok(loaded.sources.some(({ path }) => path.endsWith('t.json')))
  assert.match(read('{').told, /usage\.price_table: names a file that is no JSON, or not all of it/)
  const wrong = JSON.stringify(table).replace('"a":1', '"a":-1')
  assert.match(
    read(wrong).told,
    /usage\.price_table: names a file that providers\[0\]\.models\[0\]\.a: must be dollars/,
  )
  assert.match(load('usage: { price_table: none.json }').told, /price_table: names a file that does not exist/)
})
