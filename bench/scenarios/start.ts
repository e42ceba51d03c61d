import { setTimeout as sleep } from 'node:timers/promises'
import { type Contender, NotAvailable } from '../contenders/contender.ts'
import { smallOrigin } from '../load/programs.ts'
import { residentSetKb } from '../machine/usage.ts'
import { type Figures, inTurn, type Scenario } from './scenario.ts'

const SETTLE_MS = 1000

/** As an operator sees it: the process is started, and somebody is let in. Memory is that of a process that has done nothing yet. */
export const start: Scenario = {
  title: 'from the start to the first connection, and the memory then',
  metrics: [
    { key: 'ms', title: 'ms, one worker', digits: 0 },
    { key: 'msOfTwo', title: 'ms, two workers', digits: 0 },
    { key: 'megabytes', title: 'MB (RSS)', digits: 1 },
    { key: 'further', title: 'MB per further worker', digits: 1 },
  ],
  round: inTurn(async (contender) => {
    await using origin = await smallOrigin()
    const one = await startOnce(contender, origin.port, 1)
    try {
      const two = await startOnce(contender, origin.port, 2)
      return { ...one, msOfTwo: two['ms']!, further: two['megabytes']! - one['megabytes']! }
    } catch (error) {
      if (error instanceof NotAvailable) return one
      throw error
    }
  }),
}

async function startOnce(contender: Contender, originPort: number, workers: number): Promise<Figures> {
  await using gateway = await contender.start({ originPort, workers })
  await sleep(SETTLE_MS)
  return { ms: gateway.startMs, megabytes: residentSetKb(gateway.pid) / 1024 }
}
