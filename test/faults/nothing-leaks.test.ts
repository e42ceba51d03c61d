import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { get, ok } from '../support/bytes.ts'
import { type Footprint, footprint, openDescriptors, REPORTING, untilDescriptors } from '../support/footprint.ts'
import { type ConfigObject, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'
import { summary } from './aftermath.ts'
import { Arrivals, type Failure, failures, Lane, upstreamsAt } from './failing-exchanges.ts'

/*
 * Whatever fails, and however often: the process has the same descriptors open afterwards, it holds no more memory, every
 * exchange has left its one record, and the next good request is answered.
 *
 * Memory is looked at when all is quiet and all garbage has been collected. Each kind of failure is repeated in steps of the
 * same size. The first one warms up. After each of the others the memory is compared with that after the one before: what
 * happens once (code that gets compiled, a table that is enlarged) is in one of these differences, a leak is in all of them.
 * So the least of them counts.
 */

/**
 * Of each kind: as many as take half a minute in all. FLUXGATE_TEST_EXCHANGES=10000 takes a minute or more, and shows
 * leaks a third of the size. Fewer than these are no good: what a step differs by anyway would be too much for each exchange.
 */
const EXCHANGES = Number(process.env.FLUXGATE_TEST_EXCHANGES ?? 3_000)
const STEPS = 5
const STEP = Math.ceil(EXCHANGES / STEPS)
const LANES = 64
/** Bytes an exchange that count as a leak: of live objects, which are counted exactly, and of resident memory, which comes in pages. */
const LIVE_LEAK = 100
const RESIDENT_LEAK = 250
const GOOD = '/up/good'

const MAX_LOOKS = 20

class Bench implements AsyncDisposable {
  readonly gateway: RunningGateway
  readonly #port: number
  readonly #descriptors: number
  readonly #origin: Origin
  readonly #clear: net.Server
  readonly #arrivals: Arrivals
  #failure: Failure | undefined
  #steps = 0

  static async start(): Promise<Bench> {
    const arrivals = new Arrivals()
    const origin = await startOrigin()
    const clear = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    })
    await once(clear.listen(0, '127.0.0.1'), 'listening')
    const gateway = await startGateway(configuration(origin, clear), { env: REPORTING })
    return new Bench(gateway, origin, clear, arrivals)
  }

  constructor(gateway: RunningGateway, origin: Origin, clear: net.Server, arrivals: Arrivals) {
    this.gateway = gateway
    this.#port = gateway.port
    this.#descriptors = openDescriptors(gateway.pid)
    this.#origin = origin
    this.#clear = clear
    this.#arrivals = arrivals
    origin.answer = (request) => {
      if (request.target === GOOD.slice('/up'.length)) return void request.connection.write(ok('good'))
      this.#failure!.answer!(request, Number(request.target.slice(request.target.lastIndexOf('/') + 1)))
      arrivals.tell(request.target)
    }
  }

  async prepare(failure: Failure): Promise<void> {
    this.#failure = failure
    // Whatever a kind that has failed left behind is not this one's.
    this.#hangUp()
    this.gateway.forget()
    this.gateway.rewrite(configuration(this.#origin, this.#clear, failure.server))
    this.gateway.signal('SIGHUP')
    await this.gateway.waitForLog('Configuration file changed, reloaded automatically')
  }

  /** One step, and what the gateway holds after it. */
  async run(failure: Failure): Promise<Footprint> {
    const seen = new Map<string, string>()
    const path = `${failure.upstream ?? '/up'}/${++this.#steps}/`
    let n = 0
    const work = async (): Promise<void> => {
      using lane = new Lane(this.#port, this.#arrivals)
      while (n < STEP) {
        const target = path + n
        seen.set(target, await failure.run(lane, target, n++))
      }
    }
    await Promise.all(Array.from({ length: failure.lanes ?? LANES }, work))
    await this.#assertRecords(failure, seen)
    // One connection to the upstream is in the pool: that of the good request.
    if (!isPooled(failure)) await untilDescriptors(this.gateway.pid, this.#descriptors + 1)
    this.#hangUp()
    this.gateway.forget()
    await untilDescriptors(this.gateway.pid, this.#descriptors)
    return this.#settledFootprint()
  }

  /** A connection that was closed is gone a moment after its descriptor is; one that leaks stays, however often one looks. */
  async #settledFootprint(): Promise<Footprint> {
    let print = await footprint(this.gateway)
    for (let looks = 1; looks < MAX_LOOKS && (print.resources['TCPSocketWrap'] ?? 0) > 0; looks++) {
      print = await footprint(this.gateway)
    }
    return print
  }

  async #assertRecords(failure: Failure, seen: Map<string, string>): Promise<void> {
    const expected = Object.values(failure.ends).some((records) => records.length > 0) ? seen.size : 0
    await this.gateway.until(() => this.gateway.records().length >= expected, `${expected} records`)
    assert.equal((await exchange(this.#port, get(GOOD))).text, 'good', 'it answers')
    await this.gateway.waitForRecord((record) => record.request_url === GOOD)
    const records = this.gateway.records().filter((record) => record.request_url !== GOOD)
    assert.equal(records.length, expected)
    const unexpected = new Set<string>()
    for (const record of records) {
      const what = seen.get(record.request_url) ?? 'no exchange, or a second record'
      seen.delete(record.request_url)
      if (!failure.ends[what]?.includes(summary(record))) unexpected.add(`${what}: ${summary(record)}`)
    }
    assert.deepEqual([...unexpected], [])
  }

  /** Connections in a pool are no leak, and would be there for a while. */
  #hangUp(): void {
    for (const { socket } of this.#origin.connections) socket.destroy()
    this.#origin.connections.length = 0
    this.#origin.requests.length = 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.stop()
    await this.#origin.close()
    this.#clear.close()
  }
}

function configuration(origin: Origin, clear: net.Server, server: ConfigObject = {}): ConfigObject {
  return {
    server: { max_connections: 5_000, ...server },
    upstreams: upstreamsAt(origin.url, (clear.address() as net.AddressInfo).port),
  }
}

/** Whether connections to the upstream may be used again after such exchanges. */
const isPooled = ({ ends }: Failure): boolean => Object.values(ends).flat().includes('200 complete -')

/** By how much each step's value is larger than the one before. */
const growth = (values: readonly number[]): number[] => values.slice(1).map((value, i) => value - values[i]!)

function assertNoLeak(t: TestContext, failure: Failure, prints: readonly Footprint[]): void {
  for (const [what, limit] of [
    ['live', LIVE_LEAK],
    ['resident', failure.residentLeak ?? RESIDENT_LEAK],
  ] as const) {
    const values = prints.map((print) => print[what])
    const each = Math.min(...growth(values)) / STEP
    const seen = `${what} ${values.map((value) => (value / 1024).toFixed(0))} KiB, ${each.toFixed(1)} bytes an exchange`
    t.diagnostic(seen)
    assert.ok(each < limit, seen)
  }
  // Fewer than at first is no leak.
  for (const { resources } of prints.slice(1)) {
    for (const [kind, count] of Object.entries(resources)) {
      assert.ok(
        count <= (prints[0]!.resources[kind] ?? 0),
        `${count} × ${kind}: ${JSON.stringify(prints[0]!.resources)}`,
      )
    }
  }
}

/** All kinds together: each has the time that every test has, and a machine that is busy takes twice as long as an idle one. */
const ALL_MS = 900_000

test('nothing leaks', {
  skip: process.platform === 'linux' ? false : 'reads /proc',
  timeout: ALL_MS,
}, async (t) => {
  await using bench = await Bench.start()
  let isWarm = false
  for (const [what, failure] of Object.entries(failures)) {
    await t.test(`${EXCHANGES} times: ${what}`, async (t) => {
      await bench.prepare(failure)
      // What all kinds have in common is compiled once, step by step.
      for (let step = 0; step < STEPS && !isWarm; step++) await bench.run(failure)
      isWarm = true
      const prints: Footprint[] = []
      for (let step = 0; step < STEPS; step++) prints.push(await bench.run(failure))
      assertNoLeak(t, failure, prints)
    })
  }
})
