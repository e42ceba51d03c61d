import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange } from '../../../src/exchange/exchange.ts'
import { finish } from '../../../src/exchange/finish.ts'
import { takesTail } from '../../../src/exchange/tail.ts'
import { exchangeOf, snapshot } from './exchange-of.ts'

const MIB = 1_048_576

function leftByItsClient(): Exchange {
  const exchange = exchangeOf('GET /up HTTP/1.1\r\nHost: a\r\n\r\n', snapshot(true), { finish() {} })
  exchange.hasClientLeft = true
  return exchange
}

test('a tail has 4 MiB, and all of them 64 MiB, which come back with their exchanges', () => {
  for (let round = 0; round < 2; round++) {
    const exchanges = Array.from({ length: 16 }, leftByItsClient)
    for (const exchange of exchanges) {
      assert.equal(takesTail(exchange, 4 * MIB), true, `round ${round}`)
      assert.equal(takesTail(exchange, 1), false, 'more than its own part')
    }
    const late = leftByItsClient()
    assert.equal(takesTail(late, 1), false, 'more than there is')
    for (const exchange of exchanges) finish(exchange, false)
    assert.equal(takesTail(exchanges[0]!, 1), false, 'it is over')
    assert.equal(takesTail(late, 1), true)
    finish(late, false)
  }
})

test('there is none while the client is there', () => {
  const exchange = leftByItsClient()
  exchange.hasClientLeft = false
  assert.equal(takesTail(exchange, 1), false)
})
