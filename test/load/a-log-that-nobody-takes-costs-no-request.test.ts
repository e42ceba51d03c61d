import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Load, startLoad } from '../support/load.ts'
import { residentBytes } from '../support/memory.ts'
import { startOrigin } from '../support/origin.ts'

const MEBIBYTE = 1024 * 1024
/** Stands twice in a record (as received, and as sent upstream). */
const TARGET_BYTES = 28 * 1024
/** Their records are 120 MiB. */
const REQUESTS = 2200
/** The queue takes 8; a log that piled up would be far over it. */
const GROWTH_LIMIT = 48 * MEBIBYTE
const skip = process.platform === 'linux' ? false : 'reads /proc'

const longTargets = (port: number): Promise<Load> =>
  startLoad({
    port,
    connections: 16,
    perSecond: 600,
    request: (n) => get(`/up/${n}/${'x'.repeat(TARGET_BYTES)}`),
  })

/** What 120 MiB of records leave behind in the gateway's memory while nobody takes them. */
async function growth(gateway: RunningGateway, load: Load): Promise<number> {
  const before = residentBytes(gateway.pid)
  let most = 0
  for (let i = 0; i < 10; i++) {
    await load.untilMore(REQUESTS / 10, 30_000)
    most = Math.max(most, residentBytes(gateway.pid))
  }
  return most - before
}

function assertUnharmed(load: Load): void {
  assert.deepEqual(load.failures, [])
  assert.equal(load.ended, 0)
}

test('nobody reads it: traffic goes on in bounded memory, and then the gap is counted', { skip }, async () => {
  await using origin = await startOrigin(undefined, { keepBytes: 0 })
  await using gateway = await startGateway(upTo(origin))
  using load = await longTargets(gateway.port)
  await load.untilMore(200)
  gateway.pauseLog()
  const grown = await growth(gateway, load)
  assert.ok(grown < GROWTH_LIMIT, `${(grown / MEBIBYTE).toFixed(1)} MiB`)
  await load.stop()
  assertUnharmed(load)
  gateway.resumeLog()
  await gateway.waitForLog('Log records dropped')
  const line = gateway
    .log()
    .split('\n')
    .find((each) => each.includes('Log records dropped'))
  const { level, count } = JSON.parse(line!) as { level: string; count: number }
  assert.equal(level, 'WARN')
  await gateway.until(
    () => gateway.records().length + count >= load.answered,
    'every record, or its place in the count',
  )
  assert.equal(gateway.records().length + count, load.answered)
  assert.ok(count > REQUESTS / 2, `${count} dropped`)
})

test('its reader goes away: traffic goes on in bounded memory', { skip }, async () => {
  await using origin = await startOrigin(undefined, { keepBytes: 0 })
  await using gateway = await startGateway(upTo(origin))
  using load = await longTargets(gateway.port)
  await load.untilMore(200)
  gateway.closeLog()
  const grown = await growth(gateway, load)
  assert.ok(grown < GROWTH_LIMIT, `${(grown / MEBIBYTE).toFixed(1)} MiB`)
  await load.stop()
  assertUnharmed(load)
  gateway.signal('SIGTERM')
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
})

test('a reader that is slower than the log: what is missing is counted, and the rest is in order', async () => {
  await using origin = await startOrigin(undefined, { keepBytes: 0 })
  await using gateway = await startGateway(upTo(origin))
  using load = await longTargets(gateway.port)
  for (let i = 0; i < 4; i++) {
    gateway.pauseLog()
    await load.untilMore(250)
    gateway.resumeLog()
    await load.untilMore(20)
  }
  await load.stop()
  assertUnharmed(load)
  const counted = (): number =>
    gateway
      .log()
      .split('\n')
      .filter((line) => line.includes('"Log records dropped"'))
      .reduce((sum, line) => sum + (JSON.parse(line) as { count: number }).count, 0)
  await gateway.until(() => gateway.records().length + counted() >= load.answered, 'every record, or its place')
  assert.equal(gateway.records().length + counted(), load.answered)
  assert.ok(counted() > 0)
  const numbers = gateway.records().map((record) => Number(record.request_url.split('/')[2]))
  assert.equal(new Set(numbers).size, numbers.length, 'none twice')
})
