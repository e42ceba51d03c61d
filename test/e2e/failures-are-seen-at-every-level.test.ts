import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, post, postChunked, upTo } from '../support/bytes.ts'
import { PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const TIMEOUT_MS = 300
const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'

const lines = (gateway: RunningGateway, text: string): string[] =>
  gateway
    .log()
    .split('\n')
    .filter((line) => line.includes(text))

for (const level of ['info', 'trace'] as const) {
  test(`at ${level}, what the upstream or the gateway does wrong leaves a WARN record`, async () => {
    await using origin = await startOrigin()
    await using gateway = await startGateway(
      {
        upstreams: {
          response_timeout_ms: TIMEOUT_MS,
          idle_timeout_ms: TIMEOUT_MS,
          up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY },
          gone: { request_path: '/gone', target_url: 'http://127.0.0.1:1', api_key: PROVIDER_KEY },
        },
      },
      { env: { FLUXGATE_LOG: level } },
    )
    const seen: string[] = []
    const warned = async (bytes: string, expected: string): Promise<void> => {
      using client = await connect(gateway.port)
      void client.write(bytes)
      await client.response()
      seen.push(expected)
      await gateway.until(() => gateway.records().filter((r) => r.level === 'WARN').length === seen.length, expected)
    }
    await warned(get('/gone/x'), 'connect_refused 502')
    origin.answer = 'nonsense\r\n\r\n'
    await warned(get('/up/x'), 'upstream_protocol 502')
    origin.answer = ({ connection }) => connection.fin()
    await warned(post('/up/x', '{}'), 'upstream_reset 502')
    origin.answer = async ({ connection }) => {
      await connection.write(HALF)
      await connection.fin()
    }
    await warned(get('/up/x'), 'upstream_truncated 200')
    origin.answer = () => {}
    await warned(get('/up/x'), 'response_timeout 504')
    origin.answer = ({ connection }) => void connection.write(HALF)
    await warned(get('/up/x'), 'idle_timeout 200')
    const records = gateway.records().filter((record) => record.level === 'WARN')
    assert.deepEqual(
      records.map(({ error, status }) => `${error} ${status}`),
      seen,
    )
    assert.ok(records.every(({ message }) => message === 'Request processed'))
    assert.equal(lines(gateway, '"WARN"').length, seen.length, 'one line for each')
    // What went well, what a client did, and what a provider says of itself.
    for (const [answer, bytes] of [
      [ok('fine'), get('/up/x')],
      ['HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n', get('/up/x')],
      ['', get('/nowhere')],
      ['', 'GET /up/x HTTP/1.1\r\nHost: a\r\n\r\n'],
      ['', 'GET /up/x HTTP/1.0\r\n\r\n'],
      ['', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'],
    ] as const) {
      origin.answer = answer
      await exchange(gateway.port, bytes)
    }
    origin.answer = 'nonsense\r\n\r\n'
    await warned(get('/up/last'), 'upstream_protocol 502')
    assert.equal(gateway.records().length, level === 'trace' ? seen.length + 6 : seen.length)
  })
}

test('what a client breaks off, or does not take, is no failure', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(
    { server: { body_timeout_ms: TIMEOUT_MS }, ...upTo(origin, { idle_timeout_ms: TIMEOUT_MS }) },
    { env: { FLUXGATE_LOG: 'trace' } },
  )
  const levelOf = async (error: string): Promise<string> => {
    const { level, cause } = await gateway.waitForRecord((record) => record.error === error)
    return cause === undefined ? level : `${level} ${cause}`
  }
  using silent = await connect(gateway.port)
  await silent.write(postChunked('/up/x'))
  await silent.response()
  assert.equal(await levelOf('body_timeout'), 'TRACE')
  using leaving = await connect(gateway.port)
  origin.answer = ({ connection }) => void connection.write(HALF)
  await leaving.write(get('/up/x'))
  await leaving.until(() => leaving.receivedBytes > 0, 'its head')
  leaving.socket.resetAndDestroy()
  assert.equal(await levelOf('client_abort'), 'TRACE')
  // More than every buffer between the two holds.
  origin.answer = ok('x'.repeat(32 * 1024 * 1024))
  using unwilling = await connect(gateway.port, { paused: true })
  await unwilling.write(get('/up/x'))
  assert.equal(await levelOf('idle_timeout'), 'TRACE client')
})
