/** What an exchange costs: by a price of the operator's, or a public one, in this order. The provider's own figure goes before both. */
import type { OwnRates, PriceRule } from '../config/snapshot.ts'
import type { Usage } from '../llm/usage.ts'
import { type Amounts, costOf, dollarsOf, type Rates } from './cost.ts'
import { type PriceTable, publicPrices, ratesAt, type Step } from './table.ts'

/** What was used: the provider's own figure goes before any price, and is the caller's. */
export type Used = Omit<Usage, 'costUsd' | 'usage' | 'ttftMs' | 'reason'>

/** Whose prices hold. */
export interface Seller {
  /** Of the upstream. */
  readonly name: string
  /** As the configuration names it. */
  readonly provider: string | undefined
  readonly target: { readonly scheme: string; readonly authority: string; readonly basePath: string }
}

export interface Pricing {
  /** Dollars, a decimal with at most 9 places; undefined: nobody knows a price, or nothing was used that has one. */
  costOf(used: Used, seller: Seller, timeMs: number): string | undefined
}

export interface PriceSources {
  /** Of the operator's own; the first that fits counts. */
  readonly prices: readonly PriceRule[]
  /** The text of a table that goes before the one that Fluxgate brings. */
  readonly priceTable: string | undefined
}

/** Where a price is from, for a person. */
export interface Price {
  readonly source: string
  rates(timeMs: number, input: number): Rates
}

/** A model's name comes from outside: whoever invents some shall not fill the memory. */
const MAX_REMEMBERED = 1_000

/** Of the same kind of answer, half the price: OpenAI, Anthropic and Google all charge so. */
const HALF: ReadonlySet<string> = new Set(['batch', 'flex'])
const STANDARD: ReadonlySet<string> = new Set(['', 'standard', 'default', 'auto', 'on_demand'])

/** @param onUnknown called each time that something was used for which nobody knows a price */
export function createPricing(
  { prices, priceTable }: PriceSources,
  onUnknown: (model: string, upstream: string) => void,
): Pricing {
  /** By upstream, then by model. One of before a reload has the name of the one that is there now, and perhaps another provider. */
  const remembered = new Map<Seller, Map<string, Price | undefined>>()
  let count = 0

  function find(seller: Seller, model: string): Price | undefined {
    let ofSeller = remembered.get(seller)
    if (ofSeller?.has(model)) return ofSeller.get(model)
    const price = findPrice(prices, publicPrices(priceTable), seller, model)
    if (++count > MAX_REMEMBERED) {
      remembered.clear()
      count = 1
      ofSeller = undefined
    }
    if (ofSeller === undefined) remembered.set(seller, (ofSeller = new Map()))
    ofSeller.set(model, price)
    return price
  }

  function costAs(model: string | undefined, used: Used, seller: Seller, timeMs: number): bigint | undefined {
    const price = model === undefined ? undefined : find(seller, model)
    const cost = price && costOf(amountsOf(used), price.rates(timeMs, used.inputTokens ?? 0))
    return cost === undefined ? undefined : ofTier(cost, used.tier ?? '')
  }

  return {
    costOf(used, seller, timeMs) {
      if (used.inputTokens === undefined && used.outputTokens === undefined && used.units === undefined)
        return undefined
      const { model, requestModel } = used
      const cost = costAs(model, used, seller, timeMs) ?? costAs(requestModel, used, seller, timeMs)
      if (cost !== undefined) return dollarsOf(cost)
      const name = model ?? requestModel
      if (name !== undefined) onUnknown(name, seller.name)
      return undefined
    },
  }
}

/** Nine million dollars: what a provider says beyond is no count, and no column of money would take it. */
const MAX_COST = BigInt(Number.MAX_SAFE_INTEGER)

function ofTier(cost: bigint, tier: string): bigint | undefined {
  if (cost > MAX_COST) return undefined
  if (HALF.has(tier)) return (cost + 1n) / 2n
  return STANDARD.has(tier) ? cost : undefined
}

function amountsOf(used: Used): Amounts {
  return {
    input: used.inputTokens,
    output: used.outputTokens,
    cached: used.cachedTokens,
    cacheWrite: used.cacheWriteTokens,
    reasoning: used.reasoningTokens,
    units: used.units,
  }
}

/** The provider that the configuration names, whose host it is, or after whom the upstream is called. */
function providerOf({ name, provider, target }: Seller, table: PriceTable): string | undefined {
  if (provider !== undefined) return provider
  const { scheme, authority, basePath } = target
  return table.providerAt(`${scheme}://${authority}${basePath}`) ?? table.providerCalled(name)
}

export function findPrice(
  prices: readonly PriceRule[],
  table: PriceTable,
  seller: Seller,
  model: string,
): Price | undefined {
  const provider = providerOf(seller, table)
  const at = prices.findIndex(
    (rule) =>
      (rule.upstream === undefined || rule.upstream === seller.name) &&
      (rule.provider === undefined || rule.provider === provider) &&
      fitsPattern(rule.model, model),
  )
  if (at >= 0) {
    const steps = stepsOfRule(prices[at]!)
    return { source: `prices[${at}] of usage.prices`, rates: (_, input) => ratesAt(steps, input) }
  }
  const found = provider === undefined ? undefined : table.find(provider, model)
  return found && { source: `${found.name} of ${table.version}`, rates: found.rates }
}

/** Each `*` stands for any text; without a regular expression, whose time a pattern could blow up. */
export function fitsPattern(pattern: string, text: string): boolean {
  const parts = pattern.split('*')
  if (parts.length === 1) return pattern === text
  const [first, ...rest] = parts
  const last = rest.pop()!
  if (!text.startsWith(first!) || !text.endsWith(last) || text.length < first!.length + last.length) return false
  let at = first!.length
  for (const part of rest) {
    const found = text.indexOf(part, at)
    if (found < 0 || found + part.length > text.length - last.length) return false
    at = found + part.length
  }
  return true
}

/** Its tiers are in order. Each leaves open what it does not say. */
function stepsOfRule({ rates, tiers }: PriceRule): readonly Step[] {
  const steps = [{ above: -1, rates: ownRates(rates) }]
  let all = rates
  for (const tier of tiers) {
    all = merged(all, tier.rates)
    steps.push({ above: tier.above, rates: ownRates(all) })
  }
  return steps
}

function ownRates({ audio, ...others }: OwnRates): Rates {
  return { ...others, inputAudio: audio, outputAudio: audio }
}

function merged(below: OwnRates, above: OwnRates): OwnRates {
  const said = Object.fromEntries(Object.entries(above).filter(([, rate]) => rate !== undefined))
  return { ...below, ...said }
}
