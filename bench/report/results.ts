import type { Metric, Round, Scenario } from '../scenarios/scenario.ts'
import { type Spread, spreadOf } from './statistics.ts'

export interface Row {
  readonly contender: string
  readonly rounds: readonly number[]
  readonly figure: Spread
  /** To the yardstick in the same round. */
  readonly ratio?: Spread
  readonly target?: { readonly text: string; readonly isMet: boolean }
}

export interface Failure {
  readonly contender: string
  readonly failed: string
}

export interface Result {
  readonly scenario: string
  readonly title: string
  readonly yardstick: string
  readonly failures: readonly Failure[]
  readonly metrics: readonly { readonly title: string; readonly digits: number; readonly rows: readonly Row[] }[]
}

export interface Measured {
  readonly name: string
  readonly scenario: Scenario
  readonly yardstick: string
  /** Whose figures the targets are for. */
  readonly ours: string
  readonly rounds: readonly Round[]
}

export function resultOf(measured: Measured): Result {
  const { name, scenario, yardstick, rounds } = measured
  const names = [...new Set(rounds.flatMap((round) => [...round.keys()]))]
  const failures = names.flatMap((contender): Failure[] => {
    const error = rounds.map((round) => round.get(contender)).find((found) => found instanceof Error)
    return error === undefined ? [] : [{ contender, failed: error.message }]
  })
  const sound = names.filter((contender) => !failures.some((failure) => failure.contender === contender))
  const metrics = scenario.metrics.map((metric) => ({
    title: metric.title,
    digits: metric.digits,
    rows: sound.flatMap((contender) => rowOf(measured, metric, contender)),
  }))
  return { scenario: name, title: scenario.title, yardstick, failures, metrics }
}

function rowOf({ rounds, yardstick, ours }: Measured, metric: Metric, contender: string): Row[] {
  const of = (name: string): number[] =>
    rounds.flatMap((round) => {
      const figures = round.get(name)
      return figures === undefined || figures instanceof Error ? [] : (figures[metric.key] ?? [])
    })
  const own = of(contender)
  if (own.length === 0) return []
  const base = of(yardstick)
  const figure = spreadOf(own)
  const hasRatio = contender !== yardstick && contender !== 'direct' && base.length === own.length
  const { target } = metric
  const judged =
    target !== undefined && contender === ours
      ? { text: target.text, isMet: target.isMet(figure.median, base.length > 0 ? spreadOf(base).median : undefined) }
      : undefined
  return [
    {
      contender,
      rounds: own,
      figure,
      ...(hasRatio ? { ratio: spreadOf(own.map((value, round) => value / base[round]!)) } : {}),
      ...(judged ? { target: judged } : {}),
    },
  ]
}
