import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Status } from '../../../../src/admin/status.ts'
import { render, summarize } from '../../../../src/tools/top/render.ts'

const NONE = { p50: null, p95: null }
const STATUS: Status = {
  version: '1.2.3',
  node: '26.10.0',
  pid: 7,
  uptime_seconds: 7384,
  workers: 2,
  worker_restarts: 1,
  ready: false,
  not_ready: ['draining'],
  configuration: {
    path: 'fluxgate.yaml',
    generation: 3,
    loaded_at: '2026-01-02T03:04:05.000Z',
    valid: false,
    last_result: 'invalid',
    error: 'line 3',
  },
  listeners: { server: '0.0.0.0:8080', admin: '127.0.0.1:9090' },
  clients: { idle: 30, busy: 12, limit: 1024 },
  window_seconds: 60,
  overhead: { request: { p50: 0.000_04, p95: 0.0012 }, response: NONE },
  upstreams: {
    openai: {
      in_flight: 12,
      streams: 9,
      requests: 6600,
      outcomes: { complete: 6590, timeout: 10 },
      errors: { response_timeout: 10, 'status 429': 50 },
      connections: { idle: 1, busy: 12, connecting: 0 },
      connects: { ok: 3 },
      time_to_first_byte: { p50: 0.25, p95: 12.34 },
    },
    '': {
      in_flight: 0,
      streams: 0,
      requests: 6,
      outcomes: { refused: 6 },
      errors: { unauthorized: 6 },
      connections: { idle: 0, busy: 0, connecting: 0 },
      connects: {},
      time_to_first_byte: NONE,
    },
  },
  api_keys: { quiet: { requests: 60, errors: 0 }, busy: { requests: 6546, errors: 66 } },
}

test('a screen', () => {
  assert.deepEqual(render(STATUS), [
    'fluxgate 1.2.3 (Node 26.10.0), pid 7, up 2h03m, 2 workers, 1 replaced: draining',
    'listening on 0.0.0.0:8080; 12 clients busy, 30 idle, of 1024',
    'configuration fluxgate.yaml, number 3, loaded 2026-01-02T03:04:05.000Z; NOT IN FORCE: line 3',
    'overhead of the gateway: request 40µs, 1.2ms, response -, - (p50, p95); figures of the last 60 s',
    '',
    'UPSTREAM  REQ/S  FLIGHT  STREAMS  TTFB P50    P95  IDLE  BUSY  DIAL  ERR/S  ERRORS',
    'openai      110      12        9     250ms  12.3s     1    12     0    1.0  status 429 50, response_timeout 10',
    '(none)      0.1       0        0         -      -     0     0     0    0.1  unauthorized 6',
    '',
    'KEY    REQ/S  ERR/S',
    'busy     109    1.1',
    'quiet    1.0      0',
  ])
})

test('a line', () => {
  assert.equal(
    summarize(STATUS, 'now'),
    'now requests/s=110 in_flight=12 streams=9 errors/s=1.1 clients=42 overhead_p95=1.2ms not_ready="draining"',
  )
})
