import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY } from '../support/gateway.ts'
import type { Message } from '../support/message.ts'
import type { OriginRequest } from '../support/origin.ts'
import { connect, exchange, latin1, type RawClient } from '../support/raw-client.ts'
import { type Lane, type Lanes, openLanes, readVectors } from './lanes.ts'

interface Part {
  readonly lit?: string
  readonly rep?: string
  readonly drip?: string
  readonly n?: number
  readonly every_ms?: number
  readonly end?: 'half_close' | 'rst'
}

interface Forwarded {
  readonly method: string
  readonly target?: string
  readonly target_len?: number
  readonly body?: string
  readonly body_len?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly absent?: readonly string[]
  readonly absent_or?: Readonly<Record<string, readonly string[]>>
}

interface Vector {
  readonly id: string
  readonly why: string
  readonly raw?: string
  readonly parts?: readonly Part[]
  readonly deliver?: 'bytewise'
  readonly expect: 'forward' | 'reject' | 'ambiguous'
  readonly prefer?: 'forward' | 'reject'
  readonly if_forwarded?: string
  readonly status?: readonly number[]
  readonly or_close?: boolean
  readonly must_close?: boolean
  readonly no_1xx?: boolean
  readonly smug?: 'never' | 'separate_ok' | 'as_listed'
  readonly upstream?: readonly Forwarded[]
  readonly upstream_count?: number
  readonly alt_reject?: readonly number[]
  readonly responses?: number
}

/** What the client and the origin have seen when all is over. */
interface Outcome {
  readonly client: RawClient
  /** Final responses to the vector itself, without the one to the probe that follows it on the same connection. */
  readonly responses: readonly Message[]
  /** Requests of the vector, in order of arrival, broken ones included. */
  readonly upstream: readonly OriginRequest[]
  readonly isProbeAnswered: boolean
}

const MUST_CLOSE = new Set([400, 408, 414, 431, 505])
const OWN = / \/up\/(?:probe|second) /
const { vectors } = readVectors<Vector>('requests')

const partsOf = (vector: Vector): readonly Part[] => vector.parts ?? [{ lit: vector.raw ?? '' }]
const textOf = (vector: Vector): string =>
  partsOf(vector)
    .map((part) => part.lit ?? '')
    .join('')
const isHttp10 = (vector: Vector): boolean => /^[^\r\n]* HTTP\/1\.0\r\n/.test(textOf(vector))
const endsEarly = (vector: Vector): boolean => partsOf(vector).some((part) => part.end !== undefined)
/** The client goes on to the end of its patience with an upload or a response that can never be complete. */
const staysIncomplete = (vector: Vector): boolean => /INCOMPLETE|never completes/.test(vector.if_forwarded ?? '')

const methodsOf = (vector: Vector): string[] =>
  partsOf(vector).flatMap((part) => {
    const text = part.rep !== undefined && part.rep.length > 2 ? part.rep.repeat(part.n ?? 1) : (part.lit ?? '')
    return [...text.matchAll(/(?:^|\n)([A-Za-z-]+) [^\r\n]* HTTP\/1/g)].map((match) => match[1] ?? '')
  })

/** Lasts `ms` or until the gateway has answered or left. */
const pace = (client: RawClient, ms: number): Promise<unknown> =>
  client.until(() => client.ending ?? client.responses[0], 'the next drop', ms).catch(() => {})

async function send(vector: Vector, client: RawClient, reached: () => Promise<unknown>): Promise<void> {
  for (const part of partsOf(vector)) {
    if (part.lit !== undefined) {
      if (vector.deliver === 'bytewise')
        await client.writePieces([...latin1(part.lit)].map((byte) => Uint8Array.of(byte)))
      else void client.write(part.lit)
    } else if (part.rep !== undefined) {
      void client.write(part.rep.repeat(part.n ?? 1))
    } else if (part.drip !== undefined) {
      for (let i = 0; i < (part.n ?? 1) && client.ending === undefined && client.responses.length === 0; i++) {
        void client.write(part.drip.replace('%', `${i}`))
        await pace(client, part.every_ms ?? 0)
      }
    } else if (part.end === 'half_close') {
      void client.fin()
    } else if (part.end === 'rst') {
      await reached()
      client.reset()
    }
  }
}

async function play(vector: Vector, { gateway, origin }: Lane): Promise<Outcome> {
  const first = origin.requests.length
  origin.answer = async (request) => {
    const [, own] = / \/up\/(probe|second) /.exec(request.message.startLine) ?? []
    if (request.message.state === 'open' && request.values('expect').length > 0)
      void request.connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    if ((await request.ended()).state !== 'complete') return
    const content = own ?? 'ok'
    const body = request.method === 'HEAD' ? '' : content
    void request.connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n${body}`)
  }
  using client = await connect(gateway.port, { methods: methodsOf(vector) })
  await send(vector, client, () => origin.request(first))
  const wanted = vector.responses ?? 1
  await client.until(
    () => client.ending ?? (client.responses.filter((r) => r.state !== 'open').length >= wanted || undefined),
    `${wanted} responses`,
  )
  if (client.ending === undefined) {
    // Its answer is the last one: whatever else the vector has set off shows before it, here and upstream.
    if (client.responses.at(-1)?.value('connection') !== 'close') {
      void client.write(
        `GET /up/probe HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nConnection: close\r\n\r\n`,
      )
    }
    await client.ended()
  }
  const upstream = origin.requests.slice(first).filter((request) => !OWN.test(request.message.startLine))
  for (const request of upstream) await request.ended()
  const isProbeAnswered = client.responses.at(-1)?.text === 'probe'
  return {
    client,
    upstream,
    isProbeAnswered,
    responses: isProbeAnswered ? client.responses.slice(0, -1) : client.responses,
  }
}

function assertForwarded(request: OriginRequest | undefined, wanted: Forwarded, authority: string): void {
  assert.ok(request, `${wanted.method} ${wanted.target} upstream`)
  assert.equal(request.method, wanted.method)
  if (wanted.target !== undefined) assert.equal(request.target, wanted.target)
  if (wanted.target_len !== undefined) assert.equal(request.target.length, wanted.target_len)
  if (wanted.body !== undefined) assert.equal(request.text, wanted.body)
  if (wanted.body_len !== undefined) assert.equal(request.text.length, wanted.body_len)
  for (const [name, value] of Object.entries(wanted.headers ?? {})) {
    if (!value.startsWith('<')) assert.deepEqual(request.values(name), [value], name)
  }
  for (const name of wanted.absent ?? []) assert.deepEqual(request.values(name), [], name)
  for (const [name, values] of Object.entries(wanted.absent_or ?? {})) {
    for (const value of request.values(name)) assert.ok(values.includes(value), `${name}: ${value}`)
  }
  assert.deepEqual(request.values('host'), [authority], 'Host upstream')
}

/** What holds for every vector, whatever becomes of it. */
function assertInvariants(vector: Vector, { client, upstream, responses, isProbeAnswered }: Outcome): void {
  assert.equal(client.fault, undefined, 'what the client reads is a sequence of responses')
  for (const request of upstream) {
    assert.equal(request.message.fault, undefined, 'upstream message')
    assert.ok(!request.head.includes(CLIENT_KEY), 'the client key stays here')
    const credentials = ['authorization', 'x-api-key'].flatMap((name) => request.values(name))
    assert.deepEqual(
      credentials.map((value) => value.replace(/^bearer /i, '')),
      [PROVIDER_KEY],
    )
  }
  if (vector.smug === 'never') assert.ok(!upstream.some((request) => request.target.includes('/up/smug')), 'smuggled')
  for (const response of responses) {
    const isRelayed = response.values('x-fluxgate-error').length === 0
    if (isRelayed) assert.equal(response.status, 200)
    else assert.equal(response.value('content-type'), 'application/json')
  }
  const last = responses.at(-1)
  if (last !== undefined && (MUST_CLOSE.has(last.status) || vector.must_close)) {
    assert.ok(!isProbeAnswered, 'the connection is not used again')
    if (MUST_CLOSE.has(last.status)) assert.equal(last.value('connection'), 'close')
  }
  if (vector.no_1xx) assert.equal(client.heads.length, client.responses.length, 'no interim response')
}

function assertRefused(vector: Vector, outcome: Outcome, statuses: readonly number[] | undefined): void {
  const complete = outcome.upstream.filter((request) => request.message.state === 'complete')
  assert.deepEqual(
    complete.map((request) => request.message.startLine),
    [],
    'nothing complete goes upstream',
  )
  const [refusal, ...more] = outcome.responses
  assert.equal(more.length, 0, outcome.client.describe())
  if (refusal === undefined) assert.ok(vector.or_close || endsEarly(vector), 'an answer')
  else if (statuses !== undefined)
    assert.ok(statuses.includes(refusal.status), `${refusal.status} is one of ${statuses}`)
}

function assertAnswered(vector: Vector, outcome: Outcome, authority: string): void {
  const complete = outcome.upstream.filter((request) => request.message.state === 'complete')
  if (complete.length === 0 && vector.alt_reject?.includes(outcome.responses[0]?.status ?? 0)) return
  if (staysIncomplete(vector)) {
    // Its client is gone before the end: whether that ended it before or after the upstream was connected, it is never whole.
    assert.equal(complete.length, 0, 'it is never complete')
    return
  }
  if (vector.upstream === undefined) {
    assert.ok(complete.length > 0, `forwarded: ${outcome.client.describe()}`)
  } else {
    assert.equal(complete.length, vector.upstream_count ?? vector.upstream.length, outcome.client.describe())
    for (const [i, wanted] of vector.upstream.entries()) assertForwarded(complete[i], wanted, authority)
  }
  assert.equal(outcome.upstream.length, complete.length, 'nothing incomplete goes upstream')
  const relayed = outcome.responses.filter((response) => response.status === 200)
  assert.equal(relayed.length, complete.length, 'every request is answered')
  for (const [i, response] of relayed.entries()) {
    assert.equal(response.state, 'complete')
    assert.equal(response.text, complete[i]?.method === 'HEAD' ? '' : 'ok')
  }
  if (!vector.must_close) assert.ok(outcome.isProbeAnswered, 'the connection stays usable')
}

async function judge(vector: Vector, lane: Lane): Promise<void> {
  const logged = lane.gateway.log().length
  const records = lane.gateway.records().length
  const outcome = await play(vector, lane)
  const isRefused =
    vector.expect === 'reject' || isHttp10(vector) || (vector.expect === 'ambiguous' && vector.prefer === 'reject')
  assertInvariants(vector, outcome)
  if (isRefused) assertRefused(vector, outcome, isHttp10(vector) ? [505] : vector.status)
  else assertAnswered(vector, outcome, `127.0.0.1:${lane.origin.port}`)
  const next = await exchange(
    lane.gateway.port,
    `GET /up/second HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n\r\n`,
  )
  assert.equal(`${next.status} ${next.text}`, '200 second', 'the next request gets its own answer')
  await lane.gateway.until(
    () =>
      lane.gateway
        .records()
        .slice(records)
        .some((record) => record.request_url === '/up/second'),
    'the record of the next request',
  )
  const added = lane.gateway.log().slice(logged)
  assert.ok(!added.includes(CLIENT_KEY) && !added.includes(PROVIDER_KEY), 'no secret is logged')
  assert.equal(lane.gateway.exit, undefined, 'it lives')
}

/** A client that reads nothing while more comes than every buffer on the way can hold. */
async function judgeUnread(vector: Vector, { gateway, origin }: Lane): Promise<void> {
  const mebibyte = Buffer.alloc(1024 * 1024, 'x')
  let taken = 0
  origin.answer = async ({ connection }) => {
    void connection.write('HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n')
    while (taken < 1024 && (await connection.write(mebibyte))) taken++
  }
  const records = gateway.records().length
  using client = await connect(gateway.port, { paused: true })
  void client.write(textOf(vector))
  const record = await gateway.until(
    () =>
      gateway
        .records()
        .slice(records)
        .find((entry) => entry.request_url === '/up/x'),
    'its record',
  )
  assert.equal(record.outcome, 'timeout')
  assert.ok(taken < 64, `${taken} MiB were taken from the upstream`)
  client.resume()
  assert.equal((await client.response()).state, 'truncated')
}

describe('requests that a client may send', { concurrency: true }, () => {
  let lanes: Lanes
  before(async () => {
    lanes = await openLanes({}, { idle_timeout_ms: 2000 })
  })
  after(() => lanes[Symbol.asyncDispose]())
  for (const vector of vectors) {
    const isUnread = partsOf(vector).some((part) => 'no_read' in part)
    it(`${vector.id} ${vector.why}`, () => lanes.run((lane) => (isUnread ? judgeUnread : judge)(vector, lane)))
  }
})
