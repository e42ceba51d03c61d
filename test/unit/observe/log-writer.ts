/** A process that logs what it is told to, for tests of what its stdout is connected to. Talks over IPC. */
import type { Snapshot } from '../../../src/config/snapshot.ts'
import { openLogging } from '../../../src/observe/logging.ts'
import type { RequestRecord } from '../../../src/observe/record.ts'
import { monotonicMs } from '../../../src/runtime/clock.ts'

export type Order =
  /** So many records, a hundred in each turn of the event loop, then one event. */
  { readonly type: 'write'; readonly records: number } | { readonly type: 'exit' }

export interface Written {
  /** The longest turn of the event loop while they were written. */
  readonly worstTurnMs: number
  readonly heapMiB: number
}

const SNAPSHOT = { keys: { staticKeys: new Map(), jwtKeys: new Map() } } as unknown as Snapshot
const RECORD: RequestRecord = {
  level: 'trace',
  clientIp: '127.0.0.1',
  peerIp: undefined,
  method: 'POST',
  requestUrl: `/openai/v1/${'x'.repeat(700)}`,
  requestBodyLength: '230',
  apiKey: 'team',
  subject: undefined,
  clientCertificate: undefined,
  targetUrl: 'https://api.openai.com/v1/x',
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

const { log, writeRecord, flush } = openLogging()

async function write(records: number): Promise<Written> {
  let worstTurnMs = 0
  for (let left = records; left > 0; left -= 100) {
    const start = monotonicMs()
    for (let i = 0; i < Math.min(left, 100); i++) writeRecord(RECORD, SNAPSHOT)
    await new Promise(setImmediate)
    worstTurnMs = Math.max(worstTurnMs, monotonicMs() - start)
  }
  log.info('Written', { records })
  await new Promise(setImmediate)
  const { rss } = process.memoryUsage()
  return { worstTurnMs, heapMiB: rss / 1024 / 1024 }
}

process.on('message', async (order: Order) => {
  if (order.type === 'write') {
    process.send?.(await write(order.records))
  } else {
    await flush()
    process.exit(0)
  }
})
process.on('disconnect', () => process.exit(1))
process.send?.('ready')
