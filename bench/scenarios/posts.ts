import type { Contender } from '../contenders/contender.ts'
import { fluxgate } from '../contenders/fluxgate.ts'
import type { Server } from '../contenders/server.ts'
import { contentOrigin, smallOrigin, targetOf } from '../load/programs.ts'
import { wrk } from '../load/wrk.ts'
import { cpuSeconds } from '../machine/usage.ts'
import { type Figures, inTurn, type Scenario } from './scenario.ts'

const WARM_UP_SECONDS = 1
const SECONDS = 3
const SMALL = 230
const LARGE = 512 * 1024
const MEGABYTE = 1024 * 1024

export const post: Scenario = {
  title: 'small POST (230 bytes), 64 connections',
  needsWrk: true,
  metrics: [
    { key: 'cpu', title: 'CPU µs per request', digits: 1 },
    { key: 'rate', title: 'requests per second', digits: 0 },
  ],
  round: inTurn((contender) => measure(smallOrigin, contender, contender.load.post, SMALL)),
}

export const upload: Scenario = {
  title: 'POST of 512 KB, 16 connections',
  needsWrk: true,
  metrics: [
    { key: 'cpuPerMegabyte', title: 'CPU µs per MB', digits: 0 },
    { key: 'cpu', title: 'CPU µs per request', digits: 0 },
  ],
  round: inTurn(async (contender) => {
    const figures = await measure(contentOrigin, contender, contender.load.upload, LARGE)
    return { ...figures, cpuPerMegabyte: (figures['cpu']! * MEGABYTE) / LARGE }
  }),
}

const [OFF, ON] = ['log off', 'log on']

export const log: Scenario = {
  title: 'Fluxgate with a record for each request and without, small POST',
  needsWrk: true,
  metrics: [
    {
      key: 'cpu',
      title: 'CPU µs per request',
      digits: 1,
      target: { text: 'on/off ≤ 1.10', isMet: (on, off) => off !== undefined && on / off <= 1.1 },
    },
  ],
  between: { contenders: () => [fluxgate(ON, 'trace'), fluxgate(OFF, 'warn')], ours: ON, yardstick: OFF },
  round: inTurn((contender) => measure(smallOrigin, contender, contender.load.post, SMALL)),
}

async function measure(
  startOrigin: () => Promise<Server>,
  contender: Contender,
  connections: number,
  contentBytes: number,
): Promise<Figures> {
  await using origin = await startOrigin()
  await using gateway = await contender.start(origin.port)
  const target = targetOf(contender.name, contender, gateway.port, origin.port)
  await wrk(target, { connections, contentBytes, seconds: WARM_UP_SECONDS })
  const before = cpuSeconds(gateway.pid)
  const requests = await wrk(target, { connections, contentBytes, seconds: SECONDS })
  const used = cpuSeconds(gateway.pid) - before
  return { cpu: (used / requests) * 1e6, rate: requests / SECONDS }
}
