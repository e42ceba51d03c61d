import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { AT } from '../../src/ledger/row.ts'
import { openSqlite } from '../../src/ledger/stores/sqlite.ts'
import { COMMAND } from '../support/gateway.ts'
import { sampleRow, sqliteSettings, temporaryFolder } from '../support/ledger-rows.ts'

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(COMMAND, args, { encoding: 'utf8', timeout: 30_000 })
  return { status, stdout, stderr }
}

async function folderWithLedger() {
  const folder = temporaryFolder()
  const config = join(folder.path, 'fluxgate.yaml')
  writeFileSync(config, 'version: 1\nledger: { url: "sqlite:ledger.db" }\n')
  const store = openSqlite(sqliteSettings(folder.path).url, { onRecreated() {} })
  const rows = [
    sampleRow({ apiKey: 'team-a' }, { costUsd: '0.25' }),
    sampleRow(
      { apiKey: '=team-b', status: 429, outcome: 'complete' },
      { model: 'gpt-\u001b[31m', usage: 'estimated', costUsd: undefined },
    ),
    sampleRow(
      { apiKey: undefined, status: undefined, outcome: 'client_abort' },
      { usage: 'unknown', costUsd: '1', ttftMs: undefined },
    ),
  ]
  for (const [index, row] of rows.entries()) {
    row[AT.instance] = 'i'
    row[AT.sequence] = index
  }
  await store.write(rows)
  return { folder, config, store, [Symbol.asyncDispose]: () => store.close().finally(() => folder[Symbol.dispose]()) }
}

test('usage is a table, CSV or JSON, while the ledger is open elsewhere', async () => {
  await using ledger = await folderWithLedger()
  const ask = (...args: string[]) => run('usage', '--config', ledger.config, ...args)
  const json = ask('--json', '--by', 'key,status')
  assert.equal(json.status, 0, json.stderr)
  const lines = JSON.parse(json.stdout) as Record<string, unknown>[]
  assert.deepEqual(lines[0], {
    ...{ api_key: null, status: null, requests: 1, errors: 1, input_tokens: 1000, cached_tokens: 200 },
    ...{
      cache_write_tokens: 0,
      output_tokens: 500,
      reasoning_tokens: 0,
      cost_usd: 1,
      ttft_p50_ms: null,
      ttft_p95_ms: null,
    },
  })
  assert.deepEqual(
    lines.map(({ api_key, errors, cost_usd }) => [api_key, errors, cost_usd]),
    [
      [null, 1, 1],
      ['team-a', 0, 0.25],
      ['=team-b', 1, 0],
    ],
  )
  assert.match(json.stderr, /^note: 1 of 3 requests: usage is partial or estimated$/m)
  assert.match(json.stderr, /^note: 1 of 3 requests: usage is unknown and not in the sums$/m)
  assert.match(json.stderr, /^note: 1 of 3 requests: no price is known, and cost_usd leaves them out$/m)
  const csv = ask('--csv', '--by', 'key')
  assert.match(csv.stdout, /^api_key,requests,errors,input_tokens,.*\n,1,1,1000/)
  assert.match(csv.stdout, /^'=team-b,1,1,/m)
  const table = ask('--by', 'model,day')
  assert.match(table.stdout, /^MODEL +DAY +REQUESTS .*\n(?:.*\n)+total +3 +2 +3000 /)
  assert.ok(!table.stdout.includes('\u001b'), table.stdout)
  assert.match(ask('--where', 'key=team-*').stdout, /\n +1 +0 +1000 /)
  assert.equal(ask('--json', '--until', '2020-01-02', '--since', '2020-01-01', '--by', 'key').stdout, '[]\n')
})

test('mistakes end with 2, a ledger that cannot be read with 1', async () => {
  await using ledger = await folderWithLedger()
  const mistakes: [string[], RegExp][] = [
    [['--by', 'team'], /^error: invalid value 'team' for '--by <NAMES>'; known are key, model, upstream, day, hour/],
    [['--where', 'modell=x'], /^error: invalid value 'modell=x' for '--where/],
    [['--since', 'yesterday'], /^error: invalid value 'yesterday' for '--since/],
    [['--since', '1h', '--until', '2h'], /is not after/],
    [['--csv', '--json'], /cannot be used with/],
    [['more'], /^error: unexpected argument 'more' found/],
  ]
  for (const [args, text] of mistakes) {
    const { status, stderr, stdout } = run('usage', '--config', ledger.config, ...args)
    assert.deepEqual([status, stdout], [2, ''], args.join(' '))
    assert.match(stderr, text)
  }
  const none = join(ledger.folder.path, 'none.yaml')
  writeFileSync(none, 'version: 1\n')
  assert.match(run('usage', '--config', none).stderr, /^error: the configuration has no ledger; add ledger\.url/)
  writeFileSync(none, 'version: 1\nledger: { url: "sqlite:not-there.db" }\n')
  const missing = run('usage', '--config', none)
  assert.equal(missing.status, 1)
  assert.match(
    missing.stderr,
    /^error: the ledger at sqlite:.*not-there\.db cannot be read: there is no such file; the gateway makes it with its first row/,
  )
})

test('prices are told with their place, and the tables printed', async () => {
  await using ledger = await folderWithLedger()
  const known = run('prices', 'gpt-4o-mini', '--config', ledger.config)
  assert.equal(known.status, 0)
  assert.match(known.stdout, /^provider openai: openai\/gpt-4o-mini of genai-prices /m)
  assert.match(known.stdout, /^ {2}input +\$0\.15 per million tokens$/m)
  const unknown = run('prices', 'no-such-model', '--config', ledger.config)
  assert.deepEqual([unknown.status, unknown.stdout], [1, 'no price is known for "no-such-model"\n'])
  writeFileSync(join(ledger.folder.path, 'p.yaml'), 'version: 1\nprices: [{ model: "own-*", input: 2, output: 3 }]\n')
  const upstream = 'upstreams: { a: { request_path: /a, target_url: "http://h", api_key: k } }'
  writeFileSync(ledger.config, `version: 1\n${upstream}\nusage: { prices: p.yaml }\n`)
  const own = run('prices', 'own-1', '--config', ledger.config)
  assert.match(own.stdout, /^upstream a: prices\[0\] of usage\.prices\n {2}input +\$2 per/)
  writeFileSync(ledger.config, 'version: 1\nledger: { url: "postgres://u:secret-of-it@h/d" }\n')
  const schema = run('ledger', 'schema', '--config', ledger.config)
  assert.match(schema.stdout, /^CREATE TABLE IF NOT EXISTS fluxgate_records \(\n {2}instance text NOT NULL,/)
  assert.equal(run('ledger', '--config', ledger.config).status, 2)
})
