import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sendAgain } from '../../../src/exchange/attempt.ts'
import type { Exchange } from '../../../src/exchange/exchange.ts'
import { finish } from '../../../src/exchange/finish.ts'
import { requestBytes, responseHead } from '../../../src/exchange/relay.ts'
import { addToReplay, copyPiece, keepForReplay, mayRetry } from '../../../src/exchange/retry.ts'
import type { FailureCode } from '../../../src/failure.ts'
import type { ResponseHead } from '../../../src/http/message.ts'
import { parseResponseHead } from '../../../src/http1/parse-response.ts'
import { NO_BYTES } from '../../../src/runtime/outlet.ts'
import { exchangeOf, snapshot } from './exchange-of.ts'

/** How much of a body is kept. */
const REPLAY_BYTES = 65_536

const OK_HEAD = parseResponseHead('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n', 'PUT') as ResponseHead

function kept(method: string, ...bodyBytes: number[]): Exchange {
  const exchange = exchangeOf(`${method} /up HTTP/1.1\r\nHost: a\r\n\r\n`, snapshot(true))
  keepForReplay(exchange)
  for (const bytes of bodyBytes) addToReplay(exchange, '', Buffer.alloc(bytes, 'x'), 0, bytes)
  return exchange
}

describe('a request whose kept-alive connection was lost may go out again', () => {
  for (const [method, bytes, isAllowed] of [
    ['GET', [], true],
    ['HEAD', [], true],
    ['OPTIONS', [], true],
    ['DELETE', [], true],
    ['PUT', [REPLAY_BYTES], true],
    ['PUT', [REPLAY_BYTES - 1, 1], true],
    ['PUT', [REPLAY_BYTES, 1], false],
    ['PUT', [REPLAY_BYTES + 1, 0], false],
    ['POST', [], false],
    ['PATCH', [], false],
    ['PURGE', [], false],
    ['get2', [], false],
  ] as const) {
    test(`${method} with ${bytes.join(' + ') || 'no'} bytes: ${isAllowed}`, () => {
      assert.equal(mayRetry(kept(method, ...bytes), 'reused_conn_lost', false), isAllowed)
    })
  }

  test('only once', () => {
    const exchange = kept('GET')
    exchange.hasRetried = true
    assert.equal(mayRetry(exchange, 'reused_conn_lost', false), false)
  })

  test('not after a byte of a response', () => {
    assert.equal(mayRetry(kept('GET'), 'reused_conn_lost', true), false)
  })

  for (const failure of ['upstream_reset', 'upstream_truncated', 'upstream_protocol', 'response_timeout'] as const) {
    test(`not after ${failure satisfies FailureCode}`, () => assert.equal(mayRetry(kept('GET'), failure, false), false))
  }
})

test('a request that goes out again is held back by us: its client has no clock meanwhile', () => {
  const log: string[] = []
  const exchange = exchangeOf('PUT /up HTTP/1.1\r\nHost: a\r\n\r\n', snapshot(true), {
    isRequestComplete: false,
    bodyDeadline: { disarm: () => log.push('disarmed') } as never,
    pauseRequest: () => log.push('paused'),
  })
  exchange.upstream = exchange.snapshot.upstreams[0]
  exchange.pool = { connect: () => () => {} } as never
  exchange.clock = 'body'
  keepForReplay(exchange)
  const content = Buffer.from('content')
  addToReplay(exchange, '', content, 0, content.length)
  exchange.requestBytes = content.length
  sendAgain(exchange)
  assert.deepEqual(log, ['disarmed', 'paused'])
  assert.equal(exchange.clock, 'none')
  assert.deepEqual([exchange.held?.toString(), exchange.heldContent, exchange.requestBytes], ['content', 7, 0])
  assert.equal(exchange.replay, undefined)
})

test('what an upstream that took no more has not got counts when it goes out again', () => {
  const exchange = exchangeOf('PUT /up HTTP/1.1\r\nHost: a\r\n\r\n', snapshot(true), {
    isRequestComplete: false,
    bodyDeadline: { disarm() {}, arm() {}, touch() {} } as never,
    pauseRequest() {},
  })
  exchange.upstream = exchange.snapshot.upstreams[0]
  exchange.pool = { connect: () => () => {} } as never
  const connection = { isWriteBroken: false, sendBytes: () => true, deadline: { disarm() {}, touch() {} } }
  exchange.connection = connection as never
  keepForReplay(exchange)
  const content = Buffer.from('content')
  requestBytes(exchange, '7\r\n', content, 0, 7, 7)
  connection.isWriteBroken = true
  requestBytes(exchange, '\r\n7\r\n', content, 0, 7, 7)
  assert.equal(exchange.requestBytes, 7)
  sendAgain(exchange)
  assert.deepEqual([exchange.held?.toString(), exchange.heldContent], ['7\r\ncontent\r\n7\r\ncontent', 14])
})

test('what is kept is given back as soon as an answer begins, and with the exchange', () => {
  for (const end of [
    (exchange: Exchange) => responseHead(exchange, OK_HEAD, '', NO_BYTES, 0, 0, false, 0),
    (exchange: Exchange) => finish(exchange, false),
  ]) {
    const exchange = kept('PUT', 100)
    const { replay } = exchange
    Object.assign(exchange.downstream, { finish() {} })
    Object.assign(exchange, { upstream: exchange.snapshot.upstreams[0], response: { sendHead: () => true } })
    end(exchange)
    assert.deepEqual([exchange.replay, replay!.length], [undefined, 0])
  }
})

test('what is kept are the bytes as they were, with what was held back ahead of them', () => {
  const exchange = kept('PUT')
  const buffer = Buffer.from('..bytes..')
  addToReplay(exchange, '', buffer, 2, 4)
  addToReplay(exchange, 'é\r\n', buffer, 4, 7)
  buffer.fill('z')
  assert.equal(exchange.replay!.take().toString('latin1'), 'byé\r\ntes')
})

test('a copied piece shares no memory with its buffer', () => {
  const buffer = Buffer.from('abc')
  const piece = copyPiece('', buffer, 1, 3)
  buffer.fill('z')
  assert.equal(piece.toString(), 'bc')
})
