import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestBytes } from '../../../src/exchange/relay.ts'
import { exchangeOf, snapshot } from './exchange-of.ts'

test('what an upstream that takes no more has not got does not count as content, but as movement', () => {
  const exchange = exchangeOf('POST /up HTTP/1.1\r\nHost: a\r\n\r\n', snapshot(true))
  exchange.upstream = exchange.snapshot.upstreams[0]
  exchange.clock = 'idle'
  exchange.isHeadSent = true
  const connection = { isWriteBroken: false, sendBytes: () => true, deadline: { touch() {} } }
  exchange.connection = connection as never
  const content = Buffer.from('content')
  requestBytes(exchange, '7\r\n', content, 0, 7, 7)
  connection.isWriteBroken = true
  requestBytes(exchange, '7\r\n', content, 0, 7, 7)
  assert.deepEqual([exchange.requestBytes, exchange.relayedBytes], [7, 20])
})
