import { type Figures, type Metric, Shortfall } from './scenario.ts'

/** One measurement, and how much of its time others spent on the contender's core. */
export interface Trial {
  readonly figures: Figures
  /** From 0 to 1. */
  readonly foreignShare: number
}

export const OTHERS: Metric = { key: 'others', title: 'others on its core, %', digits: 0, hasNoRatio: true }

/** Above this share the caches are not the contender's any more either. */
const MOST_FOREIGN = 0.1
const TRIALS = 2

/** Measures again where others were in the way; after that the least disturbed one counts, and it is said. */
export async function undisturbed(name: string, measure: () => Promise<Trial>): Promise<Figures> {
  let best: Trial | undefined
  let shortfall: Shortfall | undefined
  for (let trial = 0; trial < TRIALS; trial++) {
    try {
      const found = await measure()
      if (best === undefined || found.foreignShare < best.foreignShare) best = found
      if (best.foreignShare <= MOST_FOREIGN) return figuresOf(best)
    } catch (error) {
      if (!(error instanceof Shortfall)) throw error
      shortfall = error
    }
  }
  if (best === undefined) throw shortfall
  console.error(`bench: ${name}: others had ${Math.round(best.foreignShare * 100)} % of its core, at the least`)
  return figuresOf(best)
}

function figuresOf({ figures, foreignShare }: Trial): Figures {
  return { ...figures, [OTHERS.key]: foreignShare * 100 }
}
