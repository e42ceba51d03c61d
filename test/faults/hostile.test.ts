import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { get, postChunked, upTo } from '../support/bytes.ts'
import { footprint, REPORTING } from '../support/footprint.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { startLoad } from '../support/load.ts'
import { residentBytes } from '../support/memory.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { connect, exchange, type RawClient } from '../support/raw-client.ts'

const MEBIBYTE = 1024 * 1024
const isLinux = process.platform === 'linux'
const resident = (pid: number): number => (isLinux ? residentBytes(pid) : 0)

// ---- bombs

const AUTHORIZED = `Host: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n`

/** What is sent first, and then over and over, and the answer of ours that ends it. */
const bombs: Readonly<Record<string, readonly [start: string, more: string, status: number]>> = {
  'a target': ['GET /up/', 'x', 414],
  'field lines': [`GET /up/x HTTP/1.1\r\n${AUTHORIZED}`, 'X: y\r\n', 431],
  'empty field lines': [`GET /up/x HTTP/1.1\r\n${AUTHORIZED}`, 'X:\r\n', 431],
  'a field name': [`GET /up/x HTTP/1.1\r\n${AUTHORIZED}`, 'n', 431],
  'a field value': [`GET /up/x HTTP/1.1\r\n${AUTHORIZED}X: `, 'v', 431],
  'members of Connection': [`GET /up/x HTTP/1.1\r\n${AUTHORIZED}Connection: `, 'x,', 431],
  'empty lines before a request': ['', '\r\n', 400],
  'a method': ['', 'M', 414],
  'digits of a chunk size': [postChunked('/up/x'), '0', 400],
  'a chunk extension': [`${postChunked('/up/x')}1;a=`, 'x', 400],
  'chunks with extensions': [postChunked('/up/x'), '1;a=b\r\nx\r\n', 400],
  'a trailer': [`${postChunked('/up/x')}0\r\nX: `, 'v', 400],
  trailers: [`${postChunked('/up/x')}0\r\n`, 'X: y\r\n', 400],
}
const BOMBERS = 40
const PIECE_BYTES = 16 * 1024

/** Goes on until the gateway has answered or closed the connection. */
async function bomb(client: RawClient, start: string, more: string): Promise<number> {
  function* pieces(): Generator<string> {
    yield start
    while (client.ending === undefined && client.responses.length === 0) yield more.repeat(PIECE_BYTES / more.length)
  }
  await client.writePieces(pieces())
  return (await client.response()).status
}

for (const [what, [start, more, status]] of Object.entries(bombs)) {
  test(`${what} without end, from many at once: ${status} and a close for each, in bounded memory, and others are served meanwhile`, async () => {
    await using origin = await startOrigin(async ({ connection, target }) => {
      if (target.startsWith('/other')) await connection.write(OK)
    })
    await using gateway = await startGateway(upTo(origin))
    using others = await startLoad({
      port: gateway.port,
      connections: 4,
      perSecond: 200,
      request: (n) => get(`/up/other/${n}`),
    })
    await others.untilMore(50)
    const before = resident(gateway.pid)
    const clients = await Promise.all(Array.from({ length: BOMBERS }, () => connect(gateway.port)))
    const statuses = await Promise.all(clients.map((client) => bomb(client, start, more)))
    assert.deepEqual(new Set(statuses), new Set([status]))
    const growth = resident(gateway.pid) - before
    for (const client of clients) {
      void client.fin()
      assert.equal(await client.ended(), 'fin')
    }
    assert.ok(growth < 32 * MEBIBYTE, `${growth / MEBIBYTE} MiB`)
    await others.untilMore(20)
    await others.stop()
    assert.deepEqual(others.failures, [])
    assert.equal(others.ended, 0)
    const records = start.includes(' HTTP/1.1\r\n') ? BOMBERS : 0 // a request without a whole request line leaves none
    const recorded = (): number => gateway.records().filter((record) => record.status === status).length
    await gateway.until(() => recorded() >= records, 'a record of each')
    assert.equal(recorded(), records)
  })
}

// ---- smuggling

const MARK = 'a-value-that-is-nobodys-business'

/** Head lines that could make two readers disagree about where a request ends, or the gateway drop what protects. */
const suspicious: Readonly<Record<string, readonly [lines: readonly string[], status: number]>> = {
  'two lengths': [['Content-Length: 5', 'Content-Length: 6'], 400],
  'a list of lengths': [['Content-Length: 5, 5'], 400],
  'a length that is none': [['Content-Length: +5'], 400],
  'a length and chunks': [['Content-Length: 5', 'Transfer-Encoding: chunked'], 400],
  'chunked twice': [['Transfer-Encoding: chunked, chunked'], 501],
  'another coding': [['Transfer-Encoding: gzip'], 501],
  'a coding that only looks like chunked': [['Transfer-Encoding: xchunked'], 501],
  'a framing field that is nominated': [['Connection: content-length', 'Content-Length: 5'], 400],
}

test('attempts to smuggle: an answer, a close and a warning for each, and no value of a field in the log', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  for (const [i, [what, [lines, status]]] of Object.entries(suspicious).entries()) {
    const head = ['POST /up/x HTTP/1.1', ...AUTHORIZED.trimEnd().split('\r\n'), `X-A: ${MARK}`, ...lines, '', '']
    using client = await connect(gateway.port, { methods: ['POST'] })
    void client.write(`${head.join('\r\n')}0\r\n\r\nGET /up/smuggled HTTP/1.1\r\n${AUTHORIZED}\r\n`)
    const response = await client.response()
    assert.equal(response.status, status, what)
    assert.equal(response.value('connection'), 'close', what)
    assert.equal(await client.ended(), 'fin', what)
    assert.equal(client.responses.length, 1, what)
    await gateway.waitForLog('"Refused a request that could be an attack"', i + 1)
  }
  const warnings = gateway
    .log()
    .split('\n')
    .filter((line) => line.includes('could be an attack'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.equal(warnings.length, Object.keys(suspicious).length, 'one for each')
  for (const warning of warnings) assert.equal(warning.client_ip, '127.0.0.1')
  assert.equal(warnings[0]!.cause, 'content_length')
  for (const secret of [MARK, CLIENT_KEY]) assert.ok(!gateway.log().includes(secret))
  assert.equal(origin.requests.length, 0)
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
})

// ---- wrong keys

const WRONG_KEYS = 10_000
const JWT_KEY = 'a secret of thirty-two bytes, ok'

/** Every third one looks like a token of ours, and its signature is wrong. */
function wrongKey(n: number): string {
  if (n % 3 !== 0) return `fgk_wrong_${n}_0123456789abcdef`
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'HS256', typ: 'JWT', kid: 'team' })}.${part({ sub: `wrong_${n}` })}`
  return `${signed}.${createHmac('sha256', `${JWT_KEY} `).update(signed).digest('base64url')}`
}

test('ten thousand wrong keys: 401 for each, in constant memory, and others are served meanwhile', async (t) => {
  await using origin = await startOrigin(undefined, { keepBytes: 0 })
  const config = {
    ...upTo(origin),
    api_keys: { static: [{ id: 'test', key: CLIENT_KEY }], jwt: [{ id: 'team', key: JWT_KEY }] },
  }
  await using gateway = await startGateway(config, { env: REPORTING })
  using others = await startLoad({
    port: gateway.port,
    connections: 4,
    perSecond: 100,
    request: (n) => get(`/up/other/${n}`),
  })
  let tried = 0
  /** As many as that, none of which was tried before. */
  async function guess(count: number): Promise<void> {
    const first = tried
    using guesses = await startLoad({
      port: gateway.port,
      connections: 32,
      perSecond: 20_000,
      request: (n) => get(`/up/guess/${first + n}`).replace(CLIENT_KEY, wrongKey(first + n)),
      judge: ({ status, startLine }) => (status === 401 ? undefined : startLine),
    })
    await guesses.untilMore(count, 30_000)
    await guesses.stop()
    assert.deepEqual(guesses.failures, [])
    assert.equal(guesses.ended, 0)
    tried += guesses.sent
  }
  await guess(1000)
  const before = await footprint(gateway)
  const served = others.answered
  await guess(WRONG_KEYS)
  assert.ok(others.answered > served, 'others were served meanwhile')
  const growth = (await footprint(gateway)).live - before.live
  t.diagnostic(`${growth} bytes`)
  assert.ok(growth < WRONG_KEYS * 40, `${growth} bytes`)

  await others.stop()
  assert.deepEqual(others.failures, [])
  assert.equal(others.ended, 0)
  await gateway.until(() => gateway.records().length === tried + others.sent, 'a record of each')
  assert.ok(origin.requests.every(({ target }) => target.startsWith('/other/')))
  assert.ok(!gateway.log().includes('wrong_'), 'what was tried is not in the log')
  assert.ok(!gateway.log().includes('"WARN"'))
})
