/** What a thread that serves counts of tokens and their cost. */
import type { Usage } from '../llm/usage.ts'
import { addToTextSet } from '../runtime/text-set.ts'
import { FAMILIES } from './families.ts'
import { add, type Counted, observe, type Series } from './series.ts'

const FIRST_TOKEN_BOUNDS = FAMILIES.fluxgate_time_to_first_token_seconds.bounds!
const RATE_BOUNDS = FAMILIES.fluxgate_output_tokens_per_second.bounds!

export type Tokens = Pick<
  Usage,
  'inputTokens' | 'cachedTokens' | 'cacheWriteTokens' | 'outputTokens' | 'reasoningTokens'
>

/** Of an exchange that has ended. */
export interface Used extends Omit<Usage, 'requestModel' | 'units' | 'tier'> {
  /** From the first content to the end. */
  readonly streamedMs: number | undefined
}

type Kind = 'input' | 'cached' | 'cache_write' | 'output' | 'reasoning'

/** All of one upstream, one model and one key. */
interface ModelCounts {
  readonly kinds: Partial<Record<Kind, Counted>>
  cost: Counted | undefined
}

/** What past the bound of models is counted as. */
const OTHER = 'other'

export class UsageCounts {
  readonly #series: Series
  readonly #models: SharedArrayBuffer
  /** By upstream, key and model. */
  readonly #counts = new Map<string, Map<string, Map<string, ModelCounts>>>()

  /** `models`: a shared set of those that have a label of their own, the same for all threads. */
  constructor(series: Series, models: SharedArrayBuffer) {
    this.#series = series
    this.#models = models
  }

  ended(upstream: string, apiKey: string, used: Used): void {
    const { usage, reason, model, ttftMs, streamedMs, outputTokens, costUsd } = used
    add(this.#series.of('fluxgate_usage_total', upstream, apiKey, usage), 1)
    if (reason !== undefined) add(this.#series.of('fluxgate_usage_unknown_total', reason), 1)
    this.tokens(upstream, apiKey, model, used)
    if (costUsd !== undefined) this.#cost(upstream, apiKey, this.#labelOf(model), Number(costUsd))
    if (ttftMs === undefined) return
    const label = this.#labelOf(model)
    observe(this.#series.of('fluxgate_time_to_first_token_seconds', upstream, label), FIRST_TOKEN_BOUNDS, ttftMs / 1000)
    if (outputTokens === undefined || outputTokens === 0 || streamedMs === undefined || streamedMs <= 0) return
    const rate = outputTokens / (streamedMs / 1000)
    observe(this.#series.of('fluxgate_output_tokens_per_second', upstream, label), RATE_BOUNDS, rate)
  }

  /** Of a whole exchange, or of a part of it. */
  tokens(upstream: string, apiKey: string, model: string | undefined, tokens: Tokens): void {
    const { inputTokens, cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens } = tokens
    if (inputTokens === undefined && outputTokens === undefined) return
    const label = this.#labelOf(model)
    const { kinds } = this.#of(upstream, apiKey, label)
    const count = (kind: Kind, number: number | undefined): void => {
      if (number === undefined || number === 0) return
      add((kinds[kind] ??= this.#series.of('fluxgate_tokens_total', upstream, label, apiKey, kind)), number)
    }
    count('input', inputTokens)
    count('cached', cachedTokens)
    count('cache_write', cacheWriteTokens)
    count('output', outputTokens)
    count('reasoning', reasoningTokens)
  }

  #cost(upstream: string, apiKey: string, label: string, dollars: number): void {
    const counts = this.#of(upstream, apiKey, label)
    add((counts.cost ??= this.#series.of('fluxgate_cost_usd_total', upstream, label, apiKey)), dollars)
  }

  #labelOf(model: string | undefined): string {
    if (model === undefined) return ''
    return this.#known.has(model) || this.#learn(model) ? model : OTHER
  }

  readonly #known = new Set<string>()

  #learn(model: string): boolean {
    if (addToTextSet(this.#models, model) === 'full') return false
    this.#known.add(model)
    return true
  }

  #of(upstream: string, apiKey: string, label: string): ModelCounts {
    const ofUpstream = ofMap(this.#counts, upstream)
    const ofKey = ofMap(ofUpstream, apiKey)
    let counts = ofKey.get(label)
    if (counts === undefined) ofKey.set(label, (counts = { kinds: {}, cost: undefined }))
    return counts
  }

  /** See `Traffic.forget`. */
  forget(label: 'upstream' | 'api_key', gone: ReadonlySet<string>): void {
    if (label === 'upstream') for (const name of gone) this.#counts.delete(name)
    else for (const keys of this.#counts.values()) for (const name of gone) keys.delete(name)
  }
}

function ofMap<Inner>(maps: Map<string, Map<string, Inner>>, name: string): Map<string, Inner> {
  let found = maps.get(name)
  if (found === undefined) maps.set(name, (found = new Map()))
  return found
}

export function addTokens(one: Tokens, other: Tokens): Tokens {
  return eachOf((name) => sum(one[name], other[name]))
}

/** What is left of the former, where some of it has been counted. */
export function tokensWithout(all: Tokens, counted: Tokens): Tokens {
  return eachOf((name) => {
    const whole = all[name]
    return whole === undefined ? undefined : Math.max(0, whole - (counted[name] ?? 0))
  })
}

function eachOf(read: (name: keyof Tokens) => number | undefined): Tokens {
  return {
    inputTokens: read('inputTokens'),
    cachedTokens: read('cachedTokens'),
    cacheWriteTokens: read('cacheWriteTokens'),
    outputTokens: read('outputTokens'),
    reasoningTokens: read('reasoningTokens'),
  }
}

function sum(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : one + other
}
