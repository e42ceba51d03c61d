import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, post, upTo } from '../support/bytes.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

type Line = Readonly<Record<string, unknown>>

/** Lines of every kind: a start, a reload that works and one that does not, requests that go well and badly, a stop. */
async function linesOfALife(format: 'json' | 'gcp'): Promise<readonly Line[]> {
  await using origin = await startOrigin(ok('fine', 'x-request-id: req_1'))
  await using gateway = await startGateway(upTo(origin), { env: { FLUXGATE_LOG_FORMAT: format } })
  await exchange(gateway.port, post('/up/x', '{}'))
  await exchange(gateway.port, get('/up/x', 'Content-Length: 1', 'Content-Length: 2'))
  await exchange(gateway.port, 'GET /up/x HTTP/1.1\r\nHost: a\r\n\r\n')
  origin.answer = 'nonsense\r\n\r\n'
  await exchange(gateway.port, get('/up/x'))
  gateway.rewrite(upTo(origin, { idle_timeout_ms: 1_000 }))
  await gateway.waitForLog('reloaded automatically')
  gateway.rewrite('version: 2\n')
  await gateway.waitForLog('validation failed')
  gateway.signal('SIGTERM')
  await gateway.exited
  return parse(gateway)
}

function parse(gateway: RunningGateway): Line[] {
  return gateway
    .log()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

const SEVERITY = /^(?:.*severity|.*level|status|lvl|.*priority)$/i

test('in JSON the level is all that looks like a severity, and a name has one type', async () => {
  const types = new Map<string, string>()
  const lines = await linesOfALife('json')
  for (const line of lines) {
    assert.deepEqual(Object.keys(line).slice(0, 3), ['time', 'level', 'message'])
    const looking = Object.keys(line).filter((name) => SEVERITY.test(name))
    assert.deepEqual(looking, line.message === 'Request processed' ? ['level', 'status'] : ['level'])
    for (const [name, value] of Object.entries(line)) {
      assert.equal(typeof value, types.get(name) ?? typeof value, name)
      types.set(name, typeof value)
    }
  }
  assert.equal(types.get('status'), 'number')
  assert.equal(lines.find(({ message }) => message === 'Loaded configuration')?.result, 'applied')
  const levels = lines.filter(({ message }) => message === 'Request processed').map(({ level }) => level)
  assert.deepEqual(levels, ['TRACE', 'TRACE', 'TRACE', 'WARN'])
})

test('for Google Cloud there is a severity instead, and a httpRequest', async () => {
  const lines = await linesOfALife('gcp')
  for (const line of lines) {
    assert.deepEqual(Object.keys(line).slice(0, 3), ['time', 'severity', 'message'])
    assert.match(String(line.severity), /^(?:DEBUG|INFO|WARNING|ERROR)$/)
    assert.ok(!('level' in line))
  }
  const records = lines.filter(({ message }) => message === 'Request processed')
  assert.deepEqual(
    records.map(({ severity }) => severity),
    ['DEBUG', 'DEBUG', 'DEBUG', 'WARNING'],
  )
  const { latency, serverIp: _, ...request } = records[0]!.httpRequest as Line
  assert.match(String(latency), /^\d+\.\d{6}s$/)
  assert.deepEqual(request, { requestMethod: 'POST', requestUrl: '/up/x', status: 200, remoteIp: '127.0.0.1' })
  assert.equal(records[0]!.request_id, 'req_1')
})
