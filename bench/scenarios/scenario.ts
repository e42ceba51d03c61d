import type { Contender } from '../contenders/contender.ts'
import { stopAll } from '../machine/processes.ts'

export type Figures = Readonly<Record<string, number>>

/** What one round found out about each contender, and `direct` about the origin itself. */
export type Round = ReadonlyMap<string, Figures | Error>

export interface Metric {
  readonly key: string
  readonly title: string
  readonly digits: number
  /** It says something of the measurement, and nothing of the contender. */
  readonly hasNoRatio?: true
}

/** How long a load lasts, in each round. */
export interface Times {
  readonly warmUpSeconds: number
  readonly seconds: number
  /** Requests of `latency`, to each contender. */
  readonly samples: number
  /** Of the rates of POSTs. */
  readonly share: number
}

export const FULL_TIMES: Times = { warmUpSeconds: 2, seconds: 3, samples: 3_000, share: 1 }
export const QUICK_TIMES: Times = { warmUpSeconds: 1, seconds: 1, samples: 500, share: 1 }

export interface Scenario {
  readonly title: string
  readonly metrics: readonly Metric[]
  /** Where figures vary little, fewer rounds do. */
  readonly mostRounds?: number
  /** If not the contenders of the run: those of this scenario, and who is measured by whom. */
  readonly between?: {
    readonly contenders: () => readonly Contender[]
    readonly ours: string
    readonly yardstick: string
  }
  round(contenders: readonly Contender[], times: Times): Promise<Round>
}

/** The load was not what it should have been: a contender at its limit, or somebody else on its core or that of the load. */
export class Shortfall extends Error {}

const PATIENCE_SECONDS = 60

/** A round in which each contender has the machine to itself. */
export function inTurn(measure: (contender: Contender, times: Times) => Promise<Figures>): Scenario['round'] {
  return async (contenders, times) => {
    const round = new Map<string, Figures | Error>()
    for (const contender of contenders) round.set(contender.name, await attempt(() => measure(contender, times)))
    return round
  }
}

/** Whatever goes wrong costs one figure, not the run. */
export async function attempt<T>(work: () => Promise<T>, patienceSeconds = PATIENCE_SECONDS): Promise<T | Error> {
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    // Everything that is waited for is a process, so that this ends the wait.
    stopAll()
  }, patienceSeconds * 1000)
  try {
    return await work()
  } catch (error) {
    if (isLate) return new Error(`no result within ${patienceSeconds} s`)
    return error instanceof Error ? error : new Error(String(error))
  } finally {
    clearTimeout(timer)
  }
}
