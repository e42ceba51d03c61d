/**
 * What an exchange has used, in the words of the request's record: totals, and parts of them. `inputTokens` and `outputTokens`
 * are totals whatever the provider's own words mean; cached, written and reasoning tokens are parts of them.
 */
export interface Usage {
  /** As the answer names it, else as the request does. */
  readonly model: string | undefined
  /** As the request or its path names it, where that differs from `model`. */
  readonly requestModel: string | undefined
  readonly inputTokens: number | undefined
  readonly cachedTokens: number | undefined
  readonly cacheWriteTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly reasoningTokens: number | undefined
  /** The provider's own figure: dollars, a decimal with at most 9 places. */
  readonly costUsd: string | undefined
  /** What is billed otherwise than by token, or at another price than its kind: see `UnitName`. */
  readonly units: Units | undefined
  /** The provider's word for a class of service with a price of its own (`batch`, `flex`, `priority`, `standard`). */
  readonly tier: string | undefined
  readonly usage: UsageState
  /** From the request to the first event of a stream that has content. */
  readonly ttftMs: number | undefined
  /** Why it is `unknown`, or `partial` of a tunnel that could not be read to its end. */
  readonly reason: UnknownReason | undefined
}

/** Nobody has looked, since nothing could be seen. */
export const UNUSED: Usage = {
  ...{ model: undefined, requestModel: undefined, inputTokens: undefined, cachedTokens: undefined },
  ...{ cacheWriteTokens: undefined, outputTokens: undefined, reasoningTokens: undefined, costUsd: undefined },
  ...{ units: undefined, tier: undefined, ttftMs: undefined, reason: undefined },
  usage: 'none',
}

/** Where something of ours has thrown: made without calling anything else of ours. */
export const BROKEN: Usage = { ...UNUSED, usage: 'unknown', reason: 'bug' }

/** See docs/decisions/0046: how sure the numbers are. */
export type UsageState = 'exact' | 'partial' | 'estimated' | 'none' | 'unknown'

export type UnknownReason =
  /** An exception of ours. */
  | 'bug'
  /** A coding, or several, that nobody here decodes. */
  | 'coding'
  /** Compressed content that does not decompress. */
  | 'corrupt'
  /** More content than is decompressed for one exchange. */
  | 'too_large'
  /** Too many decoders at work, or one that is too far behind. */
  | 'overload'
  /** No JSON where there should be, or frames that are none. */
  | 'malformed'
  /** Something stands where usage should, without one sound count in it. */
  | 'unsound'
  /** The last event is so large that its usage was no longer in sight. */
  | 'out_of_reach'

export type UnitName =
  | 'input_audio_tokens'
  | 'output_audio_tokens'
  | 'input_image_tokens'
  | 'output_image_tokens'
  | 'cache_write_1h_tokens'
  | 'citation_tokens'
  | 'web_search_requests'
  | 'search_units'
  | 'seconds'
  | 'pages'
  | 'images'

export type Units = Readonly<Partial<Record<UnitName, number>>>

/** The numbers alone, as a dialect reads them. */
export interface Counts {
  input: number | undefined
  cached: number | undefined
  cacheWrite: number | undefined
  output: number | undefined
  reasoning: number | undefined
  costUsd: string | undefined
  units: Partial<Record<UnitName, number>> | undefined
  tier: string | undefined
}

export type JsonObject = Readonly<Record<string, unknown>>

export function noCounts(): Counts {
  return {
    input: undefined,
    cached: undefined,
    cacheWrite: undefined,
    output: undefined,
    reasoning: undefined,
    costUsd: undefined,
    units: undefined,
    tier: undefined,
  }
}

export function isSound({ input, output, costUsd, units }: Counts): boolean {
  return input !== undefined || output !== undefined || costUsd !== undefined || units !== undefined
}

/** An integer from 0 to 2^53 - 1; anything else is no count. */
export function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value + 0 : undefined
}

/** What is known of a sum: nothing if no part is, or if it is beyond counting. */
export function sumOf(...parts: readonly (number | undefined)[]): number | undefined {
  let sum: number | undefined
  for (const part of parts) if (part !== undefined) sum = (sum ?? 0) + part
  return countOf(sum)
}

export function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

/** A member of an object's own; what an object inherits is nobody's count. */
export function memberOf(value: unknown, name: string): unknown {
  const object = objectOf(value)
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined
}

export function addUnit(counts: Counts, name: UnitName, value: unknown): void {
  const isAmount = typeof value === 'number' && Number.isFinite(value) && value > 0 && value <= Number.MAX_SAFE_INTEGER
  if (!isAmount) return
  counts.units ??= {}
  counts.units[name] = (counts.units[name] ?? 0) + value
}

/** No part is larger than its whole, so that no price of the rest can be negative. */
export function fitParts(counts: Counts): Counts {
  const { input, cached, cacheWrite, output, reasoning } = counts
  if (input !== undefined) {
    if (cached !== undefined) counts.cached = Math.min(cached, input)
    if (cacheWrite !== undefined) counts.cacheWrite = Math.min(cacheWrite, input - (counts.cached ?? 0))
  }
  if (output !== undefined && reasoning !== undefined) counts.reasoning = Math.min(reasoning, output)
  return counts
}

/** Both together, as the turns of a tunnel add up. */
export function addCounts(one: Counts, other: Counts): Counts {
  const sum: Counts = {
    input: sumOf(one.input, other.input),
    cached: sumOf(one.cached, other.cached),
    cacheWrite: sumOf(one.cacheWrite, other.cacheWrite),
    output: sumOf(one.output, other.output),
    reasoning: sumOf(one.reasoning, other.reasoning),
    costUsd: addDollars(one.costUsd, other.costUsd),
    units: one.units === undefined ? undefined : { ...one.units },
    tier: other.tier ?? one.tier,
  }
  for (const [name, value] of Object.entries(other.units ?? {})) addUnit(sum, name as UnitName, value)
  return sum
}

export function addDollars(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return dollars(Number(one) + Number(other))
}

/** A provider's price as a decimal of at most 9 places: 2.4e-7 is `0.00000024`. What is no amount of money is none. */
export function dollars(value: unknown): string | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return undefined
  return nanoDollars(Math.round(value * 1e9))
}

/** xAI's ticks: 10 000 000 000 are a dollar. */
export function dollarsOfTicks(value: unknown): string | undefined {
  const ticks = countOf(value)
  return ticks === undefined ? undefined : nanoDollars(Math.round(ticks / 10))
}

function nanoDollars(nanos: number): string | undefined {
  if (!Number.isSafeInteger(nanos)) return undefined
  const digits = String(nanos).padStart(10, '0')
  const fraction = digits.slice(-9).replace(/0+$/, '')
  return fraction === '' ? digits.slice(0, -9) : `${digits.slice(0, -9)}.${fraction}`
}

const MAX_MODEL_LENGTH = 256

/** A model's name that may stand in a record: not empty, not long, without control characters. */
export function modelOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > MAX_MODEL_LENGTH) return undefined
  return /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(value) ? undefined : value
}
