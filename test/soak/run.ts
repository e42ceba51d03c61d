/** `npm run soak [-- --minutes 3] [-- --seed 1] [-- --tls] [-- --metrics]`: everything at once, for minutes. See CONTRIBUTING.md. */
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { parseArgs } from 'node:util'
import { Random } from '../fuzz/random.ts'
import { askAdmin, sumOf } from '../support/admin.ts'
import { CA } from '../support/certificates.ts'
import { DEADLINE_MS, Watch, within } from '../support/deadline.ts'
import { type Footprint, footprint, openDescriptors, REPORTING, untilDescriptors } from '../support/footprint.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import type { RawOrigin } from '../support/raw-end.ts'
import { PemFolder } from '../support/tls-gateway.ts'
import { Client, type Soak } from './client.ts'
import { Ledger } from './ledger.ts'
import { StreamProvider } from './over-http2.ts'
import { Provider } from './provider.ts'
import { configuration, Reloads } from './reloads.ts'
import { scenarios } from './scenarios.ts'
import { startTunnels } from './tunnels.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    tls: { type: 'boolean', default: false },
    // Requests as they are counted are compared with the log; each key of each reload has its series for an hour, so that memory grows.
    metrics: { type: 'boolean', default: false },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
  },
})

/** After each of them all is quiet for a moment, and everything is counted. */
const ROUND_MS = 10_000
const CLIENTS = 40
/** Bytes by which three rounds out of four may leave more live and more resident memory behind than the one before. */
const LIVE_LEAK = 100 * 1024
const RESIDENT_LEAK = 1024 * 1024
/** More of them say nothing new. */
const MOST_PROBLEMS = 100

async function connectTo(port: number, alpn: readonly string[]): Promise<net.Socket> {
  const to = { port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }
  const socket = values.tls ? tls.connect({ ...to, ca: CA, ALPNProtocols: [...alpn] }) : net.connect(to)
  await once(socket, values.tls ? 'secureConnect' : 'connect')
  return socket
}

function hangUp(tunnels: RawOrigin): void {
  for (const { socket } of tunnels.ends) socket.destroy()
  tunnels.ends.length = tunnels.heads.length = 0
}

interface Round {
  readonly exchanges: number
  readonly print: Footprint
}

async function work(client: Client, choice: Random, until: number): Promise<void> {
  const { ledger } = client.soak
  while (performance.now() < until && ledger.problems.length < MOST_PROBLEMS) {
    client.random = new Random(choice.below(2 ** 31))
    const scenario = choice.pick(scenarios)
    try {
      await within(scenario(client), scenario.name, 60_000)
    } catch (error) {
      client.hangUp()
      ledger.problem(`${scenario.name || 'unary'}: ${(error as Error).message}`)
    }
    client.generation = undefined
    client.soak.watch.notice()
  }
  client.hangUp()
}

async function settle(
  { ledger, provider }: Soak,
  hangUps: readonly (() => void)[],
  gateway: RunningGateway,
  descriptors: number,
): Promise<void> {
  await gateway.until(() => gateway.records().length >= ledger.size, 'the last records').catch(() => {})
  const noMoreThan = (limit: number): Promise<void> =>
    untilDescriptors(gateway.pid, limit).catch((error: Error) => ledger.problem(error.message))
  // What is in the pools was in use at the same time.
  await noMoreThan(descriptors + hangUps.length * CLIENTS)
  for (const hangUp of hangUps) hangUp()
  await noMoreThan(descriptors)
  for (const record of gateway.records()) ledger.record(record)
  ledger.settle()
  if (values.metrics) await compareCounts(ledger, gateway)
  provider.plans.clear()
  gateway.forget()
}

/** Requests as they are counted, over all that may have become of them, are as many as records in the log. */
async function compareCounts(ledger: Ledger, gateway: RunningGateway): Promise<void> {
  const { text } = await askAdmin(join(gateway.directory, 'admin.sock'), '/metrics')
  const { recorded } = ledger
  for (const [family, expected] of [
    ['fluxgate_requests_total', recorded],
    ['fluxgate_request_duration_seconds_count', recorded],
    ['fluxgate_log_records_total', recorded],
    ['fluxgate_log_records_dropped_total', 0],
    ['fluxgate_exchanges_in_flight', 0],
  ] as const) {
    const counted = sumOf(text, family)
    if (counted !== expected) ledger.problem(`${family} is ${counted}, and there were ${expected}`)
  }
}

/** What three out of four are no less than. A leak is in every round, what happens once is not. */
const lowerQuartile = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 2] ?? 0
const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(2)

function judgeMemory(ledger: Ledger, rounds: readonly Round[]): void {
  const warm = rounds.slice(Math.floor(rounds.length / 3))
  for (const [what, limit] of [
    ['live', LIVE_LEAK],
    ['resident', RESIDENT_LEAK],
  ] as const) {
    const all = warm.map(({ print }) => print[what])
    const growth = lowerQuartile(all.slice(1).map((value, i) => value - all[i]!))
    console.log(`${what} memory grows by ${(growth / 1024).toFixed(0)} KiB a round`)
    if (growth > limit) ledger.problem(`${what} memory grows: ${all.map(mebibytes)} MiB`)
  }
}

async function soakFor(ms: number, seed: string): Promise<boolean> {
  const ledger = new Ledger()
  await using provider = await Provider.start(ledger)
  await using odd = await Provider.start(ledger, provider)
  await using two = await StreamProvider.start(ledger, provider)
  await using tunnels = await startTunnels(ledger, provider)
  using pems = new PemFolder()
  const pair = values.tls ? pems.pair : undefined
  const places = {
    ...{ provider, odd, two: two.origin.url, tunnels: tunnels.url, tls: pair },
    hasMetrics: values.metrics,
  }
  await using gateway = await startGateway(configuration(0, places), {
    env: REPORTING,
    onLine: (line) => {
      if (line.includes('"Request processed"')) return
      const { level, message } = JSON.parse(line) as { level: string; message: string }
      ledger.event(level, message)
    },
  })
  const descriptors = openDescriptors(gateway.pid)
  const socket = (alpn: readonly string[]): Promise<net.Socket> => connectTo(gateway.port, alpn)
  const soak: Soak = { seed, socket, ledger, provider, generation: 0, begun: 0, watch: new Watch() }
  const choice = new Random(seed)
  const clients = Array.from({ length: CLIENTS }, () => new Client(soak))
  const reloads = new Reloads(soak, gateway, clients, places)
  const rounds: Round[] = []
  const startedAt = performance.now()
  while (performance.now() - startedAt < ms && ledger.problems.length < MOST_PROBLEMS && gateway.exit === undefined) {
    const [begun, at] = [soak.begun, performance.now()]
    const until = at + ROUND_MS
    await Promise.all([...clients.map((client) => work(client, choice, until)), reloads.run(until, choice)])
    const seconds = (performance.now() - at) / 1000
    const hangUps = [() => provider.hangUp(), () => odd.hangUp(), () => two.hangUp(), () => hangUp(tunnels)]
    await settle(soak, hangUps, gateway, descriptors)
    const print = await footprint(gateway)
    rounds.push({ exchanges: soak.begun - begun, print })
    const elapsed = ((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)
    console.log(
      `${elapsed} s: ${soak.begun} exchanges (${((soak.begun - begun) / seconds).toFixed(0)}/s), ` +
        `${reloads.count} reloads (the slowest took ${reloads.slowestMs.toFixed(0)} ms), ` +
        `${mebibytes(print.live)} MiB live, ${mebibytes(print.resident)} MiB resident, ${ledger.problems.length} problems`,
    )
  }
  if (!values.metrics) judgeMemory(ledger, rounds)
  gateway.signal('SIGTERM')
  const { code } = await within(gateway.exited, 'the end of the gateway', DEADLINE_MS)
  if (code !== 0) ledger.problem(`it exited with ${code}`)
  for (const [what, count] of [...ledger.counts].sort((a, b) => b[1] - a[1]))
    console.log(`${`${count}`.padStart(8)}  ${what}`)
  return ledger.problems.length === 0
}

console.log(`soak for ${values.minutes} minutes with --seed ${values.seed}`)
const isFine = await soakFor(Number(values.minutes) * 60_000, values.seed)
console.log(isFine ? 'PASS' : `FAIL with --seed ${values.seed}`)
process.exitCode = isFine ? 0 : 1
