/** A process whose threads log what they are told to, through one log. The first argument is a `Plan`; it says what it did over IPC. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { Snapshot } from '../../../src/config/snapshot.ts'
import { openLogging, openWorkerLogging, readLogEnvironment } from '../../../src/observe/logging.ts'
import type { RequestRecord } from '../../../src/observe/record.ts'
import { createTally, SLOT, Tally } from '../../../src/workers/tally.ts'

export interface Plan {
  readonly threads: number
  /** Of each thread: records, and among them an event now and then and one line that is longer than any ring. */
  readonly lines: number
  /** How the threads end: by themselves, or in the middle, whatever they are doing. */
  readonly end: 'done' | 'terminate' | 'throw' | 'memory'
  /** How long the thread that writes does something else now and then. */
  readonly busyMs: number
}

export interface Logged {
  /** Of each thread: lines that it had surely given to the log. */
  readonly sent: readonly number[]
  /** Records that were left out, as it was counted. */
  readonly dropped: number
  /** Records that the log was given. */
  readonly records: number
}

/** `most`: two fifths of all lines have been given to the log. */
export type Told = 'most' | Logged

interface Given {
  readonly plan: Plan
  readonly id: number
  readonly shared: SharedArrayBuffer
  readonly tally: SharedArrayBuffer
  readonly progress: Int32Array
}

const SNAPSHOT = { keys: { staticKeys: new Map(), jwtKeys: new Map() } } as unknown as Snapshot
const LONG_AT = 1000
const EVENT_EVERY = 50

function recordOf(id: number, number: number): RequestRecord {
  return {
    level: 'trace',
    clientIp: '127.0.0.1',
    peerIp: undefined,
    method: 'POST',
    // Of every length, and now and then of very many bytes.
    requestUrl: `/${id}/${number}/${'x'.repeat(number % 997 === 0 ? 30_000 : (number * 7919) % 500)}`,
    requestBodyLength: '230',
    apiKey: 'schlüssel',
    subject: undefined,
    clientCertificate: undefined,
    targetUrl: undefined,
    upstream: 'openai',
    durationMs: 1,
    status: 200,
    responseBodyLength: '300',
    requestBytes: 230,
    responseBytes: 300,
    ttfbMs: 1,
    outcome: 'complete',
    error: undefined,
    upstreamAddress: undefined,
    requestId: undefined,
    cause: undefined,
  }
}

function takeAllMemory(): never {
  const all: number[][] = []
  for (;;) all.push(Array.from({ length: 1000 }, () => all.length))
}

async function logInThread({ plan, id, shared, tally, progress }: Given): Promise<void> {
  const post = (line?: string): void => parentPort!.postMessage(line)
  const logging = openWorkerLogging(shared, post, readLogEnvironment(process.env, false).settings, new Tally(tally))
  for (let number = 0; number < plan.lines; number++) {
    if (number === LONG_AT) logging.log.info('Long', { url: `/${id}/${number}/`, text: 'é'.repeat(600_000) })
    else if (number % EVENT_EVERY === 0) logging.log.info('Event', { url: `/${id}/${number}/` })
    else logging.writeRecord(recordOf(id, number), SNAPSHOT)
    Atomics.store(progress, id, number + 1)
    if (number % 100 === 0) await new Promise(setImmediate)
    if (number !== plan.lines >> 1) continue
    if (plan.end === 'throw') throw new Error('thrown')
    if (plan.end === 'memory') takeAllMemory()
  }
  await logging.flush(10_000)
}

async function logInAll(plan: Plan): Promise<void> {
  const tally = new Tally()
  const logging = openLogging(process.env, tally)
  const progress = new Int32Array(new SharedArrayBuffer(4 * plan.threads))
  const tallies = [tally]
  const ended = Array.from({ length: plan.threads }, (_, id) => {
    const lines = logging.workerLines()
    const own = createTally()
    tallies.push(new Tally(own))
    const given: Given = { plan, id, shared: lines.shared, tally: own, progress }
    const resourceLimits = { maxOldGenerationSizeMb: 64 }
    const worker = new Worker(new URL(import.meta.url), {
      workerData: given,
      resourceLimits,
      stdout: true,
      stderr: true,
    })
    worker.on('message', (line?: string) => (line === undefined ? lines.drain() : lines.post(line)))
    worker.on('error', () => {})
    if (plan.end === 'terminate') {
      const look = setInterval(() => {
        if (Atomics.load(progress, id) < plan.lines >> 1) return
        clearInterval(look)
        void worker.terminate()
      }, 1)
    }
    return new Promise<void>((resolve) => {
      worker.on('exit', () => {
        lines.close()
        resolve()
      })
    })
  })
  const busy = setInterval(() => {
    const until = performance.now() + plan.busyMs
    while (performance.now() < until);
  }, 50)
  const watch = setInterval(() => {
    if (progress.reduce((sum, each) => sum + each) >= plan.threads * plan.lines * 0.4) tellMost()
  }, 1)
  function tellMost(): void {
    clearInterval(watch)
    process.send!('most' satisfies Told)
  }
  await Promise.all(ended)
  tellMost()
  clearInterval(busy)
  await logging.flush(10_000)
  const logged: Logged = {
    sent: [...progress],
    dropped: tallies.reduce((sum, tally) => sum + tally.get(SLOT.recordsDropped), 0),
    records: tallies.reduce((sum, tally) => sum + tally.get(SLOT.records), 0),
  }
  process.send!(logged, () => process.exit(0))
}

if (isMainThread) await logInAll(JSON.parse(process.argv[2]!) as Plan)
else await logInThread(workerData as Given)
