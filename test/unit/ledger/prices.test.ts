import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { OwnRates, PriceRule } from '../../../src/config/snapshot.ts'
import { type Amounts, costOf, dollarsOf } from '../../../src/ledger/prices/cost.ts'
import { createPricing, fitsPattern } from '../../../src/ledger/prices/pricing.ts'
import { publicPrices } from '../../../src/ledger/prices/table.ts'
import { AT } from '../../../src/ledger/row.ts'
import { sampleRow } from '../../support/ledger-rows.ts'

const amounts = (given: Partial<Amounts>): Amounts => ({
  input: undefined,
  cached: undefined,
  cacheWrite: undefined,
  output: undefined,
  reasoning: undefined,
  units: {},
  ...given,
})
const usd = (dollars: number): number => Math.round(dollars * 1e9)

test('cached tokens are charged once, and a cache of an hour at its own rate', () => {
  const rates = { input: usd(3), cached: usd(0.3), cacheWrite: usd(3.75), cacheWrite1h: usd(6), output: usd(15) }
  const used = amounts({
    input: 1000,
    cached: 200,
    cacheWrite: 300,
    output: 100,
    units: { cache_write_1h_tokens: 100 },
  })
  // 500 × 3 + 200 × 0.3 + 200 × 3.75 + 100 × 6 + 100 × 15, of a million.
  assert.equal(dollarsOf(costOf(used, rates)!), '0.00441')
})

test('what has no price of its own has that of its whole; what has none at all makes the cost unknown', () => {
  const rates = { input: usd(1), output: usd(2) }
  assert.equal(costOf(amounts({ input: 10, cached: 5, output: 10, reasoning: 4 }), rates), 30_000n)
  assert.equal(costOf(amounts({ input: 10, output: 1 }), { input: usd(1) }), undefined)
  assert.equal(costOf(amounts({ input: 10, output: 0 }), { input: usd(1) }), 10_000n)
  assert.equal(costOf(amounts({}), rates), undefined)
  assert.equal(costOf(amounts({ units: { seconds: 3 } }), { request: usd(0.002) }), 2_000_000n)
})

test('no cost is negative, and parts never cost more than their whole at one rate', () => {
  const count = fc.nat(Number.MAX_SAFE_INTEGER)
  fc.assert(
    fc.property(count, count, count, count, count, (input, cached, cacheWrite, output, reasoning) => {
      const cost = costOf(amounts({ input, cached, cacheWrite, output, reasoning }), { input: usd(1), output: usd(1) })!
      assert.equal(cost, (BigInt(input) + BigInt(output)) * 1000n)
    }),
  )
})

test('nano-dollars are written as decimals', () => {
  const cases: [bigint, string][] = [
    [0n, '0'],
    [1n, '0.000000001'],
    [1_500_000_000n, '1.5'],
    [10_000_000_000n, '10'],
  ]
  for (const [nano, text] of cases) assert.equal(dollarsOf(nano), text)
})

test('the public prices know providers by their hosts, and models by their names', () => {
  const table = publicPrices()
  const hosts: [string, string | undefined][] = [
    ['https://api.openai.com/v1', 'openai'],
    ['https://api.anthropic.com', 'anthropic'],
    ['https://generativelanguage.googleapis.com', 'google'],
    ['https://bedrock-runtime.eu-west-1.amazonaws.com', 'aws'],
    ['https://team.openai.azure.com', 'azure'],
    ['http://localhost:8000', undefined],
  ]
  for (const [url, provider] of hosts) assert.equal(table.providerAt(url), provider, url)
  const { rates } = table.find('openai', 'gpt-4o-mini-2024-07-18')!
  assert.deepEqual(rates(Date.now(), 0), {
    input: usd(0.15),
    cached: usd(0.075),
    output: usd(0.6),
    webSearch: usd(0.01),
  })
  const tiered = table.find('google', 'gemini-2.5-pro')!
  assert.equal(tiered.rates(Date.now(), 200_000).input, usd(1.25))
  assert.equal(tiered.rates(Date.now(), 200_001).input, usd(2.5))
  assert.equal(table.find('openai', 'no-such-model'), undefined)
  assert.equal(table.find('no-such-provider', 'gpt-4o'), undefined)
})

const NONE: OwnRates = {
  ...{ input: undefined, cached: undefined, cacheWrite: undefined, output: undefined },
  ...{ reasoning: undefined, audio: undefined, request: undefined },
}
const rule = (model: string, rates: Partial<OwnRates>, more: Partial<PriceRule> = {}): PriceRule => ({
  model,
  upstream: undefined,
  provider: undefined,
  rates: { ...NONE, ...rates },
  tiers: [],
  ...more,
})

function priced(
  prices: readonly PriceRule[],
  usage: Parameters<typeof sampleRow>[1] = {},
  record: Parameters<typeof sampleRow>[0] = {},
) {
  const unknown: string[] = []
  const pricing = createPricing(
    { prices, priceTable: undefined, providers: { named: 'anthropic' } },
    (model) => void unknown.push(model),
  )
  const row = sampleRow(record, usage)
  pricing.price(row)
  pricing.price(sampleRow(record, usage))
  return { cost: row[AT.cost_usd], unknown }
}

test("the provider's own figure stands, then the operator's price, then the public one", () => {
  assert.equal(priced([rule('*', { input: usd(9) })], { costUsd: '0.5' }).cost, '0.5')
  assert.equal(priced([rule('gpt-*', { input: usd(1), output: usd(0) })]).cost, '0.001')
  assert.equal(priced([rule('x', { input: usd(1) })]).cost, '0.000435')
  // The first that fits, for its upstream alone.
  const rules = [
    rule('*', { request: 5 }, { upstream: 'other' }),
    rule('*', { input: usd(1), output: 0 }),
    rule('*', { input: usd(2) }),
  ]
  assert.equal(priced(rules).cost, '0.001')
})

test('a tier holds for the whole request, and leaves open what it does not say', () => {
  const tiers = [{ above: 999, rates: { ...NONE, input: usd(2) } }]
  assert.equal(priced([rule('*', { input: usd(1), output: usd(1) }, { tiers })]).cost, '0.0025')
  assert.equal(priced([rule('*', { input: usd(1), output: usd(1) }, { tiers })], { inputTokens: 999 }).cost, '0.001499')
})

test('batch and flex cost half, and a class of service whose price nobody knows has none', () => {
  assert.equal(priced([], { tier: 'batch' }).cost, '0.0002175')
  assert.equal(priced([], { tier: 'default' }).cost, '0.000435')
  assert.deepEqual(priced([], { tier: 'priority' }), { cost: undefined, unknown: ['gpt-4o-mini'] })
})

test('a provider is one by name where its host tells nothing; a model without a price is told of once', () => {
  const at = { upstream: 'named', targetUrl: 'http://10.0.0.1/v1/messages' }
  assert.equal(priced([], { model: 'claude-3-5-haiku-latest' }, at).cost, '0.002656')
  assert.deepEqual(priced([], {}, { upstream: 'local', targetUrl: 'http://10.0.0.1/v1' }), {
    cost: undefined,
    unknown: ['gpt-4o-mini'],
  })
  // A deployment's name says nothing, what was asked for does.
  assert.equal(priced([], { model: 'my-deployment', requestModel: 'gpt-4o-mini' }).cost, '0.000435')
  assert.deepEqual(priced([], { inputTokens: undefined, outputTokens: undefined, model: 'x' }), {
    cost: undefined,
    unknown: [],
  })
})

test('a star stands for any text, and nothing else is special', () => {
  const cases: [string, string, boolean][] = [
    ['gpt-*', 'gpt-4', true],
    ['gpt-*', 'agpt-4', false],
    ['*', '', true],
    ['a*a', 'a', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*b', 'ab', false],
    ['a.c', 'abc', false],
    ['*mini*', 'gpt-4o-mini-x', true],
  ]
  for (const [pattern, text, fits] of cases) assert.equal(fitsPattern(pattern, text), fits, `${pattern} ${text}`)
})
