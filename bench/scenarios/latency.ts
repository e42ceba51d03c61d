import { direct } from '../contenders/contender.ts'
import type { FolderServer } from '../contenders/server.ts'
import { program, smallOrigin, targetOf } from '../load/programs.ts'
import { percentile } from '../report/statistics.ts'
import { attempt, type Figures, type Round, type Scenario } from './scenario.ts'

const SAMPLES = 1500
const INTERVAL_MICROS = 2000

interface Probed {
  readonly name: string
  readonly micros: number[]
  readonly error?: string
}

export const latency: Scenario = {
  title: 'latency of a small POST, one at a time, 500/s',
  metrics: [
    { key: 'trip50', title: 'round trip p50, µs', digits: 0 },
    { key: 'trip99', title: 'round trip p99, µs', digits: 0 },
    { key: 'added50', title: 'added p50, µs', digits: 0 },
    { key: 'added99', title: 'added p99, µs', digits: 0 },
  ],
  // All run at once, each idle while the others are asked: what disturbs the machine for a moment meets them all.
  round: async (contenders) => {
    const round = new Map<string, Figures | Error>()
    const servers: FolderServer[] = []
    const probed = await attempt(async () => {
      await using origin = await smallOrigin()
      const targets = [targetOf('direct', direct, origin.port, origin.port)]
      try {
        for (const contender of contenders) {
          const server = await attempt(() => contender.start(origin.port))
          if (server instanceof Error) {
            round.set(contender.name, server)
          } else {
            servers.push(server)
            targets.push(targetOf(contender.name, contender, server.port, origin.port))
          }
        }
        await using prober = program('prober.ts', [String(SAMPLES), String(INTERVAL_MICROS), JSON.stringify(targets)])
        return JSON.parse(await prober.line()) as Probed[]
      } finally {
        for (const server of servers) await server[Symbol.asyncDispose]()
      }
    })
    if (probed instanceof Error) return new Map(contenders.map(({ name }) => [name, probed]))
    return new Map([...round, ...compare(probed)])
  },
}

function compare(probed: readonly Probed[]): Round {
  const [straight, ...through] = probed
  const trip50 = percentile(straight!.micros, 0.5)
  const trip99 = percentile(straight!.micros, 0.99)
  const round = new Map<string, Figures | Error>([['direct', { trip50, trip99 }]])
  for (const { name, micros, error } of through) {
    const added50 = percentile(micros, 0.5) - trip50
    const added99 = percentile(micros, 0.99) - trip99
    round.set(name, error === undefined ? { added50, added99 } : new Error(error))
  }
  return round
}
