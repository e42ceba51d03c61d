/** The public prices that Fluxgate brings: config/prices.json, made from a well-kept table by scripts/generate-prices.ts. */
import { readOwnFile } from '../runtime/one-file.ts'
import type { Rates } from './cost.ts'

type Match =
  | readonly string[]
  | { readonly or: readonly Match[] }
  | { readonly and: readonly Match[] }
  | { readonly equals: string }
  | { readonly starts_with: string }
  | { readonly ends_with: string }
  | { readonly contains: string }
  | { readonly regex: string }

/** Dollars: for a million tokens, a thousand requests. `[base, above, price, …]` has tiers by tokens of input. */
type Prices = Readonly<Record<string, number | readonly number[] | string | readonly string[]>>
type Model = readonly [id: string, match: Match, prices: Prices | readonly Prices[]]

interface Provider {
  readonly id: string
  /** A pattern at the beginning of its URLs. */
  readonly host: string
  /** Whose models it has as well. */
  readonly like: readonly string[]
  readonly models: readonly Model[]
}

interface TableText {
  readonly version: string
  readonly providers: readonly Provider[]
}

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

let known: PriceTable | undefined

/** Read once, when somebody asks: 5 ms. */
export function publicPrices(): PriceTable {
  known ??= createTable(JSON.parse(readOwnFile(new URL('../../config/prices.json', import.meta.url))) as TableText)
  return known
}

function createTable({ version, providers }: TableText): PriceTable {
  const byId = new Map(providers.map((provider) => [provider.id, provider]))
  const hosts = providers.map(({ id, host }) => ({ id, pattern: hostPattern(host) }))
  function findIn(id: string, model: string): Found | undefined {
    const provider = byId.get(id)
    // Names differ in case from one place to another.
    const lower = model.toLowerCase()
    const found =
      provider?.models.find(([name]) => name === model) ?? provider?.models.find(([, match]) => fits(match, lower))
    return found && { name: `${id}/${found[0]}`, rates: ratesIn(found[2]) }
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

/** Most prices are the same at any time and for any size: they are put together once. */
function ratesIn(prices: Model[2]): Found['rates'] {
  if (isList(prices) || Object.values(prices).some((price) => typeof price !== 'number'))
    return (timeMs, input) => ratesOf(pricesAt(prices, timeMs), input)
  const rates = ratesOf(prices, 0)
  return () => rates
}

/** Of several the last one that holds at that time. */
function pricesAt(prices: Model[2], timeMs: number): Prices {
  if (!isList(prices)) return prices
  const iso = new Date(timeMs).toISOString()
  return prices.findLast(({ from, between }) => {
    if (typeof from === 'string') return iso.slice(0, 10) >= from
    if (!Array.isArray(between)) return true
    const [start, end] = between as [string, string]
    const time = `${iso.slice(11, 19)}Z`
    return time >= start && time < end
  })!
}

function isList(prices: Model[2]): prices is readonly Prices[] {
  return Array.isArray(prices)
}

function ratesOf(prices: Prices, input: number): Rates {
  const rates: Partial<Record<keyof Rates, number>> = {}
  for (const [name, amount] of Object.entries(prices)) {
    const rate = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined
    if (rate === undefined) continue
    const dollars = typeof amount === 'number' ? amount : ofTier(amount as readonly number[], input)
    rates[rate] = Math.round(dollars * (name.endsWith('_kcount') ? 1e6 : 1e9))
  }
  return rates
}

/** The whole request has the price of the highest tier that it reaches, as providers charge it. */
function ofTier([base, ...tiers]: readonly number[], input: number): number {
  let price = base!
  for (let at = 0; at + 1 < tiers.length; at += 2) if (input > tiers[at]!) price = tiers[at + 1]!
  return price
}
