import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange } from '../../../src/exchange/exchange.ts'
import { watch } from '../../../src/exchange/watch.ts'
import { exchangeOf, snapshot, upstream } from './exchange-of.ts'

/** A deadline that tells what is done with it. */
function telling(log: string[], name: string): object {
  return {
    arm: (ms: number) => log.push(`${name} armed with ${ms}`),
    touch: () => log.push(`${name} touched`),
    disarm: () => log.push(`${name} disarmed`),
  }
}

/** The body deadline of the snapshot is 10 ms, the upstream's are 20 for its answer and 30 for silence. */
function watched(log: string[], awaitsContinue = false): Exchange {
  const downstream = { isRequestComplete: false, awaitsContinue, bodyDeadline: telling(log, 'body') }
  const exchange = exchangeOf('POST /up HTTP/1.1\r\nHost: a\r\n\r\n', snapshot(true), downstream as never)
  exchange.upstream = upstream()
  exchange.connection = { deadline: telling(log, 'upstream') } as never
  return exchange
}

type Change = Partial<Pick<Exchange, 'isRequestDone' | 'isHeadSent' | 'isSendBlocked' | 'hasContinued'>>

for (const [what, awaitsContinue, steps] of [
  [
    'an upload, its answer, and what the answer brings',
    false,
    [
      [{}, ['upstream disarmed', 'body armed with 10']],
      [{}, ['body touched']],
      [{ isRequestDone: true }, ['body disarmed', 'upstream armed with 20']],
      [{}, []],
      [{ isHeadSent: true }, ['upstream armed with 30']],
      [{}, ['upstream touched']],
    ],
  ],
  [
    'an upload that the upstream does not take',
    false,
    [
      [{}, ['upstream disarmed', 'body armed with 10']],
      [{ isSendBlocked: true }, ['body disarmed', 'upstream armed with 30']],
      [{ isSendBlocked: false }, ['upstream disarmed', 'body armed with 10']],
    ],
  ],
  [
    'a client that waits for a 100',
    true,
    [
      [{}, ['upstream armed with 20']],
      [{ hasContinued: true }, ['upstream disarmed', 'body armed with 10']],
    ],
  ],
  [
    'an answer that comes before the upload has ended',
    false,
    [
      [{}, ['upstream disarmed', 'body armed with 10']],
      [{ isHeadSent: true }, ['body disarmed', 'upstream armed with 30']],
      [{ isRequestDone: true }, ['upstream touched']],
      [{ isSendBlocked: true }, ['upstream touched']],
    ],
  ],
  ['a request that is whole from the beginning', false, [[{ isRequestDone: true }, ['upstream armed with 20']]]],
] as const) {
  test(`the one clock that counts: ${what}`, () => {
    const log: string[] = []
    const exchange = watched(log, awaitsContinue)
    for (const [change, told] of steps) {
      Object.assign(exchange, change satisfies Change)
      watch(exchange)
      assert.deepEqual(log.splice(0), told)
    }
  })
}

test('without a connection there is nothing to watch', () => {
  const log: string[] = []
  const exchange = watched(log)
  exchange.connection = undefined
  watch(exchange)
  assert.deepEqual(log, [])
})
