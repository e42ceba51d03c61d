import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Collected, totalOf } from '../../../src/metrics/collected.ts'
import { startThreadMetrics } from '../../../src/metrics/thread.ts'
import { createTextSet } from '../../../src/runtime/text-set.ts'

/** More than one sample of the event loop is due then. */
const BLOCKED_MS = 50
/** A delay is the time between two samples, and each look begins anew. */
const BLOCKS = 4
const LOOKS = 5

test('the event loop is watched up to the end, and not behind it', async () => {
  const collected = new Collected()
  const pages = collected.join()
  const metrics = startThreadMetrics(0, (memory) => pages.take(memory), createTextSet(1))
  const lateness = async (): Promise<number> => {
    for (let blocks = 0; blocks < BLOCKS; blocks++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED_MS)
      await turn()
    }
    metrics.refresh(new Map())
    const [row] = collected.rows('fluxgate_event_loop_delay_seconds')
    return totalOf(row!)
  }
  assert.ok((await lateness()) > 0)
  metrics.close()
  metrics.refresh(new Map())
  for (let looks = 0; looks < LOOKS; looks++) assert.equal(await lateness(), 0)
})
