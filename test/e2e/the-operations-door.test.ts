import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { adminPort, askAdmin, seriesOf, sumOf } from '../support/admin.ts'
import { get, ok, upTo } from '../support/bytes.ts'
import { COMMAND, type ConfigObject, type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const TOKEN = 'an-operations-token-0123456789'
const LOCAL = { admin: { bind_address: '127.0.0.1:0' } }
const WITH_TOKEN = { admin: { bind_address: '0.0.0.0:0', token: TOKEN } }
const BEARER = { Authorization: `Bearer ${TOKEN}` }

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number; out: string }> {
  return new Promise((resolve) =>
    execFile(COMMAND, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), out: stdout + stderr }),
    ),
  )
}

test('probes, metrics and status', async () => {
  await using gateway = await startGateway({ ...LOCAL })
  const port = adminPort(gateway)
  const answers = await Promise.all(['/live', '/ready', '/status', '/metrics'].map((path) => askAdmin(port, path)))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  )
  const [live, ready, status, metrics] = answers
  assert.deepEqual([live!.text, ready!.text], ['ok\n', 'ready\n'])
  const found = JSON.parse(status!.text)
  for (const key of ['version', 'node', 'pid', 'uptime_seconds', 'workers', 'configuration', 'listeners', 'upstreams'])
    assert.ok(key in found, key)
  assert.equal(found.pid, gateway.pid)
  assert.equal(metrics!.value('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(sumOf(metrics!.text, 'fluxgate_build_info'), 1)
})

test('without the key in the file there is no such door', async () => {
  await using gateway = await startGateway({})
  assert.doesNotMatch(gateway.log(), /Admin server/)
})

test('OpenMetrics and gzip where they are asked for', async () => {
  await using gateway = await startGateway({ ...LOCAL })
  const port = adminPort(gateway)
  const open = await askAdmin(port, '/metrics', {
    Accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5',
  })
  assert.equal(open.value('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8')
  assert.ok(open.text.endsWith('\n# EOF\n'))
  assert.match(open.text, /^# TYPE fluxgate_client_connections_accepted counter$/m)
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { 'Accept-Encoding': 'gzip' } })
  assert.equal(response.headers.get('content-encoding'), 'gzip')
  assert.match(await response.text(), /^fluxgate_workers 1$/m)
  using raw = await connect(port)
  void raw.write('GET /metrics HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n')
  const old = await raw.response()
  assert.match(gunzipSync(old.content).toString(), /^fluxgate_workers 1$/m)
})

for (const [what, request, status] of [
  ['another method', 'POST /live HTTP/1.1\r\nHost: x\r\n\r\n', 405],
  ['another path', 'GET /config HTTP/1.1\r\nHost: x\r\n\r\n', 404],
  ['no request', 'hello\r\n\r\n', 400],
  ['a field that is none', 'GET /live HTTP/1.1\r\nfoo bar\r\n\r\n', 400],
  ['a head without an end', `GET /live HTTP/1.1\r\nX: ${'x'.repeat(17_000)}`, 431],
  ['HTTP/1.0', 'GET /live HTTP/1.0\r\n\r\n', 200],
  ['no Host', 'GET /ready HTTP/1.1\r\n\r\n', 200],
  ['an absolute target', 'GET http://gateway:9090/live?x HTTP/1.1\r\nHost: x\r\n\r\n', 200],
  ['HEAD', 'HEAD /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 200],
] as const) {
  test(`${what}: ${status}`, async () => {
    await using gateway = await startGateway({ ...LOCAL })
    using client = await connect(adminPort(gateway), what === 'HEAD' ? { methods: ['HEAD'] } : {})
    void client.write(request)
    const response = await client.response()
    assert.equal(response.status, status)
    if (status >= 400) {
      assert.equal(response.value('connection'), 'close')
      await client.ended()
    }
    if (status === 405) assert.equal(response.value('allow'), 'GET, HEAD')
  })
}

test('a token is wanted for all but probes, and stands in no answer and no line', async () => {
  await using gateway = await startGateway(WITH_TOKEN)
  const port = adminPort(gateway)
  for (const path of ['/metrics', '/status']) {
    for (const fields of [{}, { Authorization: 'Bearer wrong' }, { Authorization: TOKEN }]) {
      const refused = await askAdmin(port, path, fields as Record<string, string>)
      assert.equal(refused.status, 401)
      assert.equal(refused.value('www-authenticate'), 'Bearer')
    }
    const answer = await askAdmin(port, path, BEARER)
    assert.equal(answer.status, 200)
    assert.ok(!answer.text.includes(TOKEN))
  }
  assert.equal((await askAdmin(port, '/ready')).status, 200)
  assert.ok(!gateway.log().includes(TOKEN))
})

test('without a token an address that others can reach tells nothing but probes, and the log says so', async () => {
  await using gateway = await startGateway({ admin: { bind_address: '0.0.0.0:0' } })
  const port = adminPort(gateway)
  const answer = await askAdmin(port, '/metrics')
  assert.equal(answer.status, 403)
  assert.match(answer.text, /admin\.token is not set/)
  assert.equal((await askAdmin(port, '/live')).status, 200)
  const closed = '"level":"WARN","message":"Metrics and status are closed: admin.token is not set"'
  assert.equal(gateway.log().split(closed).length, 2)
  gateway.rewrite({ admin: { bind_address: '0.0.0.0:0', token: TOKEN } })
  await gateway.waitForLog('reloaded automatically')
  gateway.rewrite({ admin: { bind_address: '0.0.0.0:0' } })
  await gateway.waitForLog(closed, 2)
})

test('an address that is taken: exit 1 at the start, and the old one stays after a reload', async () => {
  await using holder = await startGateway({ ...LOCAL })
  const taken = `127.0.0.1:${adminPort(holder)}`
  await using late = await startGateway({ admin: { bind_address: taken } }, { wait: false })
  assert.equal((await late.exited).code, 1)
  assert.match(late.log(), /"level":"ERROR","message":"Failed to bind to admin address","address":"127/)
  await using gateway = await startGateway({ ...LOCAL })
  const port = adminPort(gateway)
  gateway.rewrite({ admin: { bind_address: taken, token: TOKEN } })
  await gateway.waitForLog('"level":"WARN","message":"Failed to bind to admin address"')
  assert.equal((await askAdmin(port, '/live')).status, 200)
  // The token counts all the same.
  assert.equal((await askAdmin(port, '/status')).status, 401)
  assert.equal((await askAdmin(port, '/status', BEARER)).status, 200)
})

test('it comes, moves and goes with the file', async () => {
  await using gateway = await startGateway({})
  gateway.rewrite({ ...LOCAL })
  await gateway.waitForLog('Admin server listening on')
  const first = adminPort(gateway)
  assert.equal((await askAdmin(first, '/ready')).status, 200)
  gateway.rewrite({ admin: { bind_address: 'unix:admin.sock' } })
  await gateway.waitForLog('Admin server listening on unix:admin.sock')
  const socket = join(gateway.directory, 'admin.sock')
  const status = JSON.parse((await askAdmin(socket, '/status')).text)
  assert.equal(status.configuration.generation, 3)
  await assert.rejects(connect(first))
  gateway.rewrite({})
  await gateway.waitForLog('reloaded automatically', 3)
  await assert.rejects(askAdmin(socket, '/live'))
})

test('readiness turns at the first signal, before the listener closes, and can be asked to the end', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway({
    ...LOCAL,
    ...upTo(origin),
    server: { shutdown_delay_ms: 60_000 },
  })
  const port = adminPort(gateway)
  using client = await connect(gateway.port)
  void client.write(get('/up/wait'))
  await origin.request()
  gateway.signal('SIGTERM')
  await gateway.waitForLog('Shutdown signal received')
  const ready = await askAdmin(port, '/ready')
  assert.deepEqual([ready.status, ready.text], [503, 'draining\n'])
  assert.equal((await askAdmin(port, '/live')).status, 200)
  assert.equal(sumOf((await askAdmin(port, '/metrics')).text, 'fluxgate_exchanges_in_flight'), 1)
})

test('on the default configuration the door of the file is there, and says why', async () => {
  await using gateway = await startGateway(
    'version: 1\nadmin: { bind_address: "127.0.0.1:0" }\nserver: { workers: none }\n',
  )
  const ready = await askAdmin(adminPort(gateway), '/ready')
  assert.deepEqual([ready.status, ready.text], [503, 'default configuration\n'])
  const { configuration } = JSON.parse((await askAdmin(adminPort(gateway), '/status')).text)
  assert.deepEqual([configuration.valid, configuration.last_result], [false, 'invalid'])
  assert.match(configuration.error, /server\.workers/)
})

test('65 clients that never finish a head keep no probe out', async () => {
  await using gateway = await startGateway({ ...LOCAL })
  const port = adminPort(gateway)
  const slow = await Promise.all(Array.from({ length: 70 }, () => connect(port)))
  for (const client of slow) void client.write('GET /live HTT')
  for (let i = 0; i < 5; i++) assert.equal((await askAdmin(port, '/live')).status, 200)
  for (const client of slow) await client.ended()
})

test('blanks in a field cost the same as other bytes', async () => {
  await using gateway = await startGateway({ ...LOCAL })
  const blanks = ' '.repeat(16_000)
  for (const [value, status] of [
    [`a${blanks}b`, 200],
    [`${blanks}b${blanks}`.slice(0, 16_000), 200],
    [`${blanks}\rb`, 400],
    [`a${blanks}\n`, 400],
  ] as const) {
    assert.equal((await askAdmin(adminPort(gateway), '/live', { X: value })).status, status)
  }
})

test('clients that have been told to go keep no probe out', async () => {
  await using gateway = await startGateway({ ...LOCAL })
  const port = adminPort(gateway)
  const told = await Promise.all(Array.from({ length: 64 }, () => connect(port)))
  for (const client of told) void client.write('GET /nowhere HTTP/1.1\r\n\r\n')
  for (const client of told) assert.equal((await client.response()).status, 404)
  assert.equal((await askAdmin(port, '/live')).status, 200)
})

test('pipelined requests are answered one after the other', async () => {
  await using gateway = await startGateway({ ...LOCAL })
  using client = await connect(adminPort(gateway))
  void client.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(500))
  const last = await client.response(499)
  assert.equal(last.text, 'ok\n')
})

test('a reader that does not read is ended, and nobody else waits', { timeout: 60_000 }, async () => {
  const upstreams = Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [
      `upstream-${i}`,
      { request_path: `/${i}`, target_url: 'http://127.0.0.1:1', api_key: 'p' },
    ]),
  )
  await using gateway = await startGateway({ ...LOCAL, upstreams })
  const port = adminPort(gateway)
  using reader = await connect(port)
  reader.socket.pause()
  void reader.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(300))
  for (let i = 0; i < 5; i++) assert.equal((await askAdmin(port, '/metrics')).status, 200)
})

// ---- sums

async function metricsOf(gateway: RunningGateway): Promise<string> {
  return (await askAdmin(adminPort(gateway), '/metrics')).text
}

for (const workers of [1, 3]) {
  test(`requests are as many as outcomes, and as many as records (${workers} workers)`, async () => {
    let nth = 0
    await using origin = await startOrigin(({ connection, target }) => {
      if (target === '/cut') connection.reset()
      else if (target === '/wait') return
      else if (target === '/429') void connection.write('HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n')
      else void connection.write(ok(`${nth++}`))
    })
    const config: ConfigObject = { ...LOCAL, ...upTo(origin), server: { workers } }
    await using gateway = await startGateway(config)
    const paths = ['/up/x', '/up/cut', '/up/429', '/nowhere', '/up/wait', '/up/x']
    for (let round = 0; round < 5; round++) {
      for (const path of paths) {
        using client = await connect(gateway.port)
        void client.write(get(path))
        if (path !== '/up/wait') await client.response()
        else {
          await origin.request(origin.requests.length)
          client.socket.destroy()
        }
      }
    }
    // A bad key, and no request at all.
    using stranger = await connect(gateway.port)
    void stranger.write(get('/up/x').replace('fgk_', 'bad_'))
    assert.equal((await stranger.response()).status, 401)
    const total = 5 * paths.length + 1
    await gateway.until(() => gateway.records().length === total, 'all records')
    const text = await metricsOf(gateway)
    assert.equal(sumOf(text, 'fluxgate_requests_total'), total)
    assert.equal(sumOf(text, 'fluxgate_log_records_total'), total)
    assert.equal(sumOf(text, 'fluxgate_request_duration_seconds_count'), total)
    for (const outcome of ['complete', 'client_abort', 'upstream_abort', 'refused']) {
      const recorded = gateway.records().filter((record) => record.outcome === outcome).length
      assert.equal(sumOf(text, 'fluxgate_requests_total', { outcome }), recorded, outcome)
    }
    assert.equal(sumOf(text, 'fluxgate_requests_total', { api_key: 'test', code: '200' }), 10)
    assert.equal(sumOf(text, 'fluxgate_upstream_responses_total', { code: '429' }), 5)
    assert.equal(sumOf(text, 'fluxgate_refusals_total', { code: 'fluxgate_no_route' }), 5)
    assert.equal(sumOf(text, 'fluxgate_refusals_total', { code: 'fluxgate_unauthorized' }), 1)
    assert.equal(sumOf(text, 'fluxgate_exchanges_in_flight'), 0)
    // Those that had an answer of the upstream.
    assert.equal(sumOf(text, 'fluxgate_gateway_overhead_seconds_count', { phase: 'response' }), 15)
    assert.equal(sumOf(text, 'fluxgate_gateway_overhead_seconds_count', { phase: 'request' }), 25)
    assert.equal(sumOf(text, 'fluxgate_time_to_first_byte_seconds_count'), 15)
    assert.ok(sumOf(text, 'fluxgate_upstream_connects_total', { result: 'ok' }) >= 5)
    assert.equal(sumOf(text, 'fluxgate_client_connections_accepted_total'), total)
  })
}

test('200 upstreams and 200 keys', async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  const numbers = Array.from({ length: 200 }, (_, i) => i)
  const keyOf = (i: number): string => `key-${String(i).padStart(3, '0')}-0123456789abcdefghijklmnop`
  await using gateway = await startGateway({
    ...LOCAL,
    upstreams: Object.fromEntries(
      numbers.map((i) => [
        `u${i}`,
        { request_path: `/${i}`, target_url: `http://127.0.0.1:${origin.port}`, api_key: 'p' },
      ]),
    ),
    api_keys: { static: numbers.map((i) => ({ id: `k${i}`, key: keyOf(i) })) },
  })
  using client = await connect(gateway.port)
  for (const i of numbers) {
    void client.write(`GET /${i}/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keyOf(i)}\r\n\r\n`)
    assert.equal((await client.response(i)).status, 200)
  }
  const series = seriesOf(await metricsOf(gateway))
  for (const i of numbers) {
    const name = `fluxgate_requests_total{upstream="u${i}",api_key="k${i}",method="GET",code="200",outcome="complete"}`
    assert.equal(series.get(name), 1)
  }
  const { upstreams, api_keys } = JSON.parse((await askAdmin(adminPort(gateway), '/status')).text)
  assert.equal(Object.keys(upstreams).length, 200)
  assert.deepEqual(api_keys.k7, { requests: 1, errors: 0 })
  assert.deepEqual(upstreams.u7.outcomes, { complete: 1 })
  // Many pieces, each of which gzip takes its time for.
  const url = `http://127.0.0.1:${adminPort(gateway)}/metrics`
  const zipped = await fetch(url, { headers: { 'Accept-Encoding': 'gzip', Connection: 'close' } })
  assert.ok((await zipped.text()).length > 500_000)
  assert.doesNotMatch(gateway.log(), /MaxListeners/)
})

test('a reload and a broken file are counted', async () => {
  await using gateway = await startGateway({ ...LOCAL })
  gateway.rewrite({ ...LOCAL, server: { max_connections: 7 } })
  await gateway.waitForLog('reloaded automatically')
  gateway.rewrite('version: 1\nadmin: {')
  await gateway.waitForLog('validation failed')
  const text = await metricsOf(gateway)
  assert.equal(sumOf(text, 'fluxgate_config_reloads_total', { result: 'applied' }), 1)
  assert.equal(sumOf(text, 'fluxgate_config_reloads_total', { result: 'invalid' }), 1)
  assert.equal(sumOf(text, 'fluxgate_config_valid'), 0)
  assert.equal(sumOf(text, 'fluxgate_config_generation'), 2)
  assert.equal(sumOf(text, 'fluxgate_client_connections_limit'), 7)
})

// ---- commands

test('fluxgate health: 0 where it is ready, 1 where it is not or nobody answers', async () => {
  await using gateway = await startGateway({ admin: { bind_address: 'unix:admin.sock', token: TOKEN } })
  const { configPath } = gateway
  assert.deepEqual(await run(['health', '--config', configPath]), { code: 0, out: 'ready\n' })
  assert.deepEqual(await run(['health', '--admin', `unix:${join(gateway.directory, 'admin.sock')}`]), {
    code: 0,
    out: 'ready\n',
  })
  // A file in which nothing else is right.
  gateway.rewrite('admin:\n  bind_address: unix:admin.sock\nversion: 1\n  broken: [')
  assert.deepEqual(await run(['health', '--config', configPath]), { code: 0, out: 'ready\n' })
  gateway.rewrite('version: 1\n')
  const none = await run(['health', '--config', configPath])
  assert.equal(none.code, 1)
  assert.match(none.out, /has no admin\.bind_address/)
  const nobody = await run(['health', '--admin', 'http://127.0.0.1:1'])
  assert.equal(nobody.code, 1)
  assert.match(nobody.out, /127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/)
})

test('fluxgate top: lines where the output is no terminal; a gateway that goes is shown', async () => {
  await using gateway = await startGateway(WITH_TOKEN)
  const url = `http://127.0.0.1:${adminPort(gateway)}`
  const top = spawn(COMMAND, ['top', '--admin', url], {
    env: { ...process.env, FLUXGATE_ADMIN_TOKEN: TOKEN },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    let out = ''
    const until = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(out)) out += String((await once(top.stdout!, 'data'))[0])
    }
    await until(/requests\/s=0 in_flight=0 streams=0 .* ready\n/)
    gateway.signal('SIGKILL')
    await until(/does not answer/)
    top.kill('SIGINT')
    const [code] = await once(top, 'exit')
    assert.equal(code, 0)
    assert.ok(!out.includes('\x1b'))
  } finally {
    top.kill('SIGKILL')
  }
})

test('an upgrade hands the door over as well', async () => {
  await using gateway = await startGateway({ ...LOCAL })
  const port = adminPort(gateway)
  gateway.signal('SIGUSR2')
  await gateway.waitForLog('Upgrade complete; draining')
  await gateway.waitForLog('Admin server listening on', 2)
  assert.equal(adminPort(gateway), port)
  const { pid } = JSON.parse((await askAdmin(port, '/status')).text)
  assert.notEqual(pid, gateway.pid)
  process.kill(pid, 'SIGTERM')
})
