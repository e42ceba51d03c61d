import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLog } from '../../../src/observe/log.ts'
import { tellWhatIsWaitedFor } from '../../../src/observe/waiting.ts'

function waiting(t: TestContext, counts: number[]) {
  t.mock.timers.enable({ apis: ['setInterval', 'setImmediate'] })
  const lines: string[] = []
  const log = createLog({ level: 'trace', format: 'text', colour: false }, (line) => lines.push(line.slice(28, -1)))
  const stop = tellWhatIsWaitedFor(log, 300_000, () => counts.shift() ?? 0)
  const seen = () => lines.map((line) => line.replace(/waited_ms=\d+/, 'waited_ms=N'))
  return { stop, seen, tick: (ms: number) => t.mock.timers.tick(ms) }
}

const told = (count: number): string =>
  `INFO Waiting for connections before shutdown connections=${count} waited_ms=N limit_ms=300000`

test('a stop says at once how many it waits for, and again every ten seconds', (t) => {
  const { stop, seen, tick } = waiting(t, [3, 2, 1])
  tick(1)
  assert.deepEqual(seen(), [told(3)])
  tick(9_998)
  assert.deepEqual(seen(), [told(3)])
  tick(10_002)
  assert.deepEqual(seen(), [told(3), told(2), told(1)])
  stop()
  tick(60_000)
  assert.equal(seen().length, 3)
})

test('a stop that waits for nobody says nothing', (t) => {
  const { stop, seen, tick } = waiting(t, [])
  tick(30_000)
  stop()
  assert.deepEqual(seen(), [])
})
