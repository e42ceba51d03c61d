import assert from 'node:assert/strict'
import { after, before, describe, it, test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

/** Of a line, its labels and all that the client has not chosen included. */
const MAX_LINE_BYTES = 3_000
/** More than a target may have, and no more than arrives at once: what breaks before its line has come leaves no record. */
const HEAD_BYTES = 40_000

/** What grows most on its way into a line: six bytes of one, two of one, and what UTF-8 makes two of. */
const WORST = { controls: '\x01', 'C1 controls': '\x9b', quotes: '"', backslashes: '\\', 'high bytes': '\xe9' }
const fill = (unit: string, bytes = HEAD_BYTES): string => unit.repeat(bytes)
const KEY = `Authorization: Bearer ${CLIENT_KEY}`
const request = (line: string, ...fields: string[]): string => [line, 'Host: a', ...fields, '', ''].join('\r\n')

/** `isEmpty`: nothing of it is a method or a target, so that nothing is logged of it. */
const cases: (readonly [name: string, bytes: string, status: number, isEmpty?: true])[] = [
  ...Object.entries(WORST).flatMap(([name, unit]) => {
    const isClean = unit === '"' || unit === '\\'
    return [
      [`a target of ${name}`, request(`GET /${fill(unit)} HTTP/1.1`), 414],
      [`a shorter target of ${name}`, request(`GET /${fill(unit, 30_000)} HTTP/1.1`), isClean ? 401 : 400],
      [`a query of ${name}`, request(`GET /?a=${fill(unit, 30_000)} HTTP/1.0`), 505],
      [`no request line but ${name}`, `${fill(unit)}\r\n\r\n`, 400, true],
      // What is no method is not shown as one.
      [`a line of ${name} without its CR`, `${fill(unit, 15_000)} ${fill(unit, 15_000)}\n`, 400, true],
      [
        `a head that is too large, of ${name}`,
        request(`GET /${fill(unit, 30_000)} HTTP/1.1`, `A: ${fill('x', 40_000)}`),
        isClean ? 431 : 400,
      ],
      [`a field without a colon behind ${name}`, request(`GET /${fill('"', 30_000)} HTTP/1.1`, unit), 400],
    ] as const
  }),
  ['a method', request(`${fill("'", 60_000)} /x HTTP/1.1`), 401],
  ['a method with a key', request(`${fill("'", 60_000)} /nowhere HTTP/1.1`, KEY), 404],
  ['CONNECT', request(`CONNECT ${fill('"')} HTTP/1.1`), 501],
  ['no Host', `GET /${fill('"', 30_000)} HTTP/1.1\r\n\r\n`, 400],
  [
    'two framings',
    request(`POST /${fill('"', 30_000)} HTTP/1.1`, 'Content-Length: 1', 'Transfer-Encoding: chunked'),
    400,
  ],
  ['another coding', request(`POST /${fill('"', 30_000)} HTTP/1.1`, 'Transfer-Encoding: gzip'), 501],
  ['an expectation', request(`GET /${fill('"', 30_000)} HTTP/1.1`, 'Expect: x'), 417],
  ['zeros for a length', request('POST /x HTTP/1.1', `Content-Length: ${fill('0', 60_000)}`), 401],
  [
    'all of it',
    request(`${fill("'", 10_000)} /${fill('\\', 30_000)} HTTP/1.1`, `Content-Length: ${fill('0', 20_000)}`),
    401,
  ],
  ['a wrong path', request(`GET /${fill('"', 30_000)} HTTP/1.1`, KEY), 404],
  ['the key in the target', request(`GET /up/${fill('"', 30_000)}${CLIENT_KEY} HTTP/1.1`, KEY), 400, true],
]

for (const format of ['text', 'json', 'gcp'] as const) {
  describe(`in ${format}, whatever its head is full of:`, () => {
    let gateway: RunningGateway
    let origin: Origin
    const lines: string[] = []
    before(async () => {
      origin = await startOrigin()
      gateway = await startGateway(upTo(origin), {
        env: { FLUXGATE_LOG_FORMAT: format },
        onLine: (line) => lines.push(line),
      })
    })
    after(() => Promise.all([gateway.stop(), origin.close()]))

    for (const [name, bytes, status, isEmpty] of cases) {
      it(name, async () => {
        lines.length = 0
        const response = await exchange(gateway.port, bytes)
        assert.equal(response.status, status)
        await gateway.until(() => lines.some((line) => line.includes('Request processed')), 'its record')
        for (const line of lines)
          assert.ok(Buffer.byteLength(line) < MAX_LINE_BYTES, `${Buffer.byteLength(line)} bytes`)
        assert.equal(
          lines.some((line) => line.includes('…')),
          isEmpty !== true,
          'where it was cut can be seen',
        )
        assert.ok(lines.length <= 2, 'a record, and at most one event beside it')
        assert.ok(!lines.join('').includes(CLIENT_KEY))
      })
    }

    it('a head that stays incomplete', async () => {
      lines.length = 0
      await using slow = await startGateway(
        { server: { head_timeout_ms: 100 }, ...upTo(origin) },
        { env: { FLUXGATE_LOG_FORMAT: format }, onLine: (line) => lines.push(line) },
      )
      using client = await connect(slow.port)
      void client.write(`GET /${fill('"', 30_000)} HTTP/1.1\r\nA: `)
      assert.equal((await client.response()).status, 408)
      await slow.until(() => lines.find((line) => line.includes('Request processed')), 'its record')
      for (const line of lines) assert.ok(Buffer.byteLength(line) < MAX_LINE_BYTES)
    })
  })
}

describe('a key in the path or for a method is not logged where its request is refused unread:', () => {
  const target = `/up/${CLIENT_KEY}/x`
  const escaped = `/up/${CLIENT_KEY.replaceAll('-', '%2D')}/x`
  for (const [name, bytes, status] of [
    ['an old version', request(`GET ${target} HTTP/1.0`, KEY), 505],
    ['an escaped key', request(`GET ${escaped} HTTP/1.0`, KEY), 505],
    ['an expectation', request(`GET ${target} HTTP/1.1`, KEY, 'Expect: x'), 417],
    ['no Host', `GET ${target} HTTP/1.1\r\n${KEY}\r\n\r\n`, 400],
    ['two framings', request(`POST ${target} HTTP/1.1`, 'Content-Length: 1', 'Transfer-Encoding: chunked'), 400],
    ['another coding', request(`POST ${target} HTTP/1.1`, KEY, 'Transfer-Encoding: gzip'), 501],
    ['no key in a field', request(`GET ${target} HTTP/1.1`), 401],
    ['a method', request(`${CLIENT_KEY} /up/x HTTP/1.1`), 401],
  ] as const) {
    it(name, async () => {
      await using origin = await startOrigin()
      await using gateway = await startGateway(upTo(origin))
      assert.equal((await exchange(gateway.port, bytes)).status, status)
      const record = await gateway.until(() => gateway.records()[0], 'its record')
      assert.ok(!decodeURIComponent(JSON.stringify(record)).includes(CLIENT_KEY), JSON.stringify(record))
    })
  }
})

test('nor where it is refused because the key stands where no line can be taken out', async () => {
  const digits = '00000000000000000000000000000005'
  await using origin = await startOrigin()
  await using gateway = await startGateway({
    ...upTo(origin),
    api_keys: { static: [{ key: CLIENT_KEY }, { key: digits }] },
  })
  for (const [bytes, key] of [
    [request(`GET-${CLIENT_KEY} /up/x HTTP/1.1`, KEY), CLIENT_KEY],
    [request('POST /up/x HTTP/1.1', `x-api-key: ${digits}`, `Content-Length: ${digits}`), digits],
    [request('POST /up/x HTTP/1.1', `x-api-key: ${digits}`, `Content-Length: 0${digits}`), digits],
  ] as const) {
    const count = gateway.records().length
    assert.equal((await exchange(gateway.port, bytes)).status, 400)
    const record = await gateway.until(() => gateway.records()[count], 'its record')
    assert.equal(record.error, 'key_in_target')
    assert.ok(!JSON.stringify(record).includes(key), JSON.stringify(record))
  }
  assert.equal(origin.requests.length, 0)
})

test('a request that has found its upstream keeps its whole target, and a method and a length of sense', async () => {
  await using origin = await startOrigin('HTTP/1.1 200 OK\r\nContent-Length: 00000000000000000002\r\n\r\nok')
  await using gateway = await startGateway(upTo(origin))
  const target = `/up/${fill('"', 30_000)}`
  assert.equal((await exchange(gateway.port, get(target))).status, 200)
  const [record] = await gateway.until(() => gateway.records().length > 0 && gateway.records(), 'its record')
  assert.equal(record!.request_url, target)
  assert.equal(record!.target_url, `${origin.url}${target.slice('/up'.length)}`)
  assert.equal(`${record!.response_body_length}`, '00000000000000000002')
  origin.answer = ({ connection }) =>
    void connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${fill('0', 60_000)}\r\n\r\n`)
  const method = fill('M', 5_000)
  using client = await connect(gateway.port)
  void client.write(request(`${method} /up/x HTTP/1.1`, KEY, `Content-Length: ${fill('0', 5_000)}`))
  const cut = await gateway.until(() => gateway.records()[1], 'its record')
  assert.equal(cut.method, `${fill('M', 125)}…`)
  assert.equal(`${cut.request_body_length} ${cut.response_body_length}`, `${fill('0', 61)}… ${fill('0', 61)}…`)
  assert.equal((await origin.request(1)).method, method, 'what goes on is not cut')
})
