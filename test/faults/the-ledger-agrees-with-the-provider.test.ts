import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { CLIENT_KEY, type ConfigObject, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { temporaryFolder } from '../support/ledger-rows.ts'
import { type OriginRequest, startOrigin } from '../support/origin.ts'
import { connect, latin1, type RawClient } from '../support/raw-client.ts'
import { DIED, startWorkers, telling } from '../support/workers.ts'

/** What the provider charges for an exchange, by its number. */
const inputOf = (id: number): number => 10 + (id % 1000)
const outputOf = (id: number): number => 1 + (id % 97)

const KINDS = ['unary', 'stream', 'gzip', 'endless'] as const
type Kind = (typeof KINDS)[number]
const kindOf = (id: number): Kind => KINDS[id % KINDS.length]!

const usageText = (id: number): string =>
  `"usage":{"prompt_tokens":${inputOf(id)},"completion_tokens":${outputOf(id)},"total_tokens":0}`
const event = (data: string): string => `data: ${data}\n\n`
const delta = (id: number): string =>
  event(`{"id":"c${id}","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"word "}}]}`)
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

/** Each exchange that the provider has brought to its end. */
const charged = new Set<number>()

async function answer(request: OriginRequest): Promise<void> {
  await request.ended()
  const { connection } = request
  const id = Number(/n=(\d+)/.exec(request.target)![1])
  const kind = kindOf(id)
  const body = `{"id":"c${id}","model":"gpt-4o-mini","choices":[{"index":0,"message":{"content":"words"}}],${usageText(id)}}`
  if (kind === 'unary' || kind === 'gzip') {
    const content = kind === 'gzip' ? gzipSync(body) : latin1(body)
    const coding = kind === 'gzip' ? 'Content-Encoding: gzip\r\n' : ''
    const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${coding}Content-Length: ${content.length}\r\n\r\n`
    charged.add(id)
    await connection.write(Buffer.concat([latin1(head), content]))
    return
  }
  await connection.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
  for (let i = 0; i < (kind === 'endless' ? 1_000_000 : 5); i++) {
    if (!(await connection.write(chunk(delta(id))))) return
    await new Promise(setImmediate)
  }
  charged.add(id)
  await connection.write(chunk(event(`{"id":"c${id}","model":"gpt-4o-mini","choices":[],${usageText(id)}}`)))
  await connection.write(`${chunk(event('[DONE]'))}0\r\n\r\n`)
}

function requestOf(id: number): string {
  const body = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'
  return `POST /openai/v1/chat/completions?n=${id} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

interface Row {
  readonly request_url: string
  readonly instance: string
  readonly sequence: number
  readonly input_tokens: number | null
  readonly output_tokens: number | null
  readonly usage: string | null
  readonly cost_usd: number | null
}

function rowsOf(file: string): Row[] {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return db.prepare('SELECT * FROM fluxgate_records').all() as unknown as Row[]
  } finally {
    db.close()
  }
}

const idOf = ({ request_url }: Pick<Row, 'request_url'>): number => Number(/n=(\d+)/.exec(request_url)?.[1] ?? -1)

/** No row twice, none missing but at the end of an instance, and each as the provider has charged it. */
function compare(rows: readonly Row[]): void {
  const instances = Map.groupBy(rows, ({ instance }) => instance)
  for (const [instance, own] of instances) {
    const sequences = own.map(({ sequence }) => sequence).sort((a, b) => a - b)
    assert.deepEqual(
      sequences,
      sequences.map((_, nth) => nth + 1),
      instance,
    )
  }
  const ids = rows.map(idOf).filter((id) => id >= 0)
  assert.equal(new Set(ids).size, ids.length)
  for (const row of rows) {
    const id = idOf(row)
    if (id < 0 || row.usage !== 'exact') continue
    assert.ok(charged.has(id), `${id} is exact, and was never brought to its end`)
    assert.deepEqual([row.input_tokens, row.output_tokens], [inputOf(id), outputOf(id)], `${id}`)
    assert.ok(row.cost_usd !== null)
  }
}

let next = 0

/** One after the other on a connection of its own; an endless stream is left in the middle. */
async function work(gateway: RunningGateway, count: number, whole: Set<number>): Promise<void> {
  let client: RawClient | undefined
  for (let nth = 0; nth < count && gateway.exit === undefined; nth++) {
    const id = next++
    try {
      if (client === undefined || client.socket.destroyed || client.ending !== undefined) {
        client = await connect(gateway.port)
      }
      const before = client.responses.length
      await client.write(requestOf(id))
      if (kindOf(id) === 'endless') {
        const seen = client.receivedBytes
        await client.until(() => client!.receivedBytes > seen + 2_000, 'some of a stream')
        client.socket.destroy()
        client = undefined
        continue
      }
      const { state } = await client.response(before)
      if (state === 'complete') whole.add(id)
    } catch {
      // Its worker has died, or the gateway.
      client?.socket.destroy()
      client = undefined
    }
  }
  client?.socket.destroy()
}

const configuration = (url: string, file: string, more: ConfigObject = {}): ConfigObject => ({
  server: { workers: 2 },
  ledger: { url: `sqlite:${file}` },
  upstreams: { openai: { request_path: '/openai', target_url: url, api_key: PROVIDER_KEY }, ...more },
})

test('after aborts, reloads, deaths of workers and a store that is locked, the sums are those of the provider', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'ledger.db')
  await using origin = await startOrigin(answer)
  const config = configuration(origin.url, file, {
    up: { request_path: '/up', target_url: origin.url, api_key: 'x'.repeat(20) },
  })
  await using gateway = await startWorkers(config)
  const whole = new Set<number>()
  const clients = Array.from({ length: 8 }, () => work(gateway, 60, whole))
  await gateway.until(() => existsSync(file), 'the file of the ledger')
  for (let n = 1; n <= 2; n++) {
    using killer = await connect(gateway.port)
    void killer.write(telling('worker-throws'))
    await gateway.waitForLog(DIED, n)
    gateway.rewrite({ ...config, server: { workers: 2, max_connections: 1000 + n } })
    await gateway.waitForLog('Configuration file changed, reloaded automatically', n)
  }
  const lock = new DatabaseSync(file, { timeout: 5_000 })
  lock.exec('BEGIN IMMEDIATE')
  await Promise.all(Array.from({ length: 4 }, () => work(gateway, 10, whole)))
  lock.exec('COMMIT')
  lock.close()
  await Promise.all(clients)
  gateway.signal('SIGTERM')
  await gateway.exited
  const rows = rowsOf(file)
  compare(rows)
  assert.equal(rows.length, gateway.records().length)
  assert.match(
    gateway.log(),
    /"message":"Ledger closed","accepted":(\d+),"written":\1,"queued":0,"spilled":0,"dropped":0/,
  )
  const byId = new Map(rows.map((row) => [idOf(row), row]))
  for (const id of whole) assert.equal(byId.get(id)?.usage, 'exact', `${id}`)
  const sum = (of: (row: Row) => number): number => rows.reduce((all, row) => all + of(row), 0)
  const exact = rows.filter(({ usage }) => usage === 'exact').map(idOf)
  assert.ok(exact.length >= whole.size && exact.length > 200)
  assert.equal(
    sum((row) => (row.usage === 'exact' ? row.input_tokens! : 0)),
    exact.reduce((all, id) => all + inputOf(id), 0),
  )
})

test('kill -9 loses no more than the last second, and doubles nothing', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'ledger.db')
  await using origin = await startOrigin(answer)
  const safe = new Set<number>()
  for (let round = 0; round < 3; round++) {
    await using gateway = await startGateway(configuration(origin.url, file))
    const whole = new Set<number>()
    await Promise.all(Array.from({ length: 4 }, () => work(gateway, 15, whole)))
    for (const id of whole) safe.add(id)
    // They are older than a second when a record says so.
    const last = Date.parse(gateway.records().at(-1)!.time)
    const busy = Array.from({ length: 4 }, () => work(gateway, Number.POSITIVE_INFINITY, new Set()))
    await gateway.until(() => Date.parse(gateway.records().at(-1)!.time) > last + 1_000, 'a late record')
    gateway.kill()
    await Promise.all(busy)
  }
  await using gateway = await startGateway(configuration(origin.url, file))
  await gateway.waitForLog('Ledger opened')
  gateway.signal('SIGTERM')
  await gateway.exited
  const rows = rowsOf(file)
  compare(rows)
  const there = new Set(rows.map(idOf))
  for (const id of safe) assert.ok(there.has(id), `${id}`)
})
