import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attempt } from '../../../src/exchange/attempt.ts'
import type { Exchange } from '../../../src/exchange/exchange.ts'
import { NO_BYTES } from '../../../src/runtime/outlet.ts'
import { exchangeOf, snapshot } from './exchange-of.ts'

/** An attempt for which the pool had a connection that is to be looked at once more; what becomes of that. */
function attempted(log: string[], connection: object): Exchange {
  const exchange = exchangeOf('GET /up HTTP/1.1\r\nHost: a\r\n\r\n', snapshot(true), {
    owned: { isEmpty: true } as never,
    bodyDeadline: { disarm() {} } as never,
    resumeRequest() {},
  })
  exchange.identity = exchange.snapshot.anonymous
  exchange.upstream = exchange.snapshot.upstreams[0]
  exchange.isRequestDone = true
  const pool = { take: () => ({ connection, isStale: true }), connect: () => log.push('connect') }
  Object.assign(exchange.path, { pools: { of: () => pool } })
  attempt(exchange, '', NO_BYTES, 0, 0, 0)
  assert.deepEqual(log, [], 'the event loop has its turn before')
  return exchange
}

for (const [what, isUsable, change, told] of [
  ['is used', true, {}, ['begin', 'send']],
  ['that has ended meanwhile is given up and replaced', false, {}, ['close', 'connect']],
  ['goes back where the exchange is over', true, { isOver: true }, ['release true']],
  ['goes back where the exchange has failed', true, { failure: 'client_abort' }, ['release true']],
] as const) {
  test(`a connection that is looked at before its use ${what}`, async () => {
    const log: string[] = []
    const exchange = attempted(log, {
      isUsable,
      deadline: { arm() {}, disarm() {}, touch() {} },
      begin: () => log.push('begin'),
      sendHead: () => log.push('send') > 0,
      release: (reusable: boolean) => log.push(`release ${reusable}`),
      close: () => log.push('close'),
    })
    Object.assign(exchange, change)
    await new Promise(setImmediate)
    assert.deepEqual(log, told)
  })
}
