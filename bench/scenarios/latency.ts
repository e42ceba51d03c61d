import { direct } from '../contenders/contender.ts'
import type { FolderServer } from '../contenders/server.ts'
import { program, smallOrigin, targetOf } from '../load/programs.ts'
import { percentile } from '../report/statistics.ts'
import { attempt, type Figures, type Round, type Scenario } from './scenario.ts'

const INTERVAL_MICROS = 2000
/** All contenders are asked in one program. */
const PATIENCE_SECONDS = 180
const SHARES = { 50: 0.5, 99: 0.99, 999: 0.999 } as const

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
    { key: 'trip999', title: 'round trip p99.9, µs', digits: 0 },
    { key: 'added50', title: 'added p50, µs', digits: 0 },
    { key: 'added99', title: 'added p99, µs', digits: 0 },
    { key: 'added999', title: 'added p99.9, µs', digits: 0 },
  ],
  // All run at once, each idle while the others are asked: what disturbs the machine for a moment meets them all.
  round: async (contenders, { samples }) => {
    const round = new Map<string, Figures | Error>()
    const servers: FolderServer[] = []
    const probed = await attempt(async () => {
      await using origin = await smallOrigin()
      const targets = [targetOf('direct', direct, origin.port, origin.port)]
      try {
        for (const contender of contenders) {
          const server = await attempt(() => contender.start({ originPort: origin.port }))
          if (server instanceof Error) {
            round.set(contender.name, server)
          } else {
            servers.push(server)
            targets.push(targetOf(contender.name, contender, server.port, origin.port))
          }
        }
        await using prober = program('prober.ts', [String(samples), String(INTERVAL_MICROS), JSON.stringify(targets)])
        return JSON.parse(await prober.line()) as Probed[]
      } finally {
        for (const server of servers) await server[Symbol.asyncDispose]()
      }
    }, PATIENCE_SECONDS)
    if (probed instanceof Error) return new Map(contenders.map(({ name }) => [name, probed]))
    return new Map([...round, ...compare(probed)])
  },
}

function compare(probed: readonly Probed[]): Round {
  const [straight, ...through] = probed
  const base = trips(straight!.micros)
  const round = new Map<string, Figures | Error>([['direct', named('trip', base)]])
  for (const { name, micros, error } of through) {
    const added = trips(micros).map((micros, i) => micros - base[i]!)
    round.set(name, error === undefined ? named('added', added) : new Error(error))
  }
  return round
}

function trips(micros: readonly number[]): number[] {
  return Object.values(SHARES).map((share) => percentile(micros, share))
}

function named(prefix: string, figures: readonly number[]): Figures {
  return Object.fromEntries(Object.keys(SHARES).map((share, i) => [prefix + share, figures[i]!]))
}
