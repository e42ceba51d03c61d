/** From the data of genai-prices, a well-kept public table, to the table that the gateway reads: the prices, and nothing else of it. */
import type { PricedModel, PriceTableText } from '../../config/schema/price-table.ts'

/** As its data has it; whether that is so shows when what comes of it is judged. */
interface GivenModel {
  readonly id: string
  readonly match: GivenMatch
  readonly prices: GivenPrices | readonly GivenPeriod[]
}

type GivenMatch = { readonly or?: readonly { readonly equals?: string }[] }
type GivenPrices = Readonly<Record<string, unknown>>

interface GivenPeriod {
  readonly constraint?: {
    readonly start_date?: string
    readonly start_time?: string
    readonly end_time?: string
  } | null
  readonly prices: GivenPrices
}

interface Tiers {
  readonly base: number
  readonly tiers: readonly { readonly start: number; readonly price: number }[]
}

export interface GivenProvider {
  readonly id: string
  readonly api_pattern: string
  readonly fallback_model_providers?: readonly string[] | null
  readonly models: readonly GivenModel[]
}

/** Throws where the data has another shape. */
export function convertPrices(given: readonly GivenProvider[], version: string): PriceTableText {
  const providers = given.map(({ id, api_pattern, fallback_model_providers, models }) => ({
    id,
    host: api_pattern,
    like: fallback_model_providers ?? [],
    models: models.map((model) => [model.id, matchOf(model.match), pricesOf(model)] as unknown as PricedModel),
  }))
  return { version, providers: providers.sort((a, b) => (a.id < b.id ? -1 : 1)) }
}

/** A model a line, so that a change of a price is a change of a line. */
export function formatPriceTable({ version, providers }: PriceTableText): string {
  const lines = providers.map(({ models, ...provider }) => {
    const rows = models.map((model) => JSON.stringify(model))
    return `${JSON.stringify(provider).slice(0, -1)},"models":[\n${rows.join(',\n')}\n]}`
  })
  return `{"version":${JSON.stringify(version)},"providers":[\n${lines.join(',\n')}\n]}\n`
}

/** A price of one amount or of tiers: `3`, or `[1.25, 200000, 2.5]`. */
function amounts(prices: GivenPrices): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(prices).flatMap(([name, price]): [string, unknown][] => {
      if (price === undefined || price === null) return []
      if (typeof price !== 'object') return [[name, price]]
      const { base, tiers } = price as Tiers
      return [[name, [base, ...tiers.flatMap(({ start, price: above }) => [start, above])]]]
    }),
  )
}

function pricesOf({ prices }: GivenModel): unknown {
  if (!Array.isArray(prices)) return amounts(prices as GivenPrices)
  return (prices as readonly GivenPeriod[]).map(({ constraint, prices: inner }) => {
    if (constraint === undefined || constraint === null) return amounts(inner)
    const { start_date: day, start_time: start, end_time: end } = constraint
    return { ...amounts(inner), ...(day === undefined ? { between: [start, end] } : { from: day }) }
  })
}

/** Most are a list of names. */
function matchOf(match: GivenMatch): unknown {
  if (match.or === undefined) return match
  return match.or.every((part) => 'equals' in part) ? match.or.map((part) => part.equals) : match
}
