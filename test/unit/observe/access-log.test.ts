import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Snapshot } from '../../../src/config/snapshot.ts'
import type { Outcome } from '../../../src/failure.ts'
import {
  ACCESS_FIELDS,
  createRecordFormatter,
  createRecordWriter,
  RECORD_MESSAGE,
} from '../../../src/observe/access-log.ts'
import type { RequestRecord } from '../../../src/observe/record.ts'
import { anyText } from './any-text.ts'
import { assertOneLine, parseJson, parseText } from './parse-line.ts'

const SNAPSHOT = { keys: { staticKeys: new Map(), jwtKeys: new Map() } } as unknown as Snapshot

const formatText = createRecordFormatter({ level: 'trace', format: 'text', colour: false })
const formatJson = createRecordFormatter({ level: 'trace', format: 'json', colour: false })

const FULL: RequestRecord = {
  level: 'trace',
  clientIp: '10.0.0.7',
  peerIp: '10.0.0.1',
  method: 'POST',
  requestUrl: '/openai/v1/chat/completions?key=secret',
  requestBodyLength: '230',
  apiKey: 'team-a',
  subject: 'alice@example.com',
  clientCertificate: 'CN=alice,O=Example',
  targetUrl: 'https://api.openai.com/v1/chat/completions?key=secret',
  upstream: 'openai',
  durationMs: 12.3456,
  status: 200,
  responseBodyLength: '300',
  requestBytes: 230,
  responseBytes: 300,
  ttfbMs: 11,
  outcome: 'upstream_abort',
  error: 'upstream_truncated',
  upstreamAddress: '192.0.2.7:443',
  requestId: 'req_011CSHoEeqs5C35K2UUqR7Fy',
  cause: 'ECONNRESET',
  usage: {
    model: 'gpt-4o-mini-2024-07-18',
    requestModel: 'gpt-4o-mini',
    inputTokens: 1200,
    cachedTokens: 1024,
    cacheWriteTokens: 0,
    outputTokens: 50,
    reasoningTokens: 8,
    costUsd: '0.00013335',
    units: { web_search_requests: 1 },
    usage: 'exact',
    ttftMs: 12.5,
  },
}

const BARE: RequestRecord = {
  level: 'trace',
  clientIp: undefined,
  peerIp: undefined,
  method: 'GET',
  requestUrl: '/',
  requestBodyLength: undefined,
  apiKey: undefined,
  subject: undefined,
  clientCertificate: undefined,
  targetUrl: undefined,
  upstream: undefined,
  durationMs: 0,
  status: undefined,
  responseBodyLength: undefined,
  requestBytes: 0,
  responseBytes: 0,
  ttfbMs: undefined,
  outcome: 'client_abort',
  error: undefined,
  upstreamAddress: undefined,
  requestId: undefined,
  cause: undefined,
}

describe('the line of a request', () => {
  test('has every field, in the order of the list', () => {
    assert.equal(
      formatText(FULL, SNAPSHOT).slice('2026-01-02T03:04:05.678901Z'.length),
      ' TRACE Request processed client_ip=10.0.0.7 peer_ip=10.0.0.1 method=POST request_url=/openai/v1/chat/completions?key=*** ' +
        'request_body_length=230 api_key=team-a subject=alice@example.com client_cert=CN=alice,O=Example target_url=https://api.openai.com/v1/chat/completions?key=*** ' +
        'upstream=openai duration_ms=12.346 status=200 response_body_length=300 request_bytes=230 response_bytes=300 ' +
        'ttfb_ms=11.000 outcome=upstream_abort error=upstream_truncated upstream_address=192.0.2.7:443 ' +
        'request_id=req_011CSHoEeqs5C35K2UUqR7Fy cause=ECONNRESET ' +
        'model=gpt-4o-mini-2024-07-18 request_model=gpt-4o-mini input_tokens=1200 cached_tokens=1024 cache_write_tokens=0 ' +
        'output_tokens=50 reasoning_tokens=8 cost_usd=0.00013335 usage=exact ttft_ms=12.500\n',
    )
    const names = parseText(formatText(FULL, SNAPSHOT), RECORD_MESSAGE).fields.map(([name]) => name)
    assert.deepEqual(names, Object.keys(ACCESS_FIELDS))
  })

  test('begins with an RFC 3339 timestamp of now', () => {
    const before = Date.now()
    const { time } = parseText(formatText(FULL, SNAPSHOT), RECORD_MESSAGE)
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    assert.ok(Date.parse(time) >= before - 1 && Date.parse(time) <= Date.now() + 1)
  })

  test('leaves absent values out', () => {
    assert.equal(
      formatText(BARE, SNAPSHOT).slice('2026-01-02T03:04:05.678901Z'.length),
      ' TRACE Request processed method=GET request_url=/ duration_ms=0.000 request_bytes=0 response_bytes=0 outcome=client_abort\n',
    )
  })

  test('has numbers where JSON has numbers', () => {
    const { time, ...rest } = JSON.parse(formatJson(FULL, SNAPSHOT))
    assert.deepEqual(Object.entries(rest), [
      ['level', 'TRACE'],
      ['message', 'Request processed'],
      ['client_ip', '10.0.0.7'],
      ['peer_ip', '10.0.0.1'],
      ['method', 'POST'],
      ['request_url', '/openai/v1/chat/completions?key=***'],
      ['request_body_length', 230],
      ['api_key', 'team-a'],
      ['subject', 'alice@example.com'],
      ['client_cert', 'CN=alice,O=Example'],
      ['target_url', 'https://api.openai.com/v1/chat/completions?key=***'],
      ['upstream', 'openai'],
      ['duration_ms', 12.346],
      ['status', 200],
      ['response_body_length', 300],
      ['request_bytes', 230],
      ['response_bytes', 300],
      ['ttfb_ms', 11],
      ['outcome', 'upstream_abort'],
      ['error', 'upstream_truncated'],
      ['upstream_address', '192.0.2.7:443'],
      ['request_id', 'req_011CSHoEeqs5C35K2UUqR7Fy'],
      ['cause', 'ECONNRESET'],
      ['model', 'gpt-4o-mini-2024-07-18'],
      ['request_model', 'gpt-4o-mini'],
      ['input_tokens', 1200],
      ['cached_tokens', 1024],
      ['cache_write_tokens', 0],
      ['output_tokens', 50],
      ['reasoning_tokens', 8],
      ['cost_usd', 0.00013335],
      ['usage', 'exact'],
      ['ttft_ms', 12.5],
    ])
    assert.match(time, /Z$/)
  })

  for (const length of ['007', '9009000000000009', '99999999999999999999', '1e3', '-1', '0x10', '']) {
    test(`keeps a length of ${JSON.stringify(length)} as text in JSON`, () => {
      const line = formatJson({ ...FULL, requestBodyLength: length }, SNAPSHOT)
      assert.equal(JSON.parse(line).request_body_length, length)
    })
  }

  for (const [ms, shown] of [
    [0, '0.000'],
    [0.0004, '0.000'],
    [0.0006, '0.001'],
    [1.0049, '1.005'],
    [999.9999, '1000.000'],
    [86_400_000.5, '86400000.500'],
    [-1, '0.000'],
    [Number.NaN, '0.000'],
  ] as const) {
    test(`shows ${ms} ms as ${shown}`, () => {
      const fields = new Map(parseText(formatText({ ...FULL, durationMs: ms }, SNAPSHOT), RECORD_MESSAGE).fields)
      assert.equal(fields.get('duration_ms'), shown)
    })
  }

  test('colours the level only', () => {
    const colourful = createRecordFormatter({ level: 'trace', format: 'text', colour: true })
    const [time, rest] = [colourful(BARE, SNAPSHOT).slice(0, 27), colourful(BARE, SNAPSHOT).slice(27)]
    assert.doesNotMatch(time, /\u001b/)
    assert.equal(rest.replace('\u001b[35mTRACE\u001b[0m', 'TRACE'), formatText(BARE, SNAPSHOT).slice(27))
  })
})

describe('for Google Cloud', () => {
  const gcp = (record: RequestRecord): Record<string, unknown> =>
    JSON.parse(createRecordFormatter({ level: 'trace', format: 'gcp', colour: false })(record, SNAPSHOT))

  test('a record has a severity and a httpRequest, and else what it has in JSON', () => {
    const { severity, httpRequest, time, ...rest } = gcp({ ...FULL, level: 'warn' })
    assert.equal(severity, 'WARNING')
    assert.deepEqual(httpRequest, {
      requestMethod: 'POST',
      requestUrl: '/openai/v1/chat/completions?key=***',
      status: 200,
      remoteIp: '10.0.0.7',
      serverIp: '192.0.2.7:443',
      latency: '0.012346s',
    })
    const { level, time: _, ...json } = JSON.parse(formatJson(FULL, SNAPSHOT))
    assert.deepEqual(rest, json)
    assert.match(String(time), /Z$/)
  })

  test('what is absent is absent, and TRACE is DEBUG', () => {
    const { severity, httpRequest } = gcp(BARE)
    assert.equal(severity, 'DEBUG')
    assert.deepEqual(httpRequest, { requestMethod: 'GET', requestUrl: '/', latency: '0.000000s' })
  })
})

const nasty = anyText()
const records: fc.Arbitrary<RequestRecord> = fc.record({
  level: fc.constantFrom('trace' as const, 'warn' as const),
  clientIp: fc.option(nasty, { nil: undefined }),
  peerIp: fc.option(nasty, { nil: undefined }),
  method: nasty,
  // no credential in a query: this is about the rest of the line
  requestUrl: nasty.map((target) => target.replaceAll(/[?#;&@]/g, '')),
  requestBodyLength: fc.option(nasty, { nil: undefined }),
  apiKey: fc.option(nasty, { nil: undefined }),
  subject: fc.option(nasty, { nil: undefined }),
  clientCertificate: fc.option(nasty, { nil: undefined }),
  targetUrl: fc.option(nasty, { nil: undefined }).map((target) => target?.replaceAll(/[?#;&@]/g, '')),
  upstream: fc.option(nasty, { nil: undefined }),
  durationMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
  status: fc.option(fc.integer({ min: 100, max: 599 }), { nil: undefined }),
  responseBodyLength: fc.option(nasty, { nil: undefined }),
  requestBytes: fc.nat(),
  responseBytes: fc.nat(),
  ttfbMs: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: undefined }),
  outcome: nasty as fc.Arbitrary<Outcome>,
  error: fc.option(nasty, { nil: undefined }),
  upstreamAddress: fc.option(nasty, { nil: undefined }),
  requestId: fc.option(nasty, { nil: undefined }),
  cause: fc.option(nasty, { nil: undefined }),
})

describe('whatever a record holds', () => {
  test('it is one line that no terminal obeys, in every format', () => {
    fc.assert(
      fc.property(records, (record) => {
        assertOneLine(formatText(record, SNAPSHOT))
        assertOneLine(formatJson(record, SNAPSHOT))
        const gcp = createRecordFormatter({ level: 'trace', format: 'gcp', colour: false })(record, SNAPSHOT)
        assertOneLine(gcp)
        assert.equal(JSON.parse(gcp).httpRequest.requestMethod, JSON.parse(gcp).method)
      }),
    )
  })

  test('text and JSON say the same, and it is what the record says', () => {
    fc.assert(
      fc.property(records, (record) => {
        const text = parseText(formatText(record, SNAPSHOT), RECORD_MESSAGE)
        const json = parseJson(formatJson(record, SNAPSHOT))
        const asNumbers = (fields: typeof text.fields): unknown[] =>
          fields.map(([name, value]) => [name, name.endsWith('_ms') ? Number(value) : value])
        assert.deepEqual(asNumbers(text.fields), asNumbers(json.fields))
        assert.equal(text.level, json.level)
        const fields = new Map(text.fields)
        assert.equal(fields.get('client_ip'), record.clientIp)
        assert.equal(fields.get('peer_ip'), record.peerIp)
        assert.equal(fields.get('request_url'), record.requestUrl)
        assert.equal(fields.get('error'), record.error)
        assert.equal(fields.get('subject'), record.subject)
        assert.equal(fields.get('client_cert'), record.clientCertificate)
      }),
    )
  })
})

test('what recurs is remembered, and every line is what it would be without that', () => {
  const formats = (['text', 'json', 'gcp'] as const).map((format) =>
    createRecordFormatter({ level: 'trace', format, colour: false }),
  )
  const bytes = (line: string): string => Buffer.from(line.replace(/\d{4}-\d\d-\S+?Z/, '')).toString()
  fc.assert(
    fc.property(records, fc.array(records, { minLength: 1, maxLength: 3 }), (first, others) => {
      for (const format of formats) {
        const memo = { before: '', between: '' }
        for (const other of [first, ...others]) {
          const { clientIp, peerIp, method, requestUrl, apiKey, subject, clientCertificate, targetUrl, upstream } =
            first
          const client = { clientIp, peerIp, apiKey, subject, clientCertificate }
          const record = { ...other, ...client, method, requestUrl, targetUrl, upstream }
          assert.equal(bytes(format({ ...record, memo }, SNAPSHOT)), bytes(format(record, SNAPSHOT)))
        }
      }
    }),
  )
})

describe('the writer', () => {
  test('passes whole lines on', () => {
    const lines: string[] = []
    createRecordWriter({ level: 'trace', format: 'text', colour: false }, (line) => lines.push(line))(FULL, SNAPSHOT)
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /^.{27} TRACE Request processed .*\n$/)
  })

  for (const [level, written] of [
    ['trace', ['TRACE', 'WARN']],
    ['debug', ['WARN']],
    ['info', ['WARN']],
    ['warn', ['WARN']],
    ['error', []],
  ] as const) {
    test(`at ${level} writes ${written.join(' and ') || 'nothing'}`, () => {
      const lines: string[] = []
      const write = createRecordWriter({ level, format: 'text', colour: false }, (line) => lines.push(line))
      write(FULL, SNAPSHOT)
      write({ ...FULL, level: 'warn' }, SNAPSHOT)
      assert.deepEqual(
        lines.map((line) => parseText(line, RECORD_MESSAGE).level),
        written,
      )
    })
  }
})
