import type { Result } from './results.ts'

/**
 * What Fluxgate aims at: THE table. It is about the median of all rounds: of its figure, of the ratio of that to the yardstick's
 * in the same round, or of the difference to it.
 */
interface Target {
  readonly scenario: string
  /** Key of the metric. */
  readonly metric: string
  readonly of: 'ratio' | 'figure' | 'difference'
  readonly most: number
  /** Whose figure the ratio is to; to somebody else's it says nothing. */
  readonly to?: string
}

const YARDSTICK = 'nginx'

const TARGETS: readonly Target[] = [
  { scenario: 'post', metric: 'cpu', of: 'ratio', most: 1.25 },
  { scenario: 'field', metric: 'cpu', of: 'ratio', most: 1.45 },
  { scenario: 'stream', metric: 'cpu', of: 'ratio', most: 1.15 },
  { scenario: 'stream', metric: 'late99', of: 'difference', most: 5 },
  { scenario: 'upload', metric: 'cpu', of: 'ratio', most: 0.72 },
  { scenario: 'tls-post', metric: 'cpu', of: 'ratio', most: 1.4 },
  { scenario: 'tls-stream', metric: 'cpu', of: 'ratio', most: 1.25 },
  { scenario: 'tls-upload', metric: 'cpu', of: 'ratio', most: 0.95 },
  { scenario: 'latency', metric: 'added99', of: 'ratio', most: 1.2 },
  { scenario: 'workers', metric: 'twoOverOne', of: 'figure', most: 1.1 },
  { scenario: 'start', metric: 'msOfTwo', of: 'figure', most: 300 },
  { scenario: 'start', metric: 'megabytes', of: 'figure', most: 110 },
  { scenario: 'start', metric: 'further', of: 'figure', most: 15 },
  { scenario: 'idle', metric: 'each', of: 'figure', most: 5 },
  { scenario: 'streams', metric: 'each', of: 'figure', most: 10 },
  { scenario: 'log', metric: 'cpu', of: 'ratio', most: 1.1, to: 'log off' },
  { scenario: 'metrics', metric: 'cpu', of: 'ratio', most: 1.03, to: 'metrics off' },
  { scenario: 'usage-post', metric: 'cpu', of: 'ratio', most: 1.1, to: 'usage off' },
  { scenario: 'usage-stream', metric: 'cpu', of: 'ratio', most: 1.1, to: 'usage off' },
  { scenario: 'usage-upload', metric: 'cpu', of: 'ratio', most: 1.05, to: 'usage off' },
  { scenario: 'usage-gzip', metric: 'cpu', of: 'ratio', most: 1.6, to: 'usage off' },
]

export interface Verdict extends Target {
  readonly title: string
  readonly found?: number
  /** `failed`: it was asked for and Fluxgate did not do it. Without its yardstick a ratio is not measured. */
  readonly state: 'met' | 'missed' | 'failed' | 'not measured'
}

/** One for each target of the scenarios that were run. */
export function judge(results: readonly Result[]): Verdict[] {
  return TARGETS.flatMap((target) => {
    const result = results.find(({ scenario }) => scenario === target.scenario)
    return result === undefined ? [] : [verdict(target, result)]
  })
}

export function isMissed({ state }: Verdict): boolean {
  return state === 'missed' || state === 'failed'
}

function verdict(target: Target, { ours, failures, metrics, yardstick }: Result): Verdict {
  const metric = metrics.find(({ key }) => key === target.metric)!
  const row = metric.rows.find(({ contender }) => contender === ours)
  const base = metric.rows.find(({ contender }) => contender === yardstick)
  const found = {
    ratio: row?.ratio?.median,
    figure: row?.figure.median,
    difference: row === undefined || base === undefined ? undefined : row.figure.median - base.figure.median,
  }[target.of]
  const isComparable = target.of === 'figure' || yardstick === (target.to ?? YARDSTICK)
  if (found !== undefined && isComparable)
    return { ...target, title: metric.title, found, state: found <= target.most ? 'met' : 'missed' }
  const isFault = failures.some(({ contender, isFault }) => contender === ours && isFault)
  return { ...target, title: metric.title, state: isFault ? 'failed' : 'not measured' }
}
