import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Upstream } from '../../src/config/snapshot.ts'
import { UNUSED, type Usage } from '../../src/llm/usage.ts'
import { createMetering } from '../../src/metering.ts'
import { createTextSet } from '../../src/runtime/text-set.ts'
import { hearLog } from '../support/ledger-rows.ts'
import { priceTable } from '../support/price-table.ts'

const upstream = {
  name: 'up',
  provider: undefined,
  target: { scheme: 'https', authority: 'api.openai.com', basePath: '' },
} as unknown as Upstream
const used = (model: string): Usage => ({ ...UNUSED, model, inputTokens: 1000, outputTokens: 0, usage: 'exact' })

test('what is published last prices, and a price that is missing is told of once, by whichever thread', () => {
  const log = hearLog()
  const unpriced = createTextSet(10)
  const [one, other] = [createMetering(log, unpriced), createMetering(log, unpriced)]
  for (const metering of [one, other]) metering.publish({ prices: [], priceTable: priceTable('one', 1) })
  assert.equal(one.costOf(used('gpt-x'), upstream), '0.001')
  one.publish({ prices: [], priceTable: priceTable('two', 2) })
  assert.equal(one.costOf(used('gpt-x'), upstream), '0.002')
  for (const metering of [one, other, one]) assert.equal(metering.costOf(used('nobody-knows'), upstream), undefined)
  assert.deepEqual(log.heard, [
    { message: 'No price known for a model', fields: { model: 'nobody-knows', upstream: 'up' } },
  ])
})

test('a bug in pricing costs a record its cost, and is told of once', () => {
  const log = hearLog()
  const metering = createMetering(log, createTextSet(10))
  metering.publish({ prices: [{ model: 'x' }] as never, priceTable: '{' })
  for (let nth = 0; nth < 3; nth++) assert.equal(metering.costOf(used('gpt-x'), upstream), undefined)
  assert.equal(log.heard.length, 1)
})

test('an exchange that a reload outlives does not put its price on those of the upstream that has its name now', () => {
  const metering = createMetering(hearLog(), createTextSet(10))
  metering.publish({ prices: [], priceTable: priceTable('one', 1) })
  const moved = { ...upstream, target: { ...upstream.target, authority: 'gpt.example.com' } }
  assert.equal(metering.costOf(used('gpt-x'), upstream), '0.001')
  assert.equal(metering.costOf(used('gpt-x'), moved), undefined)
  assert.equal(metering.costOf(used('gpt-x'), upstream), '0.001')
})
