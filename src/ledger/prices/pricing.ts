/** Puts the cost into rows: the provider's own figure, a price of the operator's, or a public one, in this order. */
import type { OwnRates, PriceRule } from '../../config/snapshot.ts'
import { AT, type Row } from '../row.ts'
import { type Amounts, costOf, dollarsOf, type Rates } from './cost.ts'
import { type PriceTable, publicPrices } from './table.ts'

export interface Pricing {
  readonly version: string
  /** Sets `cost_usd` of a row that has none and whose price is known. */
  price(row: Row): void
}

export interface PriceSources {
  readonly prices: readonly PriceRule[]
  readonly providers: Readonly<Record<string, string>>
}

/** Where a price is from, for a person. */
export interface Price {
  readonly source: string
  rates(timeMs: number, input: number): Rates
}

/** A model's name comes from outside: whoever invents some shall not fill the memory, or the log. */
const MAX_REMEMBERED = 10_000
const MAX_TOLD = 1_000

/** Of the same kind of answer, half the price: OpenAI, Anthropic and Google all charge so. */
const HALF: ReadonlySet<string> = new Set(['batch', 'flex'])
const STANDARD: ReadonlySet<string> = new Set(['', 'standard', 'default', 'auto', 'on_demand'])

/** @param before the one that it replaces: what was told once is not told again */
export function createPricing(
  sources: PriceSources,
  onUnknown: (model: string, upstream: string) => void,
  before?: Pricing,
): Pricing {
  const table = publicPrices()
  const told = (before as PricingState | undefined)?.told ?? new Set<string>()
  const remembered = new Map<string, Price | undefined>()

  function find(upstream: string, url: string, model: string): Price | undefined {
    const key = JSON.stringify([upstream, url, model])
    if (remembered.has(key)) return remembered.get(key)
    const price = findPrice(sources, table, { upstream, url, model })
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    remembered.set(key, price)
    return price
  }

  function tell(model: string, upstream: string): void {
    if (told.has(model) || told.size >= MAX_TOLD) return
    told.add(model)
    onUnknown(model, upstream)
  }

  const state: PricingState = {
    version: table.version,
    told,
    price(row) {
      const amounts = amountsOf(row)
      if (row[AT.cost_usd] !== undefined || amounts === undefined) return
      const upstream = String(row[AT.upstream] ?? '')
      const url = originOf(String(row[AT.target_url] ?? ''))
      const models = [row[AT.model], row[AT.request_model]].filter((model) => typeof model === 'string')
      const tier = String(row[AT.tier] ?? '')
      for (const model of models) {
        const found = find(upstream, url, model)
        const cost = found && costOf(amounts, found.rates(row[AT.time] as number, amounts.input ?? 0))
        const charged = cost === undefined ? undefined : ofTier(cost, tier)
        if (charged === undefined) continue
        row[AT.cost_usd] = dollarsOf(charged)
        return
      }
      if (models[0] !== undefined) tell(models[0], upstream)
    },
  }
  return state
}

interface PricingState extends Pricing {
  readonly told: Set<string>
}

/** Nine million dollars: what a provider says beyond is no count, and no column of money would take it. */
const MAX_COST = BigInt(Number.MAX_SAFE_INTEGER)

function ofTier(cost: bigint, tier: string): bigint | undefined {
  if (cost > MAX_COST) return undefined
  if (HALF.has(tier)) return (cost + 1n) / 2n
  return STANDARD.has(tier) ? cost : undefined
}

/** Undefined: nothing was used that anybody could charge for. */
function amountsOf(row: Row): Amounts | undefined {
  const number = (at: number): number | undefined => row[at] as number | undefined
  const input = number(AT.input_tokens)
  const output = number(AT.output_tokens)
  const text = row[AT.units]
  if (input === undefined && output === undefined && text === undefined) return undefined
  return {
    input,
    output,
    cached: number(AT.cached_tokens),
    cacheWrite: number(AT.cache_write_tokens),
    reasoning: number(AT.reasoning_tokens),
    units: typeof text === 'string' ? (JSON.parse(text) as Record<string, number>) : {},
  }
}

/** Paths of requests differ, and tell nothing of the provider but for a few whose base path does. */
function originOf(url: string): string {
  const host = url.indexOf('/', url.indexOf('://') + 3)
  return host < 0 ? url : url.slice(0, Math.min(url.length, host + 64)).split(/[?#]/, 1)[0]!
}

export interface Wanted {
  readonly upstream: string
  /** Of its target. */
  readonly url: string
  readonly model: string
}

export function findPrice(
  { prices, providers }: PriceSources,
  table: PriceTable,
  { upstream, url, model }: Wanted,
): Price | undefined {
  const provider = (Object.hasOwn(providers, upstream) ? providers[upstream] : undefined) ?? table.providerAt(url)
  const at = prices.findIndex(
    (rule) =>
      (rule.upstream === undefined || rule.upstream === upstream) &&
      (rule.provider === undefined || rule.provider === provider) &&
      fitsPattern(rule.model, model),
  )
  if (at >= 0) return { source: `prices[${at}] of usage.prices`, rates: (_, input) => ratesOfRule(prices[at]!, input) }
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

function ratesOfRule({ rates, tiers }: PriceRule, input: number): Rates {
  let all = rates
  for (const tier of tiers) if (input > tier.above) all = merged(all, tier.rates)
  const { audio, ...others } = all
  return { ...others, inputAudio: audio, outputAudio: audio }
}

function merged(below: OwnRates, above: OwnRates): OwnRates {
  const said = Object.fromEntries(Object.entries(above).filter(([, rate]) => rate !== undefined))
  return { ...below, ...said }
}
