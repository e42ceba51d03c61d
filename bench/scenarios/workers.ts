import { smallOrigin } from '../load/programs.ts'
import { cpuPerRequest, type PostPlan } from './posts.ts'
import { inTurn, type Scenario } from './scenario.ts'

const PLAN: PostPlan = { origin: smallOrigin, load: 'worker', contentBytes: 230 }

/** What they share must not cost more than it brings: locks, lines of memory that both write to, a log of one writer. */
export const workers: Scenario = {
  title: 'one worker at 6000/s, and two at 12 000/s',
  metrics: [
    { key: 'one', title: 'CPU µs, one worker', digits: 1 },
    { key: 'two', title: 'CPU µs, two workers', digits: 1 },
    { key: 'twoOverOne', title: 'two over one', digits: 2 },
  ],
  round: inTurn(async (contender, times) => {
    // Where there are no two, there is nothing to compare.
    const two = await cpuPerRequest(contender, { ...PLAN, workers: 2 }, times)
    const one = await cpuPerRequest(contender, { ...PLAN, workers: 1 }, times)
    return { one, two, twoOverOne: two / one }
  }),
}
