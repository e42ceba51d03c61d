import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Packer, unpack } from '../../../src/ledger/packing.ts'
import { AT, COLUMN_NAMES, COLUMNS } from '../../../src/ledger/row.ts'
import { NO_KEYS, sampleRecord, sampleRow, sampleUsage } from '../../support/ledger-rows.ts'

const masked = { ...NO_KEYS, staticKeys: { ...NO_KEYS.staticKeys, size: 1, has: () => true } }

test('what is packed together comes out as what is packed alone, whatever the row before was', () => {
  const text = fc.option(fc.constantFrom('', 'a', 'b', 'team-a', '\0\n\t"', 'é€😀', 'NaN'), { nil: undefined })
  const count = fc.option(fc.constantFrom(0, 1, -1, 0.25, Number.MAX_SAFE_INTEGER), { nil: undefined })
  const record = fc.record({
    clientIp: text,
    apiKey: text,
    subject: text,
    upstream: text,
    targetUrl: text,
    requestUrl: fc.constantFrom('/a', '/a?key=x', '/b?key=y', '/'),
    responseBodyLength: text,
    status: count,
    ttfbMs: count,
    requestId: text,
    cause: text,
  })
  const usage = fc.record({
    model: text,
    inputTokens: count,
    outputTokens: count,
    costUsd: text,
    units: fc.option(fc.record({ seconds: fc.nat() }), { nil: undefined }),
    ttftMs: count,
  })
  fc.assert(
    fc.property(fc.array(fc.tuple(record, fc.option(usage), fc.nat()), { minLength: 1, maxLength: 9 }), (given) => {
      const packer = new Packer(9)
      // What an earlier batch had is no part of the next one.
      packer.add(sampleRecord({ usage: sampleUsage() }), NO_KEYS, 1)
      packer.take()
      for (const [of, used, time] of given) {
        packer.add(sampleRecord({ ...of, usage: used === null ? undefined : sampleUsage(used) }), NO_KEYS, time)
      }
      const rows = unpack(structuredClone(packer.take()), 'i', 7)
      const expected = given.map(([of, used, time], index) => {
        const row = sampleRow(of, used ?? {}, time)
        if (used === null) row.fill(undefined, AT.model)
        row[AT.instance] = 'i'
        row[AT.sequence] = 7 + index
        return row
      })
      assert.deepEqual(rows, expected)
    }),
  )
})

test('each value stands in the column of its name', () => {
  const row = sampleRow({ subject: 's', clientCertificate: 'CN=c', peerIp: 'p', error: 'e', cause: 'c' })
  const shown = Object.fromEntries(COLUMN_NAMES.map((name) => [name, row[AT[name]]]))
  assert.deepEqual(
    { ...shown, time: 0, width: row.length },
    {
      ...Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, undefined])),
      ...{ instance: '', sequence: 0, time: 0, client_ip: '192.0.2.1', peer_ip: 'p', method: 'POST' },
      ...{ request_url: '/openai/v1/chat/completions?key=***', request_body_length: '100', api_key: 'team-a' },
      ...{ subject: 's', client_cert: 'CN=c', target_url: 'https://api.openai.com/v1/chat/completions' },
      ...{ upstream: 'openai', duration_ms: 12.5, status: 200, request_bytes: 100, response_bytes: 2000, ttfb_ms: 3 },
      ...{ outcome: 'complete', error: 'e', upstream_address: '192.0.2.9:443', request_id: 'req_1', cause: 'c' },
      ...{ model: 'gpt-4o-mini', input_tokens: 1000, cached_tokens: 200, output_tokens: 500, usage: 'exact' },
      ...{ ttft_ms: 40, cost_usd: '0.000435', width: COLUMN_NAMES.length },
    },
  )
})

test('a credential is masked with the keys of its own exchange, and where nobody looked at it in the path too', () => {
  const packer = new Packer(4)
  const record = sampleRecord({ requestUrl: '/v1/sk-secret-1234567890?a=sk-secret-1234567890' })
  packer.add(record, NO_KEYS, 1)
  packer.add(record, masked, 1)
  packer.add({ ...record, upstream: undefined }, masked, 1)
  packer.add({ ...record, requestUrl: `/${'x'.repeat(3000)}`, method: 'M'.repeat(200) }, NO_KEYS, 1)
  const rows = unpack(packer.take(), '', 1)
  assert.deepEqual(
    rows.slice(0, 3).map((row) => row[AT.request_url]),
    [record.requestUrl, '/v1/sk-secret-1234567890?a=***', '***?a=***'],
  )
  assert.equal(String(rows[3]![AT.request_url]).length, 2048)
  assert.equal(String(rows[3]![AT.method]).length, 128)
})
