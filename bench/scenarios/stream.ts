import { type Contender, direct, FULL_LOAD } from '../contenders/contender.ts'
import { eventOrigin, program, targetOf } from '../load/programs.ts'
import type { Target } from '../load/request.ts'
import { cpuSeconds } from '../machine/usage.ts'
import { percentile } from '../report/statistics.ts'
import { attempt, type Figures, inTurn, type Scenario } from './scenario.ts'

const SECONDS = 3
const INTERVAL_MS = 10
const EVENTS = 100

const measureEach = inTurn(async (contender: Contender) => {
  await using origin = await eventOrigin(EVENTS, INTERVAL_MS)
  await using gateway = await contender.start(origin.port)
  const target = targetOf(contender.name, contender, gateway.port, origin.port)
  let before = 0
  const { events, ...lateness } = await read(target, contender.load.stream, () => {
    before = cpuSeconds(gateway.pid)
  })
  const used = cpuSeconds(gateway.pid) - before
  return { cpu: (used / events) * 1e6, ...lateness }
})

export const stream: Scenario = {
  title: 'streamed events, 200 streams × 100/s',
  metrics: [
    { key: 'cpu', title: 'CPU µs per event', digits: 1 },
    { key: 'late50', title: 'lateness p50, ms', digits: 2 },
    {
      key: 'late99',
      title: 'lateness p99, ms',
      digits: 2,
      target: {
        text: '≤ yardstick + 5 ms',
        isMet: (ours, yardstick) => yardstick !== undefined && ours <= yardstick + 5,
      },
    },
  ],
  round: async (contenders) => {
    const straight = await attempt(readStraight)
    return new Map([['direct', straight], ...(await measureEach(contenders))])
  },
}

async function readStraight(): Promise<Figures> {
  await using origin = await eventOrigin(EVENTS, INTERVAL_MS)
  const { late50, late99 } = await read(targetOf('direct', direct, origin.port, origin.port), FULL_LOAD.stream)
  return { late50, late99 }
}

interface Read {
  readonly events: number
  readonly late50: number
  readonly late99: number
}

async function read(target: Target, streams: number, onCounting = (): void => {}): Promise<Read> {
  await using clients = program('event-clients.ts', [String(streams), String(SECONDS), JSON.stringify(target)])
  await clients.line()
  onCounting()
  const { events, lateness } = JSON.parse(await clients.line()) as { events: number; lateness: number[] }
  // A stream pauses between two requests, and the origin's clock slips under load: some are always missing.
  const expected = (streams * SECONDS * 1000) / INTERVAL_MS
  if (events < expected * 0.7) throw new Error(`only ${events} of ${expected} events came`)
  const [late50, late99] = [percentile(lateness, 0.5) / 1000, percentile(lateness, 0.99) / 1000]
  return { events, late50, late99 }
}
