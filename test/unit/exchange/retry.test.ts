import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Exchange } from '../../../src/exchange/exchange.ts'
import { addToReplay, copyPiece, keepForReplay, mayRetry } from '../../../src/exchange/retry.ts'
import type { FailureCode } from '../../../src/failure.ts'
import { exchangeOf, snapshot } from './exchange-of.ts'

/** How much of a body is kept. */
const REPLAY_BYTES = 65_536

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
