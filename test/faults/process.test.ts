import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { get, post, upTo } from '../support/bytes.ts'
import { DEADLINE_MS, within } from '../support/deadline.ts'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'
import { assertAftermath } from './aftermath.ts'

// ---- the log's disk

const DISK_BYTES = 4 * 1024 * 1024
/** Of which so much is left to the log, which is too little for the records of this many requests. */
const LEFT_BYTES = 64 * 1024
const REQUESTS = 200
const TARGET_BYTES = 4000

/** A small disk of its own for its log, in a name space of its own, so that it goes with the process. */
const withSmallDisk = (folder: string): string[] => [
  'unshare',
  '--mount',
  'sh',
  '-c',
  [
    `mkdir ${folder}`,
    `mount -t tmpfs -o size=${DISK_BYTES} tmpfs ${folder}`,
    `head -c ${DISK_BYTES - LEFT_BYTES} /dev/zero > ${folder}/filler`,
    `exec "$@" > ${folder}/log`,
  ].join(' && '),
  'sh',
]

function whyNoSmallDisk(): string | false {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return 'needs root on Linux'
  return spawnSync('unshare', ['--mount', 'true']).status === 0 ? false : 'unshare(1) does not work here'
}

test('the disk of the log is full: no request notices, and when there is room again not a record is missing', {
  skip: whyNoSmallDisk(),
}, async (t) => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin), { under: withSmallDisk('disk'), wait: false })
  const at = (name: string): string => `/proc/${gateway.pid}/root${gateway.directory}/disk/${name}`
  const log = (): string => readFileSync(at('log'), 'utf8')
  const port = await t.waitFor(
    () => {
      const [, number] = /listening on 127\.0\.0\.1:(\d+)/.exec(log()) ?? []
      assert.ok(number)
      return Number(number)
    },
    { timeout: 10_000 },
  )
  using client = await connect(port)
  for (let i = 0; i < REQUESTS; i++) {
    void client.write(get(`/up/${i}/${'x'.repeat(TARGET_BYTES)}`))
    assert.equal((await client.response(i)).status, 200)
  }
  assert.ok(log().length <= LEFT_BYTES, 'it is full')
  assert.equal(gateway.exit, undefined)
  rmSync(at('filler'))
  await t.waitFor(() => assert.equal(log().split('"Request processed"').length - 1, REQUESTS), { timeout: 10_000 })
  const numbers = [...log().matchAll(/"request_url":"\/up\/(\d+)\/x+"/g)].map(([, number]) => Number(number))
  assert.deepEqual(
    numbers,
    Array.from({ length: REQUESTS }, (_, i) => i),
  )
  for (const line of log().trimEnd().split('\n')) JSON.parse(line)
})

// ---- the wall clock

/** The environment of a gateway that runs with a module of this folder in it from the start. */
const preloading = (module: URL): NodeJS.ProcessEnv => ({ NODE_OPTIONS: `--import=${fileURLToPath(module)}` })

const HOUR_S = 3600
const JWT_KEY = 'a secret of thirty-two bytes, ok'

function token(claims: object): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${encode({ alg: 'HS256', typ: 'JWT', kid: 'team' })}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', JWT_KEY).update(signed).digest('base64url')}`
}

/** The first time an hour ahead, the second time two hours back. */
async function jump(gateway: RunningGateway, times: number): Promise<void> {
  gateway.signal('SIGWINCH')
  await gateway.waitForLog('the wall clock has jumped', times)
}

test('the wall clock jumps an hour ahead and two back: tokens follow it, and no timeout does', async () => {
  await using origin = await startOrigin(async ({ connection, target }) => {
    if (target === '/stream') await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst')
    else if (target !== '/wait') await connection.write(OK)
  })
  const up = (name: string, more: object) => ({
    request_path: `/${name}`,
    target_url: origin.url,
    api_key: PROVIDER_KEY,
    ...more,
  })
  await using gateway = await startGateway(
    {
      upstreams: { up: up('up', { request_timeout_ms: 60_000 }), short: up('short', { response_timeout_ms: 300 }) },
      api_keys: { static: [{ id: 'test', key: CLIENT_KEY }], jwt: [{ id: 'team', key: JWT_KEY }] },
    },
    { env: preloading(new URL('jumping-clock.ts', import.meta.url)) },
  )
  const now = Math.floor(Date.now() / 1000)
  const ending = token({ exp: now + HOUR_S / 2 })
  const beginning = token({ nbf: now - HOUR_S / 2 })
  const statuses = async (): Promise<number[]> => {
    const ask = async (key: string): Promise<number> =>
      (await exchange(gateway.port, get('/up/x').replace(CLIENT_KEY, key))).status
    return [await ask(ending), await ask(beginning)]
  }
  using streaming = await connect(gateway.port)
  /** A stream that begins before a jump and ends after it. */
  const throughJump = async (n: number): Promise<void> => {
    void streaming.write(get('/up/stream'))
    await streaming.untilContent('first', n)
    await jump(gateway, n + 1)
    await origin.requests.findLast(({ target }) => target === '/stream')?.connection.write('again')
    assert.equal((await streaming.response(n)).text, 'firstagain')
  }
  using idle = await connect(gateway.port)
  void idle.write(get('/up/x'))
  await idle.response()
  assert.deepEqual(await statuses(), [200, 200])

  await throughJump(0)
  const connections = origin.connections.length
  assert.deepEqual(await statuses(), [401, 200])
  void idle.write(get('/up/x'))
  assert.equal((await idle.response(1)).status, 200)

  await throughJump(1)
  assert.deepEqual(await statuses(), [200, 401])
  assert.equal(origin.connections.length, connections, 'nor did an idle connection upstream become too old')
  assert.equal((await exchange(gateway.port, post('/short/wait', 'content'))).status, 504, 'and timeouts go on')
  const { time } = await gateway.waitForRecord((record) => record.status === 504)
  assert.ok(Math.abs(Date.parse(time) / 1000 - (now - HOUR_S)) < 120, `${time} is the new time`)
  for (const { duration_ms } of gateway.records()) assert.ok(duration_ms >= 0 && duration_ms < 60_000, `${duration_ms}`)
})

// ---- bugs of our own

const BUG = '"A request has failed because of a bug"'

test('an exception in the middle of a request: that request gets 500, others notice nothing', async () => {
  await using origin = await startOrigin(
    ({ connection }) => void connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst'),
  )
  await using gateway = await startGateway(upTo(origin), {
    env: preloading(new URL('exceptions.ts', import.meta.url)),
  })
  using streaming = await connect(gateway.port)
  void streaming.write(get('/up/stream'))
  await streaming.untilContent('first')
  using client = await connect(gateway.port)
  void client.write(get('/up/x').replace(CLIENT_KEY, 'key-that-throws'))
  const response = await client.response()
  assert.equal(response.status, 500)
  assert.equal(response.value('x-fluxgate-error'), 'fluxgate_internal')
  assert.equal(await client.ended(), 'fin')
  await gateway.waitForLog(BUG)
  await origin.requests[0]?.connection.write('again')
  assert.equal((await streaming.response()).text, 'firstagain')
  await assertAftermath(gateway, '500 refused internal', '200 complete -')
  assert.equal(origin.requests.length, 1)
})

test('its 500 arrives although more of the request is on its way', async () => {
  await using origin = await startOrigin(OK)
  await using gateway = await startGateway(upTo(origin), {
    env: preloading(new URL('exceptions.ts', import.meta.url)),
  })
  using client = await connect(gateway.port)
  const upload = post('/up/x', 'x'.repeat(1_000_000)).replace(CLIENT_KEY, 'key-that-throws')
  void client.write(upload)
  assert.equal((await client.response()).status, 500)
  assert.equal(await client.ended(), 'fin')
  await assertAftermath(gateway, '500 refused internal')
})

test('an exception in the middle of a stream: it is cut visibly, others notice nothing', async () => {
  await using origin = await startOrigin(
    ({ connection }) => void connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n'),
  )
  await using gateway = await startGateway(upTo(origin), {
    env: preloading(new URL('exceptions.ts', import.meta.url)),
  })
  using client = await connect(gateway.port)
  void client.write(post('/up/x', 'content'))
  await client.untilContent('first')
  const { connection } = await origin.request()
  await connection.write('0\r\nX: trailer-that-throws\r\n\r\n')
  const response = await client.response()
  assert.equal(`${response.state} ${response.text}`, 'truncated first')
  await connection.ended()
  await gateway.waitForLog(BUG)
  origin.answer = OK
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  await assertAftermath(gateway, '200 refused internal', '200 complete -')
})

test('an exception in the record of an exchange: its client goes on, and no stop waits for it', async () => {
  await using origin = await startOrigin(OK)
  await using gateway = await startGateway(upTo(origin), {
    env: preloading(new URL('exceptions.ts', import.meta.url)),
  })
  using client = await connect(gateway.port)
  using other = await connect(gateway.port)
  for (const each of [client, other]) {
    void each.write(get('/up/x?a=value-that-throws'))
    assert.equal((await each.response()).status, 200)
  }
  await gateway.waitForLog(BUG, 2)
  void client.write(get('/up/x'))
  assert.equal((await client.response(1)).status, 200)
  await assertAftermath(gateway, '200 complete -')
  gateway.signal('SIGTERM')
  assert.deepEqual(await within(gateway.exited, 'the exit'), { code: 0, signal: null })
})

/** The line is out a moment before the socket is closed. */
async function refused(port: number): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    try {
      using client = await connect(port)
      await client.ended()
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED')
      return
    }
    assert.ok(performance.now() < deadline)
  }
}

test('an exception that belongs to no request: what runs may end, nothing new is accepted, and the process exits with 1', async () => {
  await using origin = await startOrigin(
    ({ connection }) => void connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst'),
  )
  await using gateway = await startGateway(upTo(origin), {
    env: preloading(new URL('exceptions.ts', import.meta.url)),
  })
  const { port } = gateway
  using client = await connect(port)
  void client.write(get('/up/x'))
  await client.untilContent('first')
  gateway.signal('SIGWINCH')
  await gateway.waitForLog('"Uncaught exception; shutting down"')
  await refused(port)
  await origin.requests[0]?.connection.write('again')
  assert.equal((await client.response()).text, 'firstagain')
  assert.deepEqual(await gateway.exited, { code: 1, signal: null })
  assert.equal(gateway.records().length, 1)
})
