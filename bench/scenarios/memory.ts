import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from '../contenders/contender.ts'
import type { Server } from '../contenders/server.ts'
import { ANSWER, eventOrigin, program, smallOrigin, targetOf } from '../load/programs.ts'
import { residentKb } from '../machine/usage.ts'
import { median } from '../report/statistics.ts'
import { type Figures, inTurn, type Scenario } from './scenario.ts'

const SETTLE_MS = 1000
const STREAM_INTERVAL_MS = 100
/** More than fit into the time of a measurement. */
const ENDLESS = 100_000

export const idle: Scenario = {
  title: 'memory of 10 000 idle connections',
  mostRounds: 2,
  metrics: [
    { key: 'each', title: 'KB per connection', digits: 2 },
    { key: 'total', title: 'MB in all', digits: 1 },
  ],
  // The last bytes of the answer: each connection has had its request, and is kept.
  round: inTurn((contender) => measure(smallOrigin, contender, contender.load.idle, ANSWER.slice(-20), false)),
}

export const streams: Scenario = {
  title: 'memory of 1000 open streams × 10 events/s',
  mostRounds: 2,
  metrics: [
    { key: 'each', title: 'KB per stream', digits: 2 },
    { key: 'total', title: 'MB in all', digits: 1 },
  ],
  round: inTurn((contender) =>
    measure(() => eventOrigin(ENDLESS, STREAM_INTERVAL_MS), contender, contender.load.streams, 'finish_reason', true),
  ),
}

async function measure(
  startOrigin: () => Promise<Server>,
  contender: Contender,
  count: number,
  until: string,
  isStream: boolean,
): Promise<Figures> {
  await using origin = await startOrigin()
  await using gateway = await contender.start({ originPort: origin.port })
  const target = targetOf(contender.name, contender, gateway.port, origin.port)
  const args = [String(count), until, String(isStream), JSON.stringify(target)]
  await using clients = program('held-connections.ts', args)
  await clients.line()
  const before = residentKb(gateway.pid)
  clients.say('open')
  await clients.line()
  const after = await settled(gateway.pid)
  clients.say('count')
  const held = Number(await clients.line())
  if (held < count) throw new Error(`it closed ${count - held} of ${count} connections`)
  return { each: (after - before) / count, total: after / 1024 }
}

async function settled(pid: number): Promise<number> {
  await sleep(SETTLE_MS)
  const samples: number[] = []
  for (let i = 0; i < 5; i++) {
    samples.push(residentKb(pid))
    await sleep(100)
  }
  return median(samples)
}
