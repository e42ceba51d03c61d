import type { Contender } from '../contenders/contender.ts'
import { stopAll } from '../machine/processes.ts'

export type Figures = Readonly<Record<string, number>>

/** What one round found out about each contender, and `direct` about the origin itself. */
export type Round = ReadonlyMap<string, Figures | Error>

export interface Target {
  readonly text: string
  isMet(ours: number, yardstick: number | undefined): boolean
}

export interface Metric {
  readonly key: string
  readonly title: string
  readonly digits: number
  /** What Fluxgate aims at. */
  readonly target?: Target
}

export interface Scenario {
  readonly title: string
  readonly metrics: readonly Metric[]
  readonly needsWrk?: true
  /** Where figures vary little, fewer rounds do. */
  readonly mostRounds?: number
  /** If not the contenders of the run: those of this scenario, and who is measured by whom. */
  readonly between?: {
    readonly contenders: () => readonly Contender[]
    readonly ours: string
    readonly yardstick: string
  }
  round(contenders: readonly Contender[]): Promise<Round>
}

const PATIENCE_SECONDS = 40

/** A round in which each contender has the machine to itself. */
export function inTurn(measure: (contender: Contender) => Promise<Figures>): Scenario['round'] {
  return async (contenders) => {
    const round = new Map<string, Figures | Error>()
    for (const contender of contenders) round.set(contender.name, await attempt(() => measure(contender)))
    return round
  }
}

/** Whatever goes wrong costs one figure, not the run. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | Error> {
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    // Everything that is waited for is a process, so that this ends the wait.
    stopAll()
  }, PATIENCE_SECONDS * 1000)
  try {
    return await work()
  } catch (error) {
    if (isLate) return new Error(`no result within ${PATIENCE_SECONDS} s`)
    return error instanceof Error ? error : new Error(String(error))
  } finally {
    clearTimeout(timer)
  }
}
