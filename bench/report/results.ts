import { NotAvailable } from '../contenders/contender.ts'
import type { Metric, Round, Scenario } from '../scenarios/scenario.ts'
import { type Spread, spreadOf } from './statistics.ts'

export interface Row {
  readonly contender: string
  readonly rounds: readonly number[]
  readonly figure: Spread
  /** To the yardstick in the same round. */
  readonly ratio?: Spread
}

export interface Failure {
  readonly contender: string
  readonly why: string
  /** Or else it cannot do that at all. */
  readonly isFault: boolean
}

export interface Result {
  readonly scenario: string
  readonly title: string
  readonly yardstick: string
  /** Whose figures the targets are for. */
  readonly ours: string
  readonly failures: readonly Failure[]
  readonly metrics: readonly (Metric & { readonly rows: readonly Row[] })[]
}

export interface Measured {
  readonly name: string
  readonly scenario: Scenario
  readonly yardstick: string
  readonly ours: string
  readonly rounds: readonly Round[]
}

export function resultOf(measured: Measured): Result {
  const { name, scenario, yardstick, ours, rounds } = measured
  const names = [...new Set(rounds.flatMap((round) => [...round.keys()]))]
  const failures = names.flatMap((contender): Failure[] => {
    const error = rounds.map((round) => round.get(contender)).find((found) => found instanceof Error)
    return error === undefined ? [] : [{ contender, why: error.message, isFault: !(error instanceof NotAvailable) }]
  })
  const sound = names.filter((contender) => !failures.some((failure) => failure.contender === contender))
  const metrics = scenario.metrics.map((metric) => ({
    ...metric,
    rows: sound.flatMap((contender) => rowOf(measured, metric, contender)),
  }))
  return { scenario: name, title: scenario.title, yardstick, ours, failures, metrics }
}

function rowOf({ rounds, yardstick }: Measured, metric: Metric, contender: string): Row[] {
  const of = (name: string): number[] =>
    rounds.flatMap((round) => {
      const figures = round.get(name)
      return figures === undefined || figures instanceof Error ? [] : (figures[metric.key] ?? [])
    })
  const own = of(contender)
  if (own.length === 0) return []
  const base = of(yardstick)
  const hasRatio = contender !== yardstick && contender !== 'direct' && base.length === own.length
  const ratios = hasRatio ? { ratio: spreadOf(own.map((value, round) => value / base[round]!)) } : {}
  return [{ contender, rounds: own, figure: spreadOf(own), ...ratios }]
}
