/**
 * The public prices: those that Fluxgate brings (config/prices.json, made from a well-kept table by scripts/generate-prices.ts), or those
 * of the file of `usage.price_table`.
 */
import type { Amount, Match, PricedModel, Prices, PriceTableText } from '../config/schema/price-table.ts'
import { readOwnFile } from '../runtime/one-file.ts'
import type { Rates } from './cost.ts'

export interface Found {
  /** `anthropic/claude-sonnet-4-5`. */
  readonly name: string
  /** @param timeMs prices change @param input tokens, for tiers */
  rates(timeMs: number, input: number): Rates
}

export interface PriceTable {
  readonly version: string
  readonly providerNames: readonly string[]
  /** The provider at a URL, if it is a known one. */
  providerAt(url: string): string | undefined
  /** The provider that goes by this name, its own or a usual one. */
  providerCalled(name: string): string | undefined
  find(provider: string, model: string): Found | undefined
}

/** Under which names the table has them. Some are of a thousand searches, the others of a million tokens. */
const NAMES: Readonly<Record<string, keyof Rates>> = {
  input_mtok: 'input',
  cache_read_mtok: 'cached',
  cache_write_mtok: 'cacheWrite',
  cache_write_1h_mtok: 'cacheWrite1h',
  output_mtok: 'output',
  output_reasoning_mtok: 'reasoning',
  input_audio_mtok: 'inputAudio',
  output_audio_mtok: 'outputAudio',
  input_image_mtok: 'inputImage',
  output_image_mtok: 'outputImage',
  output_citation_mtok: 'citation',
  web_searches_kcount: 'webSearch',
  requests_kcount: 'request',
}

/** As people call providers that the table has under another name. */
const CALLED: Readonly<Record<string, string>> = {
  bedrock: 'aws',
  gemini: 'google',
  vertex: 'google',
  xai: 'x-ai',
  moonshot: 'moonshotai',
}

let own: PriceTable | undefined
let last: { readonly text: string; readonly table: PriceTable } | undefined

/** @param text of a table that has been judged; undefined: the one that Fluxgate brings. Read once, when somebody asks: 5 ms. */
export function publicPrices(text?: string): PriceTable {
  if (text === undefined) {
    own ??= createTable(ownPriceTable())
    return own
  }
  if (last?.text !== text) last = { text, table: createTable(JSON.parse(text) as PriceTableText) }
  return last.table
}

export function ownPriceTable(): PriceTableText {
  return JSON.parse(readOwnFile(new URL('../../config/prices.json', import.meta.url))) as PriceTableText
}

/** Longer names are no model's, and would keep a pattern busy. */
const MAX_MODEL_LENGTH = 256

function createTable({ version, providers }: PriceTableText): PriceTable {
  const byId = new Map(providers.map((provider) => [provider.id, provider]))
  const hosts = providers.map(({ id, host }) => ({ id, pattern: hostPattern(host) }))
  function findIn(id: string, model: string): Found | undefined {
    const provider = byId.get(id)
    // Names differ in case from one place to another.
    const lower = model.toLowerCase()
    const found =
      provider?.models.find(([name]) => name === model) ?? provider?.models.find(([, match]) => fits(match, lower))
    if (found === undefined) return undefined
    const periods = (isList(found[2]) ? found[2] : [found[2]]).map(periodOf)
    return { name: `${id}/${found[0]}`, rates: (timeMs, input) => ratesAt(stepsAt(periods, timeMs), input) }
  }
  return {
    version,
    providerNames: providers.map(({ id }) => id),
    providerAt: (url) => hosts.find(({ pattern }) => isAt(pattern, url))?.id,
    providerCalled(name) {
      const id = Object.hasOwn(CALLED, name) ? CALLED[name]! : name
      return byId.has(id) ? id : undefined
    },
    find(id, model) {
      if (model.length > MAX_MODEL_LENGTH) return undefined
      const others = byId.get(id)?.like ?? []
      for (const provider of [id, ...others]) {
        const found = findIn(provider, model)
        if (found !== undefined) return found
      }
      return undefined
    },
  }
}

/** What may stand in a host there does not reach into a path. */
function hostPattern(host: string): RegExp {
  return new RegExp(`^(?:${host.replaceAll('.*', '[^/]*').replaceAll('[^.]*', '[^./]*')})`)
}

/** The patterns are of beginnings: `https://api.openai.com` shall not be that of `https://api.openai.com.attacker.example`. */
function isAt(pattern: RegExp, url: string): boolean {
  const found = pattern.exec(url)?.[0]
  if (found === undefined) return false
  const rest = url.slice(found.length)
  // One that leaves the last label open, `api.moonshot.`, or that is at home in a path.
  if (found.endsWith('.')) return /^[a-z]+(?:[/:?#]|$)/.test(rest)
  return found.endsWith('/') || /^(?:[/:?#]|$)/.test(rest)
}

function fits(match: Match, model: string): boolean {
  if ('or' in match) return match.or.some((part) => fits(part, model))
  if ('and' in match) return match.and.every((part) => fits(part, model))
  if ('equals' in match) return model === match.equals.toLowerCase()
  if ('starts_with' in match) return model.startsWith(match.starts_with.toLowerCase())
  if ('ends_with' in match) return model.endsWith(match.ends_with.toLowerCase())
  if ('contains' in match) return model.includes(match.contains.toLowerCase())
  if ('regex' in match) return new RegExp(match.regex).test(model)
  return match.some((name) => name.toLowerCase() === model)
}

/** Prices from a number of tokens on. The whole request has the price of the highest tier that it reaches, as providers charge it. */
export interface Step {
  readonly above: number
  readonly rates: Rates
}

/** @param steps the lowest one first, which holds for everything */
export function ratesAt(steps: readonly Step[], input: number): Rates {
  let rates = steps[0]!.rates
  for (const step of steps) if (input > step.above) rates = step.rates
  return rates
}

const DAY_MS = 86_400_000

interface Period {
  /** Since 1970. */
  readonly from: number
  /** Of a day: from one time to another, across midnight if the second is the earlier one. */
  readonly between: readonly [number, number]
  readonly steps: readonly Step[]
}

function periodOf(prices: Prices): Period {
  const { from, between } = prices
  const [start, end] = Array.isArray(between) ? (between as string[]).map(timeOfDay) : [0, DAY_MS]
  return {
    from: typeof from === 'string' ? Date.parse(from) : Number.NEGATIVE_INFINITY,
    between: [start!, end!],
    steps: stepsOf(prices),
  }
}

/** `16:30:00Z`. */
function timeOfDay(text: string): number {
  return Date.parse(`1970-01-01T${text}`)
}

/** Of several the last one that holds at that time; the first one where none says so. */
function stepsAt(periods: readonly Period[], timeMs: number): readonly Step[] {
  const time = ((timeMs % DAY_MS) + DAY_MS) % DAY_MS
  for (let at = periods.length - 1; at > 0; at--) {
    const { from, between, steps } = periods[at]!
    if (timeMs < from) continue
    const [start, end] = between
    if (start <= end ? time >= start && time < end : time >= start || time < end) return steps
  }
  return periods[0]!.steps
}

function isList(prices: PricedModel[2]): prices is readonly Prices[] {
  return Array.isArray(prices)
}

function stepsOf(prices: Prices): readonly Step[] {
  const known = Object.entries(prices).filter(([name]) => Object.hasOwn(NAMES, name))
  const bounds = known.flatMap(([, amount]) => (Array.isArray(amount) ? amount.filter((_, at) => at % 2 === 1) : []))
  const steps = [...new Set(bounds as number[])].sort((a, b) => a - b)
  return [-1, ...steps].map((above) => ({ above, rates: ratesAbove(known as [string, Amount][], above) }))
}

function ratesAbove(prices: readonly [string, Amount][], above: number): Rates {
  const rates: Partial<Record<keyof Rates, number>> = {}
  for (const [name, amount] of prices) {
    const dollars = typeof amount === 'number' ? amount : ofTier(amount, above)
    rates[NAMES[name]!] = Math.round(dollars * (name.endsWith('_kcount') ? 1e6 : 1e9))
  }
  return rates
}

function ofTier([base, ...tiers]: readonly number[], above: number): number {
  let price = base!
  for (let at = 0; at + 1 < tiers.length; at += 2) if (above >= tiers[at]!) price = tiers[at + 1]!
  return price
}
