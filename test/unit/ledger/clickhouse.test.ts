import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { AT, type Row } from '../../../src/ledger/row.ts'
import { faultOf } from '../../../src/ledger/store.ts'
import { connectClickhouse, openClickhouse } from '../../../src/ledger/stores/clickhouse.ts'
import { askClickhouse } from '../../../src/tools/usage/servers.ts'
import { within } from '../../support/deadline.ts'
import { sampleRow, temporaryFolder } from '../../support/ledger-rows.ts'

const DOOR = fileURLToPath(new URL('../../support/chdb-door.py', import.meta.url))
const hasChdb = spawnSync('python3', ['-c', 'import chdb'], { stdio: 'ignore' }).status === 0
const skip = hasChdb ? false : 'chdb (PyPI) is not installed'

function keyed(row: Row, sequence: number): Row {
  row[AT.instance] = 'a'
  row[AT.sequence] = sequence
  return row
}

async function startDoor() {
  const folder = temporaryFolder()
  const child = spawn('python3', [DOOR, folder.path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await within(once(child.stdout, 'data'), 'the port of chdb', 60_000)) as [Buffer]
  return {
    url: `clickhouse+http://default:s3cret@127.0.0.1:${line.toString().trim()}/default`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await once(child, 'close')
      folder[Symbol.dispose]()
    },
  }
}

test('rows of ClickHouse: made by the gateway, counted once, and asked for', { skip }, async () => {
  await using door = await startDoor()
  const store = openClickhouse(door.url)
  const at = Date.UTC(2026, 0, 2, 3, 4, 5, 6)
  const odd = `it's "a"\\b\n\t☺`
  const rows = [
    keyed(sampleRow({ apiKey: odd }, { costUsd: '0.000000001', units: { seconds: 1 } }, at), 1),
    keyed(sampleRow({ status: undefined, outcome: 'timeout' }, { costUsd: '2', usage: 'unknown' }, at), 2),
  ]
  await store.write(rows)
  await store.write(rows)
  const window = { sinceMs: at, untilMs: at + 1 }
  const lines = await askClickhouse(door.url, { ...window, by: ['key', 'day', 'hour', 'status'], where: [] })
  assert.deepEqual(
    lines
      .map(({ values, requests, errors, inputTokens, costNanoUsd, unknown, ttftP50Ms }) => [
        ...[...values, requests, errors, inputTokens, costNanoUsd, unknown, ttftP50Ms],
      ])
      .sort(),
    [
      [odd, '2026-01-02', '2026-01-02T03:00Z', '200', 1, 0, 1000, 1, 0, 40],
      ['team-a', '2026-01-02', '2026-01-02T03:00Z', '', 1, 1, 1000, 2_000_000_000, 1, 40],
    ].sort(),
  )
  const where = [{ dimension: 'key', pattern: "it's *b\n\t☺" } as const]
  assert.equal((await askClickhouse(door.url, { ...window, by: [], where }))[0]?.requests, 1)
  assert.equal(await store.prune(at + 3 * 86_400_000), true)
  assert.equal(await store.prune(at + 3 * 86_400_000), false)
  assert.equal((await connectClickhouse(door.url).run('SELECT count() FROM fluxgate_records')).trim(), '0')
})

test('ClickHouse takes halves of characters as what they are, and says which rows it refuses', { skip }, async () => {
  await using door = await startDoor()
  const store = openClickhouse(door.url)
  const refusalOf = (row: Row): Promise<boolean> =>
    store.write([keyed(row, 1)]).then(
      () => false,
      (error: unknown) => store.refuses(error),
    )
  assert.equal(await refusalOf(sampleRow({}, { model: 'half-\ud83d' })), false)
  const [line] = await askClickhouse(door.url, { sinceMs: 0, untilMs: Date.now() + 1, by: ['model'], where: [] })
  assert.deepEqual(line?.values, ['half-\ufffd'])
  for (const row of [sampleRow({}, { costUsd: '1e12' }), sampleRow({ status: 1.5 })]) {
    assert.equal(await refusalOf(row), true)
  }
})

test('what ClickHouse says is wrong is told without the password, and the write has failed', async () => {
  const server = createServer((request, response) => {
    response.writeHead(516).end(`Code: 516. bad key ${request.headers['x-clickhouse-key']}\nmore`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `clickhouse+http://u:pa%2Fss@127.0.0.1:${(server.address() as AddressInfo).port}/d`
  const error = await openClickhouse(url)
    .write([keyed(sampleRow(), 1)])
    .then(
      () => assert.fail('it was written'),
      (error: unknown) => faultOf(error, url),
    )
  assert.equal(error, 'HTTP 516: Code: 516. bad key ***')
  server.close()
  server.closeAllConnections()
})

test('no fault has a part of a password in it', async () => {
  for (const [written, password] of [
    ['first%0Asecond', 'first'],
    ['pa%2Fss', 'pa'],
  ] as const) {
    const url = `clickhouse+http://u:${written}@127.0.0.1:1/d`
    const error = await openClickhouse(url)
      .write([keyed(sampleRow(), 1)])
      .catch((error: unknown) => faultOf(error, url))
    assert.ok(typeof error === 'string' && !error.includes(password), `${error}`)
  }
})

test('a server that says yes to everything is no ClickHouse, and no row is lost to it', async () => {
  const server = createServer((_, response) => void response.end('<html>welcome</html>')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const store = openClickhouse(`clickhouse+http://u:p@127.0.0.1:${(server.address() as AddressInfo).port}/d`)
  await assert.rejects(store.write([keyed(sampleRow(), 1)]), /no ClickHouse/)
  server.close()
  server.closeAllConnections()
})
