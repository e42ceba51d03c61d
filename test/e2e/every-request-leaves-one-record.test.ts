import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, post, postChunked, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const ORDER = [
  ...[
    'client_ip',
    'method',
    'request_url',
    'request_body_length',
    'api_key',
    'target_url',
    'upstream',
    'duration_ms',
    'status',
  ],
  ...[
    'response_body_length',
    'request_bytes',
    'response_bytes',
    'ttfb_ms',
    'outcome',
    'error',
    'upstream_address',
    'request_id',
    'cause',
    'model',
    'usage',
  ],
]

const lineOf = (gateway: RunningGateway): string | undefined =>
  gateway
    .log()
    .split('\n')
    .find((line) => line.includes('Request processed'))

test('as a JSON line with its fields in their order', async () => {
  await using origin = await startOrigin(ok('hello', 'X-Request-Id: req_1'))
  await using gateway = await startGateway(upTo(origin))
  await exchange(gateway.port, post('/up/v1/x?a=b', '{}'))
  await gateway.waitForRecord()
  const record = JSON.parse(lineOf(gateway) ?? '')
  assert.deepEqual(Object.keys(record), ['time', 'level', 'message', ...ORDER.filter((name) => name in record)])
  const { time, duration_ms, ttfb_ms, upstream_address: _, ...rest } = record
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 5000)
  assert.ok(ttfb_ms > 0 && duration_ms >= ttfb_ms && duration_ms < 5000)
  assert.deepEqual(rest, {
    level: 'TRACE',
    message: 'Request processed',
    client_ip: '127.0.0.1',
    method: 'POST',
    request_url: '/up/v1/x?a=b',
    request_body_length: 2,
    api_key: 'test',
    target_url: `${origin.url}/v1/x?a=b`,
    upstream: 'up',
    status: 200,
    response_body_length: 5,
    request_bytes: 2,
    response_bytes: 5,
    outcome: 'complete',
    request_id: 'req_1',
    usage: 'none',
  })
})

test('as a line of text with its fields in their order', async () => {
  await using origin = await startOrigin(ok('hello'))
  await using gateway = await startGateway(upTo(origin), { format: 'text' })
  await exchange(gateway.port, post('/up/v1/x', '{}'))
  await gateway.waitForLog('Request processed')
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`
  const target = `${origin.url}/v1/x`.replaceAll('.', '\\.')
  const fields =
    `client_ip=127\\.0\\.0\\.1 method=POST request_url=/up/v1/x request_body_length=2 api_key=test target_url=${target} upstream=up ` +
    'duration_ms=[\\d.]+ status=200 response_body_length=5 request_bytes=2 response_bytes=5 ttfb_ms=[\\d.]+ outcome=complete( upstream_address=[\\d.:]+)? usage=none'
  assert.match(lineOf(gateway) ?? '', new RegExp(`^${time} +TRACE Request processed ${fields}$`))
})

test('where absent values are absent, and a refusal says why', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  await exchange(gateway.port, 'GET /up/x HTTP/1.1\r\nHost: a\r\n\r\n')
  const { time, duration_ms, ...rest } = { ...(await gateway.waitForRecord()) }
  assert.deepEqual(rest, {
    level: 'TRACE',
    message: 'Request processed',
    client_ip: '127.0.0.1',
    method: 'GET',
    request_url: '/up/x',
    status: 401,
    request_bytes: 0,
    response_bytes: 0,
    outcome: 'refused',
    error: 'unauthorized',
    cause: 'no_key',
  })
})

const outcomes: readonly (readonly [request: string, answer: string, outcome: string, status: number])[] = [
  [get('/up/x'), ok('fine'), 'complete', 200],
  [get('/up/x'), 'HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n', 'complete', 500],
  [get('/up/x'), 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n', 'complete', 401],
  [get('/up/x'), 'nonsense\r\n\r\n', 'upstream_abort', 502],
  [get('/nowhere'), '', 'refused', 404],
  [get('/up/../x'), '', 'refused', 400],
  [`${postChunked('/up/x')}2\r\nhi\r\nx\r\n`, '', 'refused', 400],
  [get('/up/slow'), '', 'timeout', 504],
]

test('with the outcome, and the status that the client got, within 50 ms of its last byte', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin, { response_timeout_ms: 200 }))
  for (const [i, [request, answer, outcome, status]] of outcomes.entries()) {
    origin.answer = answer
    const response = await exchange(gateway.port, request)
    assert.equal(response.status, status)
    const record = await gateway.until(() => gateway.records()[i], `record ${i}`, 1000)
    assert.equal(`${record.outcome} ${record.status}`, `${outcome} ${status}`)
  }
  assert.equal(gateway.records().length, outcomes.length)
})

test('and nothing that a client sends can forge a line', async () => {
  await using origin = await startOrigin()
  const targets = ['/up/%0a2026-01-01T00:00:00.000000Z%20TRACE%20Request%20processed', `/up/"x"?y=\\'\\"{}`, '/up/x=y']
  const send = async (port: number): Promise<void> => {
    for (const target of targets) await exchange(port, get(target))
    await exchange(port, `!#$%&'*+-.^_\`|~ /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n\r\n`)
    using client = await connect(port)
    void client.write(
      `GET /up/\x1b[31m\x9b31m\x07\t\xe9 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n\r\n`,
    )
    await client.response()
  }
  await using json = await startGateway(upTo(origin))
  await send(json.port)
  await json.until(() => json.records()[4], 'five records')
  assert.deepEqual(
    json
      .records()
      .slice(0, 3)
      .map((record) => record.request_url),
    targets,
  )

  await using text = await startGateway(upTo(origin), { format: 'text' })
  await send(text.port)
  await text.waitForLog('Request processed client_ip=', 5)
  for (const line of text.log().trimEnd().split('\n')) {
    assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z +(?:TRACE|DEBUG|INFO|WARN|ERROR) [^\x00-\x1f\x7f-\x9f]*$/)
  }
  assert.match(text.log(), / request_url="[^\n]*\\"x\\"/, 'values with quotes are quoted and escaped')
})

/** The key of a request in its own target is refused; somebody else's is not known for one there. */
const OTHER_KEY = 'fgk_of_somebody_else'

async function withRedacted(): Promise<{ origin: Origin; gateway: RunningGateway } & AsyncDisposable> {
  const origin = await startOrigin()
  const gateway = await startGateway({
    api_keys: { static: [{ id: 'test', key: CLIENT_KEY }, { key: OTHER_KEY }] },
    ...upTo(origin),
  })
  return {
    origin,
    gateway,
    [Symbol.asyncDispose]: async () => void (await Promise.all([gateway.stop(), origin.close()])),
  }
}

test('without secrets: credentials in the query are masked, headers and bodies are not there', async () => {
  await using both = await withRedacted()
  const { origin, gateway } = both
  const escaped = [...OTHER_KEY].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')
  const queries: readonly (readonly [sent: string, logged: string])[] = [
    ['key=secret1&alt=sse', 'key=***&alt=sse'],
    ['a=1&api-key=secret2', 'a=1&api-key=***'],
    ['api_key=secret3', 'api_key=***'],
    ['APIKEY=secret4&access_token=secret5&Token=secret6', 'APIKEY=***&access_token=***&Token=***'],
    ['%6bey=secret7', '%6bey=***'],
    ['monkey=banana&tokens=5', 'monkey=banana&tokens=5'],
    [`q=${OTHER_KEY}`, 'q=***'],
    [`q=${escaped}`, 'q=***'],
    ['key=', 'key=***'],
  ]
  for (const [i, [sent, logged]] of queries.entries()) {
    await exchange(gateway.port, post(`/up/x?${sent}`, 'secret8', 'X-Secret: secret9'))
    const record = await gateway.until(() => gateway.records()[i], `record ${i}`)
    assert.equal(record.request_url.replace('key=***', 'key='), `/up/x?${logged}`.replace('key=***', 'key='))
    assert.ok(record.target_url?.endsWith(record.request_url.slice('/up'.length)))
    assert.equal((await origin.request(i)).target, `/x?${sent}`, 'the upstream gets it as it is')
  }
  const log = gateway.log()
  assert.doesNotMatch(log, /secret\d/)
  assert.ok(!log.includes(OTHER_KEY) && !log.includes(PROVIDER_KEY) && !log.includes(escaped))
})
