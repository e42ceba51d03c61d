/** What a ledger says to a question: a line for each group, as every store gives it. */

export interface Line {
  /** Values of what it was asked by, in that order. Absent ones are empty. */
  readonly values: readonly string[]
  readonly requests: number
  /** Not complete, or a status from 400 on. */
  readonly errors: number
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly cacheWriteTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
  readonly costNanoUsd: number
  /** With tokens and without cost. */
  readonly unpriced: number
  /** Usage that is partial or estimated. */
  readonly estimated: number
  readonly unknown: number
  /** Of the time to first token; undefined: no stream was among them. */
  readonly ttftP50Ms: number | undefined
  readonly ttftP95Ms: number | undefined
}

/** What SQL gives: the values of the question as `v0`, `v1`, … */
export type SqlLine = Readonly<Record<string, unknown>>

export function lineOf(row: SqlLine, count: number, percentiles?: readonly [number, number]): Line {
  const number = (name: string): number => Number(row[name] ?? 0)
  const percentile = (value: unknown): number | undefined =>
    value === null || value === undefined || Number.isNaN(Number(value)) ? undefined : Number(value)
  return {
    values: Array.from({ length: count }, (_, index) => String(row[`v${index}`] ?? '')),
    requests: number('requests'),
    errors: number('errors'),
    inputTokens: number('input_tokens'),
    cachedTokens: number('cached_tokens'),
    cacheWriteTokens: number('cache_write_tokens'),
    outputTokens: number('output_tokens'),
    reasoningTokens: number('reasoning_tokens'),
    costNanoUsd: number('cost_nano_usd'),
    unpriced: number('unpriced'),
    estimated: number('estimated'),
    unknown: number('unknown_usage'),
    ttftP50Ms: percentiles?.[0] ?? percentile(row.p50),
    ttftP95Ms: percentiles?.[1] ?? percentile(row.p95),
  }
}
