import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { OwnRates, PriceRule } from '../../../src/config/snapshot.ts'
import { type Amounts, costOf, dollarsOf } from '../../../src/prices/cost.ts'
import { createPricing, fitsPattern, type Seller, type Used } from '../../../src/prices/pricing.ts'
import { publicPrices } from '../../../src/prices/table.ts'

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

test('a count that nobody could have used costs what nobody knows: no store would take such a sum', () => {
  const most = { inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: Number.MAX_SAFE_INTEGER }
  assert.equal(priced([], most).cost, undefined)
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

const USED: Used = {
  model: 'gpt-4o-mini',
  requestModel: undefined,
  inputTokens: 1000,
  cachedTokens: 200,
  cacheWriteTokens: undefined,
  outputTokens: 500,
  reasoningTokens: undefined,
  units: undefined,
  tier: undefined,
}

const at = (url: string, name = 'openai', provider: string | undefined = undefined): Seller => {
  const { protocol, host, pathname } = new URL(url)
  return {
    name,
    provider,
    target: { scheme: protocol.slice(0, -1), authority: host, basePath: pathname.replace(/\/$/, '') },
  }
}
const OPENAI = at('https://api.openai.com')

function priced(prices: readonly PriceRule[], used: Partial<Used> = {}, seller: Seller = OPENAI) {
  const unknown: string[] = []
  const pricing = createPricing({ prices, priceTable: undefined }, (model) => void unknown.push(model))
  return { cost: pricing.costOf({ ...USED, ...used }, seller, Date.now()), unknown }
}

test("the operator's price counts, then the public one", () => {
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

test('a provider is the one that is named, whose host it is, or after whom the upstream is called', () => {
  const used = { model: 'claude-3-5-haiku-latest' }
  assert.equal(priced([], used, at('http://10.0.0.1/v1', 'local', 'anthropic')).cost, '0.002656')
  assert.equal(priced([], used, at('https://api.anthropic.com', 'openai')).cost, '0.002656')
  assert.equal(priced([], used, at('http://10.0.0.1', 'anthropic')).cost, '0.002656')
  assert.equal(priced([], { model: 'gemini-2.5-flash' }, at('http://10.0.0.1', 'gemini')).cost, '0.001496')
  assert.deepEqual(priced([], {}, at('http://10.0.0.1', 'local')), { cost: undefined, unknown: ['gpt-4o-mini'] })
})

test('a deployment has a name that says nothing; what was asked for does', () => {
  assert.equal(priced([], { model: 'my-deployment', requestModel: 'gpt-4o-mini' }).cost, '0.000435')
  assert.deepEqual(priced([], { inputTokens: undefined, outputTokens: undefined, model: 'x' }), {
    cost: undefined,
    unknown: [],
  })
})

test('a host that only begins, or a path that ends, like that of a provider is somebody else', () => {
  const { providerAt } = publicPrices()
  for (const url of [
    'https://api.openai.com.attacker.example/v1',
    'https://api.openai.community',
    'https://openrouter.ai.example',
    'https://attacker.example/x.googleapis.com',
    'https://attacker/x.openai.azure.com/openai',
    'https://x.openai.azure.com.attacker.example',
    'https://api.moonshot.attacker.example',
    'https://evil-api.openai.com.attacker.example',
  ]) {
    assert.equal(providerAt(url), undefined, url)
  }
  for (const [url, provider] of [
    ['https://api.openai.com', 'openai'],
    ['https://api.openai.com:443/v1', 'openai'],
    ['https://api.openai.com/v1/chat', 'openai'],
    ['https://api.moonshot.cn/v1', 'moonshotai'],
    ['https://europe-west1-aiplatform.googleapis.com/v1', 'google'],
    ['https://my.openai.azure.com/openai', 'azure'],
    ['https://bedrock-runtime.eu-west-1.amazonaws.com/model/x', 'aws'],
  ] as const) {
    assert.equal(providerAt(url), provider, url)
  }
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
