import { NotAvailable } from '../contenders/contender.ts'
import { type Metric, type Round, type Scenario, Shortfall } from '../scenarios/scenario.ts'
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

/** Who has not done it in one round at least has failed; rounds in which one fell short are missing from its figures. */
export function resultOf(measured: Measured): Result {
  const { name, scenario, yardstick, ours, rounds } = measured
  const names = [...new Set(rounds.flatMap((round) => [...round.keys()]))]
  const failures = names.flatMap((contender): Failure[] => {
    const found = rounds.map((round) => round.get(contender)).filter((each) => each !== undefined)
    const error = found.findLast((each) => each instanceof Error)
    if (error === undefined || (error instanceof Shortfall && found.some((each) => !(each instanceof Error)))) return []
    return [{ contender, why: error.message, isFault: !(error instanceof NotAvailable) }]
  })
  const sound = names.filter((contender) => !failures.some((failure) => failure.contender === contender))
  const metrics = scenario.metrics.map((metric) => ({
    ...metric,
    rows: sound.flatMap((contender) => rowOf(measured, metric, contender)),
  }))
  return { scenario: name, title: scenario.title, yardstick, ours, failures, metrics }
}

function rowOf({ rounds, yardstick }: Measured, { key, hasNoRatio }: Metric, contender: string): Row[] {
  const found = rounds.map((round) => ({ own: figureOf(round, contender, key), base: figureOf(round, yardstick, key) }))
  const own = found.flatMap((round) => round.own ?? [])
  if (own.length === 0) return []
  const hasRatio = !hasNoRatio && contender !== yardstick && contender !== 'direct'
  const ratios = found.flatMap(({ own, base }) => (own === undefined || base === undefined ? [] : own / base))
  const ratio = hasRatio && ratios.length > 0 ? { ratio: spreadOf(ratios) } : {}
  return [{ contender, rounds: own, figure: spreadOf(own), ...ratio }]
}

function figureOf(round: Round, contender: string, key: string): number | undefined {
  const figures = round.get(contender)
  return figures === undefined || figures instanceof Error ? undefined : figures[key]
}
