import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Amount, PriceTableText } from '../../src/config/schema/price-table.ts'
import { ownPriceTable } from '../../src/prices/table.ts'
import { COMMAND } from '../support/gateway.ts'
import { temporaryFolder } from '../support/ledger-rows.ts'

/** Not `spawnSync`: the server is in this process. */
function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(COMMAND, args, { timeout: 30_000, maxBuffer: 1e8 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

/** A table as genai-prices publishes its data. */
function published({ providers }: PriceTableText): Record<string, unknown>[] {
  const amount = (given: unknown): unknown => {
    if (!Array.isArray(given)) return given
    const [base, ...rest] = given as number[]
    const tiers = rest.flatMap((start, at) => (at % 2 === 0 ? [{ start, price: rest[at + 1] }] : []))
    return { base, tiers }
  }
  const pricesOf = (prices: object): object =>
    Object.fromEntries(Object.entries(prices).map(([name, given]) => [name, amount(given as Amount)]))
  return providers.map(({ id, host, like, models }) => ({
    id,
    name: id,
    api_pattern: host,
    extractors: [{ of: 'no interest' }],
    ...(like.length > 0 && { fallback_model_providers: like }),
    models: models.map(([model, match, prices]) => ({
      id: model,
      description: 'x',
      match: Array.isArray(match) ? { or: match.map((name) => ({ equals: name })) } : match,
      prices: !Array.isArray(prices)
        ? pricesOf(prices)
        : prices.map(({ from, between, ...others }) => ({
            prices: pricesOf(others),
            ...(from !== undefined && { constraint: { start_date: from } }),
            ...(between !== undefined && { constraint: { start_time: between[0], end_time: between[1] } }),
          })),
    })),
  }))
}

async function publisher(answer: RequestListener) {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/data.json`
  return { url, [Symbol.dispose]: () => void server.close() }
}

const own = ownPriceTable()

/** What is published a little later: a model is new, one is gone, one has another price. */
function later(): Record<string, unknown>[] {
  const data = published(own)
  const openai = data.find(({ id }) => id === 'openai')!
  const models = (openai.models as { id: string; prices: unknown }[]).filter(({ id }) => id !== 'gpt-3.5-turbo')
  assert.notEqual(models.length, (openai.models as unknown[]).length)
  models.find(({ id }) => id === 'gpt-4o-mini')!.prices = { input_mtok: 7, output_mtok: 9 }
  const added = { id: 'gpt-next', match: { regex: '^gpt-next-\\d{8}$' }, prices: { input_mtok: 1, output_mtok: 2 } }
  openai.models = [...models, added]
  return data
}

test('newer prices are fetched, said what is different, and what a gateway would charge', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'public-prices.json')
  const data = JSON.stringify(later())
  using at = await publisher((_, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(data)),
  )
  const first = await run('prices', 'update', file, '--from', at.url)
  assert.equal(first.code, 0, first.stderr)
  assert.match(first.stdout, /^added {4}openai\/gpt-next: \{"input_mtok":1,"output_mtok":2\}$/m)
  assert.match(first.stdout, /^removed {2}openai\/gpt-3\.5-turbo$/m)
  assert.match(first.stdout, /^changed {2}openai\/gpt-4o-mini: \{.*\} → \{"input_mtok":7,"output_mtok":9\}$/m)
  assert.match(
    first.stdout,
    /^wrote .*: genai-prices \d{4}-\d\d-\d\d [0-9a-f]{8}; \d+ models, 1 added, 1 removed, 1 c/m,
  )
  assert.deepEqual(readdirSync(folder.path), ['public-prices.json'])

  const text = readFileSync(file, 'utf8')
  const again = await run('prices', 'update', file, '--from', at.url)
  assert.match(again.stdout, /^nothing new for .*, 0 added, 0 removed, 0 changed\n$/)
  assert.equal(readFileSync(file, 'utf8'), text)

  const config = join(folder.path, 'fluxgate.yaml')
  writeFileSync(config, 'version: 1\nusage: { price_table: public-prices.json }\n')
  const told = await run('prices', 'gpt-next-20270101', '--config', config)
  assert.match(told.stdout, /^provider openai: openai\/gpt-next of genai-prices \d{4}-.*\n {2}input +\$1 per/)

  // What one machine has fetched is taken by another, through a link as well.
  const link = join(folder.path, 'link.json')
  const copy = join(folder.path, 'copy.json')
  writeFileSync(copy, JSON.stringify(own), { mode: 0o640 })
  symlinkSync(copy, link)
  assert.equal((await run('prices', 'update', link, '--from', file)).code, 0)
  assert.equal(readFileSync(copy, 'utf8'), text)
  assert.equal(statSync(copy).mode & 0o777, 0o640)
  assert.ok(lstatSync(link).isSymbolicLink())
})

test('what is not a whole and harmless table is refused, and the file stays as it was', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'public-prices.json')
  const whole = JSON.stringify(published(own))
  const withModel = (model: object): string => {
    const [first, ...others] = published(own)
    return JSON.stringify([{ ...first, models: [...(first!.models as object[]), model] }, ...others])
  }
  const model = { id: 'm', match: { equals: 'm' }, prices: { input_mtok: 1 } }
  const cases: [string, RegExp][] = [
    [whole.slice(0, -500), /is no JSON, or not all of it/],
    ['<html>Sign in</html>', /is no JSON, or not all of it/],
    ['[1, null]', /has another shape than the data of genai-prices/],
    ['{"version": "1"}', /is no price table/],
    [JSON.stringify(published(own).slice(0, 1)), /has \d+ models, where \d+ were known: that is not all/],
    [withModel({ ...model, prices: { input_mtok: -1 } }), /providers\[0\]\.models\[\d+\]\.input_mtok: must be dollars/],
    [withModel({ ...model, prices: { input_mtok: '1' } }), /input_mtok: must be dollars from 0 to 1000000/],
    [
      withModel({ ...model, prices: { input_mtok: { base: 1, tiers: [{ start: 5 }] } } }),
      /input_mtok: must be dollars/,
    ],
    [withModel({ ...model, match: { regex: '^(a+)+$' } }), /regex: is no pattern that can be tried/],
    [withModel({ ...model, match: { regex: '.*.*.*x' } }), /regex: is no pattern that can be tried/],
    [withModel({ ...model, match: { regex: '(' } }), /regex: is no pattern that can be tried/],
    [withModel({ ...model, match: { close_to: 'm' } }), /nothing known says what it is for/],
    [withModel({ ...model, id: 'm\u001b[2J' }), /is no model/],
    [`[${'"x",'.repeat(17_000_000)}"x"]`, /has more than 64 MiB/],
  ]
  let content = ''
  using at = await publisher((request, response) =>
    request.url === '/data.json' ? response.end(content) : response.writeHead(404).end(),
  )
  for (const [text, reason] of cases) {
    content = text
    const { code, stdout, stderr } = await run('prices', 'update', file, '--from', at.url)
    assert.deepEqual([code, stdout], [1, ''], stderr)
    assert.match(stderr, /^error: http:\/\/127\.0\.0\.1.*; .*public-prices\.json is as it was\n$/)
    assert.match(stderr, reason)
    assert.ok(stderr.length < 400 && !stderr.includes('\u001b'), stderr)
  }
  assert.match((await run('prices', 'update', file, '--from', `${at.url}x`)).stderr, /answers 404/)
  assert.match((await run('prices', 'update', file, '--from', 'http://127.0.0.1:1/')).stderr, /fetch failed: /)
  assert.match((await run('prices', 'update', file, '--from', join(folder.path, 'none'))).stderr, /ENOENT/)
  assert.deepEqual(readdirSync(folder.path), [])

  content = whole
  const other = join(folder.path, 'fluxgate.yaml')
  writeFileSync(other, 'version: 1\n')
  const refused = await run('prices', 'update', other, '--from', at.url)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /is there and no price table/)
  assert.equal(readFileSync(other, 'utf8'), 'version: 1\n')
})

test('mistakes on the command line end with 2', async () => {
  const mistakes: [string[], RegExp][] = [
    [['update'], /the file to write is missing/],
    [['update', 'a', 'b'], /unexpected argument 'b'/],
    [['update', 'a', '--config', 'c'], /unexpected argument '--config'/],
    [['gpt-4o', 'more'], /unexpected argument 'more'/],
    [['gpt-4o', '--from', 'x'], /'--from' is for 'fluxgate prices update <FILE>'/],
  ]
  for (const [args, text] of mistakes) {
    const { code, stderr } = await run('prices', ...args)
    assert.equal(code, 2, args.join(' '))
    assert.match(stderr, text)
  }
  assert.match((await run('prices', '--help')).stdout, /prices update <FILE> \[--from <SOURCE>\]/)
})
