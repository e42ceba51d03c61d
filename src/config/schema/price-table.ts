/**
 * A table of public prices as it stands in a file: Fluxgate's own (config/prices.json) and what `fluxgate prices update` writes. It may
 * come from the network, and its patterns are tried on names that clients send: so all of it is judged before any of it counts.
 */

export type Match =
  | readonly string[]
  | { readonly or: readonly Match[] }
  | { readonly and: readonly Match[] }
  | { readonly equals: string }
  | { readonly starts_with: string }
  | { readonly ends_with: string }
  | { readonly contains: string }
  | { readonly regex: string }

/** Dollars: for a million tokens, a thousand requests. `[base, above, price, …]` has tiers by tokens of input. */
export type Amount = number | readonly number[]
/** `from` is a day from which they hold, `between` two times of each day. */
export type Prices = Readonly<Record<string, Amount | string | readonly string[]>>
export type PricedModel = readonly [id: string, match: Match, prices: Prices | readonly Prices[]]

export interface PricedProvider {
  readonly id: string
  /** A pattern at the beginning of its URLs. */
  readonly host: string
  /** Whose models it has as well. */
  readonly like: readonly string[]
  readonly models: readonly PricedModel[]
}

export interface PriceTableText {
  readonly version: string
  readonly providers: readonly PricedProvider[]
}

/** The public one has 0.2 MB. */
export const MAX_TABLE_BYTES: number = 8 * 1024 * 1024

const MAX_PROVIDERS = 1_000
const MAX_MODELS = 50_000
const MAX_PARTS = 200
const MAX_DEPTH = 4
const MAX_DOLLARS = 1_000_000
const TEXT = /^[^\p{C}]{1,200}$/u
const NAME = /^[\w.-]{1,64}$/
const PRICE_NAME = /^[a-z][a-z0-9_]{0,63}$/
const DAY = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/
const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/
const TESTS: ReadonlySet<string> = new Set(['equals', 'starts_with', 'ends_with', 'contains'])

class Wrong extends Error {}

/** The table, or what is wrong with it. */
export function judgePriceTable(text: string): PriceTableText | string {
  let table: unknown
  try {
    table = JSON.parse(text)
  } catch {
    return 'is no JSON, or not all of it'
  }
  try {
    checkTable(table)
    return table
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    return error.message
  }
}

function ensure(isRight: boolean, message: string): asserts isRight {
  if (!isRight) throw new Wrong(message)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && TEXT.test(value)
}

function hasExactly<T extends string>(value: unknown, ...names: T[]): value is Record<T, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name))
}

function isList(value: unknown, most: number): value is unknown[] {
  return Array.isArray(value) && value.length <= most
}

function checkTable(table: unknown): asserts table is PriceTableText {
  ensure(
    hasExactly(table, 'version', 'providers') && isText(table.version),
    'is no price table: version and providers are wanted',
  )
  ensure(isList(table.providers, MAX_PROVIDERS) && table.providers.length > 0, 'has no list of providers')
  let models = 0
  for (const [index, provider] of table.providers.entries()) models += checkProvider(provider, `providers[${index}]`)
  ensure(models > 0, 'has no models')
  ensure(models <= MAX_MODELS, `has more than ${MAX_MODELS} models`)
}

function checkProvider(provider: unknown, place: string): number {
  ensure(hasExactly(provider, 'id', 'host', 'like', 'models'), `${place}: is no provider`)
  ensure(typeof provider.id === 'string' && NAME.test(provider.id), `${place}: has no name of its own`)
  ensure(isHarmless(provider.host), `${place}.host: is no pattern that can be tried`)
  ensure(isList(provider.like, MAX_PROVIDERS) && provider.like.every(isText), `${place}.like: is no list of providers`)
  ensure(isList(provider.models, MAX_MODELS), `${place}.models: is no list`)
  for (const [index, model] of provider.models.entries()) checkModel(model, `${place}.models[${index}]`)
  return provider.models.length
}

function checkModel(model: unknown, place: string): void {
  ensure(isList(model, 3) && model.length === 3 && isText(model[0]), `${place}: is no model`)
  const [, match, prices] = model
  checkMatch(match, place, 0)
  if (!Array.isArray(prices)) {
    checkPrices(prices, place)
    return
  }
  ensure(prices.length > 0 && prices.length <= MAX_PARTS, `${place}: has no prices`)
  for (const each of prices) checkPrices(each, place)
}

function checkMatch(match: unknown, place: string, depth: number): void {
  ensure(depth <= MAX_DEPTH && typeof match === 'object' && match !== null, `${place}: nothing says what it is for`)
  if (Array.isArray(match)) {
    ensure(match.length <= MAX_PARTS && match.every(isText), `${place}: is for names that are none`)
    return
  }
  const [[kind, value] = ['', undefined], ...others] = Object.entries(match)
  ensure(others.length === 0, `${place}: says twice what it is for`)
  if (kind === 'or' || kind === 'and') {
    ensure(isList(value, MAX_PARTS), `${place}.${kind}: is no list`)
    for (const part of value) checkMatch(part, place, depth + 1)
  } else if (kind === 'regex') ensure(isHarmless(value), `${place}.regex: is no pattern that can be tried`)
  else ensure(TESTS.has(kind) && isText(value), `${place}: nothing known says what it is for`)
}

function checkPrices(prices: unknown, place: string): void {
  ensure(typeof prices === 'object' && prices !== null && !Array.isArray(prices), `${place}: has no prices`)
  const entries = Object.entries(prices)
  ensure(entries.length <= MAX_PARTS, `${place}: has too many prices`)
  for (const [name, amount] of entries) {
    if (name === 'from') ensure(typeof amount === 'string' && DAY.test(amount), `${place}.from: is no day`)
    else if (name === 'between') {
      const isRight = isList(amount, 2) && amount.length === 2
      ensure(isRight && amount.every((time) => TIME.test(String(time))), `${place}.between: is no two times`)
    } else {
      ensure(PRICE_NAME.test(name), `${place}: has a price without a name`)
      ensure(isAmount(amount), `${place}.${name}: must be dollars from 0 to ${MAX_DOLLARS}`)
    }
  }
}

function isAmount(amount: unknown): boolean {
  if (!Array.isArray(amount)) return isDollars(amount)
  if (amount.length % 2 !== 1 || amount.length > MAX_PARTS) return false
  return amount.every((value, at) => (at % 2 === 0 ? isDollars(value) : Number.isSafeInteger(value) && value >= 0))
}

function isDollars(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= MAX_DOLLARS
}

const MAX_PATTERN_LENGTH = 200
/** Each may be tried at each place of a text: with two of them that is the square of its length. */
const MAX_REPETITIONS = 2
/** Each may double what is tried. */
const MAX_CHOICES = 8
/** What is none of the regular expression's own marks: classes and what is escaped. */
const LITERAL = /\\.|\[(?:\\.|[^\]\\])*\]/gs

/** A regular expression that nobody's text can keep busy: what repeats itself has nothing in it that does, and refers to nothing. */
function isHarmless(pattern: unknown): boolean {
  if (!isText(pattern) || pattern.length > MAX_PATTERN_LENGTH || /\\[1-9k]/.test(pattern)) return false
  const marks = pattern.replace(LITERAL, 'x')
  if (/\)[*+{]/.test(marks)) return false
  const count = (mark: RegExp): number => marks.match(mark)?.length ?? 0
  if (count(/[*+]|\{\d*,/g) > MAX_REPETITIONS || count(/\||(?<!\()\?/g) > MAX_CHOICES) return false
  try {
    return new RegExp(pattern) instanceof RegExp
  } catch {
    return false
  }
}
