import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange } from '../../../src/exchange/exchange.ts'
import { clientEnded, clientGone, upstreamEnded, upstreamGone } from '../../../src/exchange/tunnel.ts'
import { FakeTime } from '../runtime/fake-time.ts'
import { exchangeOf, snapshot } from './exchange-of.ts'

interface Open {
  readonly exchange: Exchange
  /** What has become of both connections, and the record. */
  readonly log: string[]
  /** The last bytes of a way, and its FIN, are out. */
  readonly deliver: { client: () => void; upstream: () => void }
}

function open(): Open {
  const log: string[] = []
  const deliver = { client: () => {}, upstream: () => {} }
  const tell = (event: string) => (): void => {
    log.push(event)
  }
  const response = {
    unsentBytes: 0,
    sendEnd: (done: () => void) => {
      log.push('FIN to the client')
      deliver.client = done
    },
  }
  const downstream = {
    response,
    cut: (reset: boolean) => log.push(reset ? 'client reset' : 'client cut'),
    finish: tell('client finished'),
  }
  const exchange = exchangeOf('GET /up HTTP/1.1\r\nHost: a\r\n\r\n', snapshot(true), downstream as never)
  Object.assign(exchange.path, { writeRecord: ({ outcome }: { outcome: string }) => log.push(outcome) })
  exchange.upstream = exchange.snapshot.upstreams[0]
  exchange.isTunnel = exchange.isHeadSent = exchange.isUntilClose = true
  exchange.connection = {
    letGo: tell('upstream let go'),
    release: tell('upstream reset'),
    sendEnd: (done: () => void) => {
      log.push('FIN to the upstream')
      deliver.upstream = done
    },
  } as never
  return { exchange, log, deliver }
}

const COMPLETE = ['complete', 'client finished']

test('it is over when both ends have arrived', () => {
  const { exchange, log, deliver } = open()
  clientEnded(exchange)
  deliver.upstream()
  upstreamEnded(exchange)
  assert.deepEqual(log, ['FIN to the upstream', 'FIN to the client', 'upstream let go'])
  deliver.client()
  assert.deepEqual(log.slice(3), COMPLETE)
})

test('the other way round, too', () => {
  const { exchange, log, deliver } = open()
  upstreamEnded(exchange)
  deliver.client()
  clientEnded(exchange)
  assert.deepEqual(log, ['FIN to the client', 'FIN to the upstream'])
  deliver.upstream()
  assert.deepEqual(log.slice(2), ['upstream let go', ...COMPLETE])
})

test('a client that has gone behind both ends leaves its last bytes on their way', () => {
  const { exchange, log, deliver } = open()
  upstreamEnded(exchange)
  deliver.client()
  clientEnded(exchange)
  clientGone(exchange)
  assert.deepEqual(log.slice(2), ['upstream let go', ...COMPLETE])
  deliver.upstream()
  assert.equal(log.length, 5)
})

test('a client that has gone before is a break', () => {
  for (const before of [() => {}, clientEnded, upstreamEnded]) {
    const { exchange, log } = open()
    before(exchange)
    clientGone(exchange)
    assert.deepEqual(log.slice(-4), ['upstream reset', 'client reset', 'client_abort', 'client finished'])
  }
})

test('an upstream that has gone before its end is a break', () => {
  const { exchange, log } = open()
  clientEnded(exchange)
  upstreamGone(exchange, 'upstream_truncated', 'ECONNRESET')
  assert.deepEqual(log.slice(1), ['client reset', 'upstream_abort', 'client finished'])
})

test('an upstream that takes nothing behind its end breaks nothing, and its client has its time to read', (t) => {
  const time = new FakeTime(t)
  for (const reads of [true, false]) {
    const { exchange, log, deliver } = open()
    upstreamEnded(exchange)
    upstreamGone(exchange, 'upstream_truncated', 'EPIPE')
    assert.deepEqual(log, ['FIN to the client'])
    if (reads) deliver.client()
    else time.pass(exchange.upstream!.tunnelIdleTimeoutMs * 1.25)
    assert.deepEqual(log.slice(1), reads ? COMPLETE : ['client reset', 'timeout', 'client finished'])
  }
})
