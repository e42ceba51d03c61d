import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { get, ok, post, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { type OriginRequest, startOrigin } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'
import { signToken } from '../support/tokens.ts'

const RELOADED = 'Configuration file changed, reloaded automatically'
const KEY = { id: 'test', key: CLIENT_KEY }
const OTHER = { id: 'other', key: 'fgk_other_0123456789abcdef' }

/** One after the other, each answered before the next is sent: their statuses. */
async function ask(client: RawClient, ...requests: string[]): Promise<number[]> {
  const statuses: number[] = []
  for (const request of requests) {
    const n = client.responses.length
    await client.write(request)
    statuses.push((await client.response(n)).status)
  }
  return statuses
}

test('a reload counts at once for the next request of a connection, though it is the same', async () => {
  await using origin = await startOrigin()
  await using other = await startOrigin()
  const config = upTo(origin)
  await using gateway = await startGateway({ ...config, api_keys: { static: [KEY] } })
  using client = await connect(gateway.port)
  const request = post('/up/x', 'hello')
  const lastKey = (): string[] => origin.requests.at(-1)!.values('authorization')
  assert.deepEqual(await ask(client, request, request, request), [200, 200, 200])
  assert.deepEqual(lastKey(), [`Bearer ${PROVIDER_KEY}`])

  gateway.rewrite({ ...upTo(origin, { api_key: 'sk-next' }), api_keys: { static: [KEY] } })
  await gateway.waitForLog(RELOADED)
  assert.deepEqual(await ask(client, request, request), [200, 200])
  assert.deepEqual(lastKey(), ['Bearer sk-next'])

  gateway.rewrite({ ...upTo(other), api_keys: { static: [KEY] } })
  await gateway.waitForLog(RELOADED, 2)
  assert.deepEqual(await ask(client, request, request), [200, 200])
  assert.equal(origin.requests.length, 5)
  assert.equal(other.requests.length, 2)

  gateway.rewrite({ ...upTo(other), api_keys: { static: [OTHER] } })
  await gateway.waitForLog(RELOADED, 3)
  assert.deepEqual(await ask(client, request, request), [401, 401])
  assert.equal(other.requests.length, 2)
})

test('a token that has come to its end opens nothing, and one that comes into force is seen', async () => {
  const secret = 'a-secret-of-more-than-thirty-two-bytes'
  await using origin = await startOrigin()
  const jwt = { id: 'portal', key: secret, leeway_ms: 0 }
  await using gateway = await startGateway({ ...upTo(origin), api_keys: { static: [KEY], jwt: [jwt] } })
  const bearer = (claims: object): string => `Authorization: Bearer ${signToken('portal', secret, claims)}`
  const head = (...lines: string[]): string => ['GET /up/x HTTP/1.1', 'Host: a', ...lines, '', ''].join('\r\n')
  // A busy machine gets more of them.
  for (let seconds = 1; ; seconds *= 2) {
    using client = await connect(gateway.port)
    using second = await connect(gateway.port)
    const turn = Date.now() / 1_000 + seconds
    const expiring = head(bearer({ exp: turn }))
    const later = head(bearer({ nbf: turn }), `x-api-key: ${CLIENT_KEY}`)
    const before = [await ask(client, expiring, expiring, expiring), await ask(second, later, later, later)]
    if (Date.now() >= turn * 1_000) continue
    assert.deepEqual(before.flat(), [200, 200, 200, 200, 200, 200])
    await wait(turn * 1_000 - Date.now() + 20)
    const known = gateway.records().length
    assert.deepEqual(await ask(client, expiring, expiring), [401, 401])
    // Two who claim to be the client.
    assert.deepEqual(await ask(second, later, later), [401, 401])
    const records = await gateway.until(
      () => gateway.records().length >= known + 4 && gateway.records(),
      'their records',
    )
    const causes = records.flatMap(({ cause }) => cause ?? []).slice(-4)
    assert.deepEqual(causes, ['expired', 'expired', 'two_keys', 'two_keys'])
    return
  }
})

test('each request of a connection is its own key’s', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...upTo(origin), api_keys: { static: [KEY, OTHER] } })
  using client = await connect(gateway.port)
  const of = (key: string): string => get('/up/x').replace(CLIENT_KEY, key)
  const nobody = `${CLIENT_KEY.slice(0, -1)}x`
  const keys = [CLIENT_KEY, CLIENT_KEY, OTHER.key, CLIENT_KEY, nobody, CLIENT_KEY, CLIENT_KEY, '', CLIENT_KEY]
  const statuses = await ask(client, ...keys.map(of))
  assert.deepEqual(statuses, [200, 200, 200, 200, 401, 200, 200, 401, 200])
  await gateway.until(() => gateway.records().length === keys.length, 'their records')
  const names = gateway.records().map(({ api_key }) => api_key)
  assert.deepEqual(names, ['test', 'test', 'other', 'test', undefined, 'test', 'test', undefined, 'test'])
})

test('records of repeated requests are as complete as any, and have what is their own', async () => {
  const contents = ['', 'a', 'hello', 'x'.repeat(12_345)]
  await using origin = await startOrigin(async (request: OriginRequest) => {
    const { text } = await request.ended()
    await request.connection.write(ok(text.repeat(2), `x-request-id: req_${origin.requests.length}`, 'Date: now'))
  })
  for (const format of ['json', 'gcp']) {
    origin.requests.length = 0
    await using gateway = await startGateway(upTo(origin), { env: { FLUXGATE_LOG_FORMAT: format } })
    using client = await connect(gateway.port)
    const all = [...contents, ...contents.toReversed(), ...contents]
    await ask(client, ...all.map((content) => post('/up/x?key=secret', content)))
    await gateway.until(() => gateway.records().length === all.length, 'their records')
    const [first, ...rest] = gateway.records().map((record) => masked(record))
    for (const [i, record] of rest.entries()) {
      const { length } = all[i + 1]!
      assert.deepEqual(record, {
        ...first,
        request_body_length: length,
        response_body_length: 2 * length,
        request_bytes: length,
        response_bytes: 2 * length,
        request_id: `req_${i + 2}`,
      })
    }
    assert.equal(first!['request_url'], '/up/x?key=***')
  }
})

/** Without what differs by itself. */
function masked(record: object): Record<string, unknown> {
  const { time, duration_ms, ttfb_ms, httpRequest, ...rest } = record as Record<string, unknown>
  assert.ok(typeof time === 'string' && typeof duration_ms === 'number' && typeof ttfb_ms === 'number')
  if (httpRequest === undefined) return rest
  const { latency, ...ours } = httpRequest as Record<string, unknown>
  assert.match(latency as string, /^\d+\.\d{6}s$/)
  return { ...rest, httpRequest: ours }
}

test('a repeated request is sent again whole where that is safe', async () => {
  const seen: string[] = []
  await using origin = await startOrigin(async (request: OriginRequest) => {
    const { text } = await request.ended()
    seen.push(`${request.head}${text}`)
    // Of a connection that was used before, and no other.
    if (seen.length === 4) request.connection.reset()
    else await request.connection.write(ok('ok'))
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  const put = (content: string): string => post('/up/x', content, `x-trace: ${content}`).replace('POST', 'PUT')
  const contents = ['one', 'three', 'two', 'fifteen', 'six']
  assert.deepEqual(await ask(client, ...contents.map(put)), [200, 200, 200, 200, 200])
  const [first] = seen
  const as = (content: string): string =>
    first!.replaceAll('one', content).replace('Content-Length: 3', `Content-Length: ${content.length}`)
  assert.deepEqual(seen, ['one', 'three', 'two', 'fifteen', 'fifteen', 'six'].map(as))
  assert.equal(origin.connections.length, 2)
})

test('requests that are sent ahead are told apart, wherever they are cut', async () => {
  await using origin = await startOrigin(async (request: OriginRequest) => {
    const { text } = await request.ended()
    await request.connection.write(ok(text, `x-request-id: ${text}`))
  })
  await using gateway = await startGateway(upTo(origin))
  const requests = Array.from({ length: 12 }, (_, i) => post('/up/x', `${i}`.repeat(i), `x-n: ${i}`))
  const all = requests.join('')
  for (const size of [all.length, 1_000, 150, 37]) {
    using client = await connect(gateway.port)
    const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
    await client.writePieces(pieces)
    for (let i = 0; i < requests.length; i++) assert.equal((await client.response(i)).text, `${i}`.repeat(i))
    assert.equal(client.fault, undefined)
  }
})
