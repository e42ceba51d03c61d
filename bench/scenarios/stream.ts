import { type Contender, direct, FULL_LOAD } from '../contenders/contender.ts'
import { eventOrigin, program, targetOf } from '../load/programs.ts'
import type { Target } from '../load/request.ts'
import { meter } from '../machine/usage.ts'
import { percentile } from '../report/statistics.ts'
import { readsUsage } from './posts.ts'
import { attempt, type Figures, inTurn, type Scenario, Shortfall, type Times } from './scenario.ts'
import { OTHERS, type Trial, undisturbed } from './undisturbed.ts'

const INTERVAL_MS = 10
const EVENTS = 100
const CPU = { key: 'cpu', title: 'CPU µs per event', digits: 1 }

function measureEach(isTls: boolean, coding: '' | 'gzip' = ''): Scenario['round'] {
  return inTurn((contender, times) => undisturbed(contender.name, () => measure(contender, isTls, coding, times)))
}

async function measure(contender: Contender, isTls: boolean, coding: '' | 'gzip', times: Times): Promise<Trial> {
  await using origin = await eventOrigin(EVENTS, INTERVAL_MS, isTls, coding)
  await using gateway = await contender.start({ originPort: origin.port, isTls })
  const target = targetOf(contender.name, contender, gateway.port, origin.port)
  const { stream, tlsStream } = contender.load
  let used = meter(gateway.pid)
  const { events, ...lateness } = await read(target, isTls || coding !== '' ? tlsStream : stream, coding, times, () => {
    used = meter(gateway.pid)
  })
  const { cpuSeconds, foreignShare } = used()
  return { figures: { cpu: (cpuSeconds / events) * 1e6, ...lateness }, foreignShare }
}

export const stream: Scenario = {
  title: 'streamed events, 200 streams × 100/s',
  metrics: [
    CPU,
    { key: 'late50', title: 'lateness p50, ms', digits: 2 },
    { key: 'late99', title: 'lateness p99, ms', digits: 2 },
    OTHERS,
  ],
  round: async (contenders, times) => {
    const straight = await attempt(() => readStraight(times))
    return new Map([['direct', straight], ...(await measureEach(false)(contenders, times))])
  },
}

/** Half as many: the origin, on the core of the load, encrypts each. */
export const tlsStream: Scenario = {
  title: 'TLS to the upstream: streamed events, 100 streams × 100/s',
  metrics: [CPU, OTHERS],
  round: measureEach(true),
}

export const usageStream: Scenario = {
  title: 'streamed events, with usage and without',
  metrics: [CPU, OTHERS],
  between: readsUsage,
  round: measureEach(false),
}

/** Half as many: the origin compresses each event by itself. */
export const usageGzip: Scenario = {
  title: "gzip'd streamed events, 100 streams × 100/s, with usage and without",
  metrics: [CPU, OTHERS],
  between: readsUsage,
  round: measureEach(false, 'gzip'),
}

async function readStraight(times: Times): Promise<Figures> {
  await using origin = await eventOrigin(EVENTS, INTERVAL_MS)
  const { late50, late99 } = await read(
    targetOf('direct', direct, origin.port, origin.port),
    FULL_LOAD.stream,
    '',
    times,
  )
  return { late50, late99 }
}

interface Read {
  readonly events: number
  readonly late50: number
  readonly late99: number
}

async function read(
  target: Target,
  streams: number,
  coding: '' | 'gzip',
  { seconds }: Times,
  onCounting = (): void => {},
): Promise<Read> {
  await using clients = program('event-clients.ts', [String(streams), String(seconds), JSON.stringify(target), coding])
  await clients.line()
  onCounting()
  const { events, lateness } = JSON.parse(await clients.line()) as { events: number; lateness: number[] }
  // A stream pauses between two requests, and the origin's clock slips under load: some are always missing.
  const expected = (streams * seconds * 1000) / INTERVAL_MS
  if (events < expected * 0.7) throw new Shortfall(`only ${events} of ${expected} events came`)
  const [late50, late99] = [percentile(lateness, 0.5) / 1000, percentile(lateness, 0.99) / 1000]
  return { events, late50, late99 }
}
