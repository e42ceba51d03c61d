import assert from 'node:assert/strict'
import type { Snapshot } from '../../../src/config/snapshot.ts'
import type { Outcome } from '../../../src/failure.ts'
import { createRecordFormatter, RECORD_MESSAGE } from '../../../src/observe/access-log.ts'
import { cutToFit, quote, textValue } from '../../../src/observe/escape.ts'
import { formatEvent, type LogSettings } from '../../../src/observe/log.ts'
import type { RequestRecord } from '../../../src/observe/record.ts'
import { anyText } from '../../unit/observe/any-text.ts'
import { assertOneLine, parseJson, parseText } from '../../unit/observe/parse-line.ts'
import type { TextTarget } from '../target.ts'

const TEXT: LogSettings = { level: 'trace', format: 'text', colour: false }
const JSON_LINES: LogSettings = { ...TEXT, format: 'json' }
const recordText = createRecordFormatter(TEXT)
const recordJson = createRecordFormatter(JSON_LINES)
const SNAPSHOT = { keys: { staticKeys: new Map(), jwtKeys: new Map() } } as unknown as Snapshot

function checkRecord(text: string): void {
  // The query has its own promise.
  const target = text.replaceAll(/[?#;&@]/g, '')
  // JSON has the digits of a length as they are; JSON.parse, which is to read it here, has no room for more than 2^53.
  const length = /^\d{16}$/.test(text) ? text.slice(1) : text
  const record: RequestRecord = {
    level: 'warn',
    clientIp: text,
    peerIp: text,
    method: text,
    requestUrl: target,
    requestBodyLength: length,
    apiKey: text,
    subject: text,
    clientCertificate: text,
    targetUrl: target,
    upstream: text,
    durationMs: 1,
    status: 200,
    responseBodyLength: length,
    requestBytes: 0,
    responseBytes: 0,
    ttfbMs: undefined,
    outcome: text as Outcome,
    error: text,
    upstreamAddress: text,
    requestId: text,
    cause: text,
  }
  const lines = [recordText(record, SNAPSHOT), recordJson(record, SNAPSHOT)] as const
  for (const line of lines) assertOneLine(line)
  const expected = [
    ['client_ip', text],
    ['peer_ip', text],
    ['method', cutToFit(text, 128)],
    ['request_url', target],
    ['request_body_length', cutToFit(length, 64)],
    ['api_key', text],
    ['subject', text],
    ['client_cert', text],
    ['target_url', target],
    ['upstream', text],
    ['duration_ms', '1.000'],
    ['status', '200'],
    ['response_body_length', cutToFit(length, 64)],
    ['request_bytes', '0'],
    ['response_bytes', '0'],
    ['outcome', text],
    ['error', text],
    ['upstream_address', text],
    ['request_id', text],
    ['cause', text],
  ]
  const [asText, asJson] = [parseText(lines[0], RECORD_MESSAGE), parseJson(lines[1])]
  assert.deepEqual(asText.fields, expected)
  assert.deepEqual(
    asJson.fields,
    expected.map(([name, value]) => [name, name === 'duration_ms' ? '1' : value]),
  )
}

export const logLine: TextTarget = {
  name: 'log-line',
  about: 'nothing forges a line or a field of the log',
  isUnicode: true,
  corpus: () => [
    'plain',
    '',
    'a b',
    '"\n2026-01-01T00:00:00.000000Z INFO Request processed client_ip=1',
    'x outcome=complete',
    "it's",
    'a\\"b\\\\',
    '\u001b[2J\u0085\u2028\u202e',
    '\ud83d\ude00\ude00',
    'schl\u00fcssel',
    '007',
    '1e3',
    '9999999999999999',
  ],
  spice: [
    '\r',
    '\n',
    '"',
    '\\',
    '\\"',
    '\\u000a',
    ' ',
    '=',
    ' error=',
    '\u001b[',
    '\u2028',
    '\ud800',
    '\u00a0',
    '\u3000',
    '\u200b',
    '\ufeff',
    ',"level":"',
  ],
  values: (scale) => anyText(30 * scale),
  check(text) {
    for (const settings of [TEXT, JSON_LINES])
      assertOneLine(formatEvent(settings, 'info', text, { [text]: text, n: 1 }))
    const event = formatEvent(TEXT, 'info', 'happened', { error: text, last: 1 })
    assert.deepEqual(parseText(event, 'happened').fields, [
      ['error', text],
      ['last', '1'],
    ])
    assert.equal(JSON.parse(quote(text)), text)
    checkRecord(text)
    const value = textValue(text)
    return value === text ? 'as it is' : value.includes('\\') ? 'escaped' : 'quoted'
  },
}
