import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { get, post } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

interface Case {
  readonly name: string
  readonly sent: string
  readonly status: number
  readonly type: string
  readonly closes: boolean
}

const authorized = (line: string, ...lines: string[]): string =>
  [line, 'Host: a', `Authorization: Bearer ${CLIENT_KEY}`, ...lines, '', ''].join('\r\n')
const INVALID = 'invalid_request_error'

const cases: readonly Case[] = [
  {
    name: 'no key',
    sent: 'GET /up/x HTTP/1.1\r\nHost: a\r\n\r\n',
    status: 401,
    type: 'authentication_error',
    closes: false,
  },
  { name: 'no route', sent: get('/nowhere'), status: 404, type: 'not_found_error', closes: false },
  {
    name: 'a malformed line',
    sent: authorized('GET /up/x HTTP/1.1', 'no colon'),
    status: 400,
    type: INVALID,
    closes: true,
  },
  { name: 'bare line feeds', sent: get('/up/x').replaceAll('\r\n', '\n'), status: 400, type: INVALID, closes: true },
  { name: 'a dot segment', sent: get('/up/../x'), status: 400, type: INVALID, closes: true },
  { name: 'a fragment', sent: get('/up/x#y'), status: 400, type: INVALID, closes: true },
  { name: 'two lengths', sent: post('/up/x', 'ab', 'Content-Length: 2'), status: 400, type: INVALID, closes: true },
  {
    name: 'two framings',
    sent: post('/up/x', '', 'Transfer-Encoding: chunked'),
    status: 400,
    type: INVALID,
    closes: true,
  },
  {
    name: 'no Host',
    sent: `GET /up/x HTTP/1.1\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n\r\n`,
    status: 400,
    type: INVALID,
    closes: true,
  },
  {
    name: 'a bad chunk',
    sent: `${authorized('POST /up/x HTTP/1.1', 'Transfer-Encoding: chunked')}x\r\n`,
    status: 400,
    type: INVALID,
    closes: true,
  },
  {
    name: 'another coding',
    sent: authorized('POST /up/x HTTP/1.1', 'Transfer-Encoding: gzip, chunked'),
    status: 501,
    type: 'api_error',
    closes: true,
  },
  { name: 'TRACE', sent: authorized('TRACE /up/x HTTP/1.1'), status: 501, type: 'api_error', closes: true },
  { name: 'CONNECT', sent: authorized('CONNECT api.test:443 HTTP/1.1'), status: 501, type: 'api_error', closes: true },
  {
    name: 'a WebSocket',
    sent: get('/up/x', 'Connection: Upgrade', 'Upgrade: websocket'),
    status: 501,
    type: 'api_error',
    closes: false,
  },
  { name: 'HTTP/1.0', sent: authorized('GET /up/x HTTP/1.0'), status: 505, type: 'api_error', closes: true },
  { name: 'HTTP/3.0', sent: authorized('GET /up/x HTTP/3.0'), status: 505, type: 'api_error', closes: true },
  { name: 'an expectation', sent: get('/up/x', 'Expect: 200-ok'), status: 417, type: INVALID, closes: true },
  {
    name: 'a head over 64 KiB',
    sent: get('/up/x', ...Array.from({ length: 8 }, () => `X: ${'x'.repeat(8192)}`)),
    status: 431,
    type: INVALID,
    closes: true,
  },
  {
    name: 'over 256 fields',
    sent: get('/up/x', ...Array.from({ length: 255 }, () => 'X: 1')),
    status: 431,
    type: INVALID,
    closes: true,
  },
  { name: 'a target over 32 KiB', sent: get(`/up/${'x'.repeat(32_768)}`), status: 414, type: INVALID, closes: true },
  { name: 'an upstream that nobody serves', sent: get('/dead/x'), status: 502, type: 'api_error', closes: false },
  { name: 'an upstream that has no address', sent: get('/unknown/x'), status: 502, type: 'api_error', closes: false },
  {
    name: 'an upstream that does not answer',
    sent: get('/silent/x'),
    status: 504,
    type: 'timeout_error',
    closes: false,
  },
]

describe('refused:', () => {
  let gateway: RunningGateway
  let origin: Origin
  before(async () => {
    origin = await startOrigin(() => {})
    await using dead = await startOrigin()
    const to = (name: string, target_url: string) => [
      name,
      { request_path: `/${name}`, target_url, api_key: PROVIDER_KEY },
    ]
    gateway = await startGateway({
      upstreams: Object.fromEntries([
        to('up', origin.url),
        to('dead', dead.url),
        to('unknown', 'http://no-such-host.invalid'),
        [
          'silent',
          { request_path: '/silent', target_url: origin.url, api_key: PROVIDER_KEY, response_timeout_ms: 100 },
        ],
      ]),
    })
  })
  after(() => Promise.all([gateway.stop(), origin.close()]))

  for (const { name, sent, status, type, closes } of cases) {
    it(`${name} (${status})`, async () => {
      const n = gateway.records().length
      using client = await connect(gateway.port)
      void client.write(sent)
      const response = await client.response()
      assert.equal(response.status, status)
      const { error, ...rest } = JSON.parse(response.text)
      assert.deepEqual(rest, { type: 'error', message: error.message })
      assert.deepEqual(error, { type, message: error.message, code: response.value('x-fluxgate-error'), param: null })
      assert.match(String(error.code), /^fluxgate_[a-z_]+$/)
      assert.equal(response.framing, 'length')
      const names = response.fields.map((field) => field.name.toLowerCase()).sort()
      const wanted = ['content-length', 'content-type', 'x-fluxgate-error']
      if (closes) wanted.push('connection')
      if (status === 401) wanted.push('www-authenticate')
      assert.deepEqual(names, wanted.sort(), 'and no other fields')
      assert.equal(response.value('content-type'), 'application/json')
      const record = await gateway.until(() => gateway.records()[n], 'its record')
      assert.equal(record.status, status)
      assert.equal(`fluxgate_${record.error}`, error.code)
      if (closes) {
        assert.equal(response.value('connection'), 'close')
        assert.equal(await client.ended(), 'fin')
      } else {
        void client.write(get('/nowhere'))
        assert.equal((await client.response(1)).status, 404)
        await gateway.until(() => gateway.records()[n + 1], 'the record of that')
      }
    })
  }

  it('and the cure for HTTP/1.0 is named', async () => {
    using client = await connect(gateway.port)
    void client.write(authorized('GET /up/x HTTP/1.0'))
    assert.match((await client.response()).text, /proxy_http_version 1\.1/)
  })

  it('and HEAD gets the head only', async () => {
    using client = await connect(gateway.port, { methods: ['HEAD'] })
    void client.write(`HEAD /up/x HTTP/1.1\r\nHost: a\r\n\r\n${get('/nowhere')}`)
    assert.equal((await client.response(0)).status, 401)
    assert.equal((await client.response(1)).status, 404)
    assert.equal(client.fault, undefined)
  })
})
