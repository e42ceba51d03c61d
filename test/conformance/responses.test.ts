import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CLIENT_KEY, type LoggedRecord, PROVIDER_KEY } from '../support/gateway.ts'
import type { Message } from '../support/message.ts'
import type { OriginConnection, OriginRequest } from '../support/origin.ts'
import { connect, exchange, type RawClient } from '../support/raw-client.ts'
import { CLOCK_MS, type Lane, type Lanes, openLanes, readVectors } from './lanes.ts'

interface Step {
  readonly send?: string
  readonly repeat?: string
  readonly n?: number
  readonly drip?: string
  readonly every_ms?: number
  readonly sleep_ms?: number | string
  readonly wait?: 'headers' | 'body'
  readonly half_close_read?: boolean
  readonly end?: 'close' | 'rst' | 'keep'
}

interface Vector {
  readonly id: string
  readonly why: string
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly script: readonly Step[]
  readonly request_body_bytes?: number
  readonly expect: 'forward' | 'reject' | 'abort' | 'ambiguous'
  readonly prefer?: 'forward' | 'reject'
  readonly client?: {
    readonly status?: number | readonly number[]
    readonly body?: string
    readonly body_len?: number
    readonly headers?: Readonly<Record<string, string>>
    readonly absent_trailers?: readonly string[]
  }
  readonly upstream_reusable: boolean
  readonly surplus?: boolean
  readonly alt_reject?: readonly number[]
}

const { vectors } = readVectors<Vector>('responses')
const list = (value: number | readonly number[] | undefined): readonly number[] => [value ?? []].flat()

/** Plays the script; where it sleeps, it waits for what the sleep is meant to leave time for. */
async function play(script: readonly Step[], request: OriginRequest, client: RawClient): Promise<void> {
  const { connection } = request
  const first = script[0]
  if (first?.wait !== 'headers' && !first?.half_close_read) await request.ended()
  for (const step of script) {
    if (step.wait === 'body') await request.ended()
    else if (step.half_close_read) connection.pause()
    else if (step.send !== undefined) await sendAlone(connection, step.send)
    else if (step.repeat !== undefined) await sendMany(connection, step.repeat, step.n ?? 1)
    else if (step.drip !== undefined) await drip(connection, step.drip, step.every_ms ?? 0)
    else if (typeof step.sleep_ms === 'string') await connection.ended()
    else if (step.sleep_ms !== undefined) await client.untilContent('hel')
    else if (step.end === 'close') await connection.fin()
    else if (step.end === 'rst') connection.reset()
  }
}

async function sendAlone(connection: OriginConnection, text: string): Promise<void> {
  await connection.write(text)
  await new Promise(setImmediate)
}

async function sendMany(connection: OriginConnection, text: string, times: number): Promise<void> {
  const perWrite = Math.ceil(65_536 / text.length)
  for (let left = times; left > 0; left -= perWrite) {
    if (!(await connection.write(text.repeat(Math.min(perWrite, left))))) return
  }
}

/** A byte now and a byte then, until the gateway has had enough. */
async function drip(connection: OriginConnection, text: string, everyMs: number): Promise<void> {
  while (connection.ending === undefined) {
    await connection.write(text)
    await connection.ended(everyMs).catch(() => {})
  }
}

function assertRelayed(vector: Vector, response: Message): void {
  const wanted = vector.client ?? {}
  if (vector.alt_reject?.includes(response.status)) return
  assert.deepEqual(response.values('x-fluxgate-error'), [], 'it is the origin’s own')
  assert.equal(response.state, 'complete')
  if (wanted.status !== undefined) assert.ok(list(wanted.status).includes(response.status), `status ${response.status}`)
  if (wanted.body !== undefined) assert.equal(response.text, wanted.body)
  if (wanted.body_len !== undefined) assert.equal(response.contentBytes, wanted.body_len)
  for (const [name, value] of Object.entries(wanted.headers ?? {}))
    assert.deepEqual(response.values(name), [value], name)
  for (const name of wanted.absent_trailers ?? []) {
    assert.ok(!response.trailers.some((line) => line.toLowerCase().startsWith(`${name}:`)), `trailer ${name}`)
  }
}

function assertRefused(vector: Vector, response: Message, record: LoggedRecord): void {
  assert.equal(response.state, 'complete')
  assert.equal(response.values('x-fluxgate-error').length, 1, 'it is the gateway’s own')
  const statuses = vector.expect === 'reject' ? list(vector.client?.status) : [502]
  assert.ok(statuses.includes(response.status), `${response.status} is one of ${statuses}`)
  assert.equal(record.outcome, response.status === 504 ? 'timeout' : 'upstream_abort')
  assert.ok(record.error, 'the record says why')
}

function assertBrokenOff(vector: Vector, response: Message, record: LoggedRecord): void {
  if (response.values('x-fluxgate-error').length > 0) {
    assertRefused(vector, response, record)
    return
  }
  assert.ok(list(vector.client?.status).includes(response.status), `status ${response.status}`)
  assert.equal(response.state, 'truncated', 'the client sees that it is not whole')
  assert.equal(record.outcome, 'upstream_abort')
  assert.ok(record.error, 'the record says why')
}

/** The next requests, on the same connection and on another one, get their own answers. */
async function assertNotPoisoned(
  client: RawClient,
  { gateway }: Lane,
  sent: readonly OriginRequest[],
  isReusable: boolean,
): Promise<void> {
  const get = `GET /up/second HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n\r\n`
  const [first] = client.responses
  if (client.ending === undefined && first?.state === 'complete' && first.value('connection') !== 'close') {
    void client.write(get)
    const response = await client.response(1)
    assert.equal(`${response.status} ${response.text}`, '200 second')
  }
  const next = await exchange(gateway.port, get)
  assert.equal(`${next.status} ${next.text}`, '200 second')
  assert.equal(client.fault, undefined)
  if (isReusable) return
  for (const { connection, message } of sent) {
    await connection.ended()
    const [last] = connection.requests.slice(-1)
    assert.equal(last?.message, message, 'its connection is not used again')
  }
}

async function judge(vector: Vector, lane: Lane): Promise<void> {
  const { gateway, origin } = lane
  const logged = gateway.log().length
  const records = gateway.records().length
  const first = origin.requests.length
  using client = await connect(gateway.port, { methods: [vector.method] })
  const played: Promise<void>[] = []
  origin.answer = async (request) => {
    if (request.target === '/up/x') {
      played.push(play(vector.script, request, client))
    } else {
      await request.ended()
      await request.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond')
    }
  }
  const content = vector.request_body_bytes === undefined ? 'hello' : 'x'.repeat(vector.request_body_bytes)
  const length = vector.method === 'POST' ? `Content-Length: ${content.length}\r\n` : ''
  const head = `${vector.method} /up/x HTTP/1.1\r\nHost: fluxgate.test\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n${length}\r\n`
  void client.write(vector.method === 'POST' ? head + content : head)

  const response = await client.response()
  const mine = (): LoggedRecord | undefined =>
    gateway
      .records()
      .slice(records)
      .find((entry) => entry.request_url === '/up/x')
  const record = await gateway.until(mine, 'its record')
  await Promise.all(played)
  const preferred = vector.expect === 'ambiguous' ? vector.prefer : vector.expect
  if (preferred === 'forward') assertRelayed(vector, response)
  else if (preferred === 'reject') assertRefused(vector, response, record)
  else assertBrokenOff(vector, response, record)

  const sent = origin.requests.slice(first).filter((request) => request.target === '/up/x')
  assert.ok(sent.length === 1 || (sent.length === 2 && vector.method !== 'POST'), `sent ${sent.length} times`)
  const isReusable = vector.upstream_reusable || vector.expect === 'ambiguous'
  await assertNotPoisoned(client, lane, sent, isReusable)
  const added = gateway.log().slice(logged)
  assert.ok(!added.includes(CLIENT_KEY) && !added.includes(PROVIDER_KEY), 'no secret is logged')
  assert.equal(gateway.exit, undefined, 'it lives')
}

describe('responses that an upstream may send', { concurrency: true }, () => {
  let lanes: Lanes
  before(async () => {
    lanes = await openLanes({}, { response_timeout_ms: CLOCK_MS })
  })
  after(() => lanes[Symbol.asyncDispose]())
  for (const vector of vectors) it(`${vector.id} ${vector.why}`, () => lanes.run((lane) => judge(vector, lane)))
})
