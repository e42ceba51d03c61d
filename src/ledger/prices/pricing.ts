/** Puts the cost into rows: the provider's own figure, a price of the operator's, or a public one, in this order. */
import type { OwnRates, PriceRule } from '../../config/snapshot.ts'
import { AT, type Row } from '../row.ts'
import { type Amounts, costOf, dollarsOf, type Rates } from './cost.ts'
import { type PriceTable, publicPrices, ratesAt, type Step } from './table.ts'

export interface Pricing {
  readonly version: string
  /** Sets `cost_usd` of a row that has none and whose price is known. */
  price(row: Row): void
}

export interface PriceSources {
  readonly prices: readonly PriceRule[]
  /** The text of a table that goes before the one that Fluxgate brings. */
  readonly priceTable: string | undefined
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
  const table = publicPrices(sources.priceTable)
  const told = (before as PricingState | undefined)?.told ?? new Set<string>()
  const remembered = new Map<string, Price | null>()

  function find(upstream: string, url: string, model: string): Price | undefined {
    // No name of an upstream has a line break, and no URL.
    const key = `${upstream}\n${url}\n${model}`
    const known = remembered.get(key)
    if (known !== undefined) return known ?? undefined
    const price = findPrice(sources, table, { upstream, url, model })
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    remembered.set(key, price ?? null)
    return price
  }

  function tell(model: string, upstream: string): void {
    if (told.has(model) || told.size >= MAX_TOLD) return
    told.add(model)
    onUnknown(model, upstream)
  }

  function chargeOf(row: Row, amounts: Amounts, model: Row[number]): bigint | undefined {
    if (typeof model !== 'string') return undefined
    const found = find(String(row[AT.upstream] ?? ''), originOf(String(row[AT.target_url] ?? '')), model)
    const cost = found && costOf(amounts, found.rates(row[AT.time] as number, amounts.input ?? 0))
    return cost === undefined ? undefined : ofTier(cost, String(row[AT.tier] ?? ''))
  }

  const state: PricingState = {
    version: table.version,
    told,
    price(row) {
      if (row[AT.cost_usd] !== undefined) return
      const amounts = amountsOf(row)
      if (amounts === undefined) return
      // A deployment's name says nothing, what was asked for may.
      const charged = chargeOf(row, amounts, row[AT.model]) ?? chargeOf(row, amounts, row[AT.request_model])
      if (charged !== undefined) row[AT.cost_usd] = dollarsOf(charged)
      else {
        const model = row[AT.model] ?? row[AT.request_model]
        if (model !== undefined) tell(String(model), String(row[AT.upstream] ?? ''))
      }
    },
  }
  return state
}

interface PricingState extends Pricing {
  readonly told: Set<string>
}

function ofTier(cost: bigint, tier: string): bigint | undefined {
  if (HALF.has(tier)) return (cost + 1n) / 2n
  return STANDARD.has(tier) ? cost : undefined
}

/** Undefined: nothing was used that anybody could charge for. */
function amountsOf(row: Row): Amounts | undefined {
  const input = row[AT.input_tokens] as number | undefined
  const output = row[AT.output_tokens] as number | undefined
  const text = row[AT.units]
  if (input === undefined && output === undefined && text === undefined) return undefined
  return {
    input,
    output,
    cached: row[AT.cached_tokens] as number | undefined,
    cacheWrite: row[AT.cache_write_tokens] as number | undefined,
    reasoning: row[AT.reasoning_tokens] as number | undefined,
    units: typeof text === 'string' ? (JSON.parse(text) as Record<string, number>) : undefined,
  }
}

/** Paths of requests differ, and tell nothing of the provider but for a few whose base path does. */
function originOf(url: string): string {
  const host = url.indexOf('/', url.indexOf('://') + 3)
  if (host < 0) return url
  const near = url.slice(0, host + 64)
  const end = near.search(/[?#]/)
  return end < 0 ? near : near.slice(0, end)
}

export interface Wanted {
  readonly upstream: string
  /** Of its target. */
  readonly url: string
  readonly model: string
}

export function findPrice(
  { prices, providers }: Omit<PriceSources, 'priceTable'>,
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
