import { resolve } from 'node:path'
import { fluxgate } from '../contenders/fluxgate.ts'
import { nsOf } from '../micro/figures.ts'
import { LOADS, type Load } from '../micro/loads.ts'
import { type Figures, inTurn, type Scenario } from './scenario.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const ROUNDS = 3
const NAME = 'fluxgate'

/** Of Fluxgate alone: nobody else can be taken apart so. */
export const micro: Scenario = {
  title: 'our own JavaScript alone, ns of an exchange or an event',
  metrics: (Object.keys(LOADS) as Load[]).map((key) => ({ key, title: key, digits: 0 })),
  between: { contenders: () => [fluxgate(NAME)], ours: NAME, yardstick: NAME },
  round: inTurn(async () => {
    const figures: Record<string, number> = {}
    for (const load of Object.keys(LOADS) as Load[]) figures[load] = await nsOf(ROOT, load, ROUNDS)
    return figures satisfies Figures
  }),
}
