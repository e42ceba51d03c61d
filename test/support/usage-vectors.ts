import { readFileSync } from 'node:fs'
import type { FieldOf } from '../../src/llm/dialect.ts'
import { dollars, type Usage } from '../../src/llm/usage.ts'

/** An exchange of `test/vectors/usage.json`. */
export interface UsageCase {
  readonly id: string
  readonly dialect: string
  /** The prefix below which it is played. */
  readonly upstream?: string
  readonly method?: string
  readonly target: string
  readonly request_type?: string
  readonly request?: Body
  readonly status?: number
  readonly fields?: readonly (readonly [string, string])[]
  readonly body?: Body
  readonly pieces?: readonly Body[]
  readonly expect: Readonly<Record<string, unknown>>
  readonly tags?: readonly string[]
  readonly kind?: 'ws'
  readonly deflate?: boolean
  readonly frames?: readonly Readonly<Record<string, unknown>>[]
}

export type Body = string | { readonly b64: string } | { readonly rep: string; readonly n: number } | readonly Body[]

export const usageCases: readonly UsageCase[] = JSON.parse(
  readFileSync(new URL('../vectors/usage.json', import.meta.url), 'utf8'),
).cases

export function bytesOf(body: Body | undefined): Buffer {
  if (body === undefined) return Buffer.alloc(0)
  if (typeof body === 'string') return Buffer.from(body)
  if ('b64' in body) return Buffer.from(body.b64, 'base64')
  if ('rep' in body) return Buffer.from(body.rep.repeat(body.n))
  return Buffer.concat(body.map(bytesOf))
}

export function answerOf({ body, pieces }: UsageCase): Buffer {
  return pieces === undefined ? bytesOf(body) : bytesOf(pieces)
}

export function fieldsOf({ fields = [] }: UsageCase, more: Readonly<Record<string, string>> = {}): FieldOf {
  return (name) => more[name] ?? fields.find(([one]) => one.toLowerCase() === name)?.[1]
}

const NAMES = {
  model: 'model',
  request_model: 'requestModel',
  input_tokens: 'inputTokens',
  cached_tokens: 'cachedTokens',
  cache_write_tokens: 'cacheWriteTokens',
  output_tokens: 'outputTokens',
  reasoning_tokens: 'reasoningTokens',
  usage: 'usage',
} as const

/** What is wrong with this result, in a line each. A price that only a table knows is left out. */
export function faultsOf({ expect }: UsageCase, usage: Usage): string[] {
  const faults: string[] = []
  for (const [name, key] of Object.entries(NAMES)) {
    const got = usage[key]
    const wanted = expect[name]
    if (name.endsWith('_tokens') && got !== undefined && !(Number.isSafeInteger(got) && (got as number) >= 0)) {
      faults.push(`${name}: ${got} is no count`)
    }
    if (!isWanted(name, got, wanted, usage)) faults.push(`${name}: ${got} instead of ${JSON.stringify(wanted)}`)
  }
  const cost = expect['cost_usd']
  if (usage.costUsd !== undefined) {
    if (!/^\d+(?:\.\d{1,9})?$/.test(usage.costUsd) || dollars(Number(usage.costUsd)) !== usage.costUsd) {
      faults.push(`cost_usd: ${usage.costUsd} is no amount`)
    }
    const all = Array.isArray(cost) ? cost : [cost]
    if (cost !== undefined && cost !== 'nonnegative' && !all.includes('?') && !all.includes(usage.costUsd)) {
      faults.push(`cost_usd: ${usage.costUsd} instead of ${JSON.stringify(cost)}`)
    }
  }
  return faults
}

function isWanted(name: string, got: unknown, wanted: unknown, usage: Usage): boolean {
  if (wanted === undefined || wanted === '?') return true
  if (Array.isArray(wanted)) return wanted.some((one) => isWanted(name, got, one, usage))
  if (wanted === null) return got === undefined || (name === 'request_model' && got === usage.model)
  if (wanted === 0 && /^(?:cached|cache_write|reasoning)_/.test(name)) return got === undefined || got === 0
  return got === wanted
}
