import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { Deadline } from '../../../src/runtime/deadline.ts'
import { FakeTime } from './fake-time.ts'

class Watched {
  readonly expiredAtMs: number[] = []
  readonly time: FakeTime
  readonly deadline: Deadline

  /** Bytes that have moved, say. */
  progress = 0

  constructor(t: TestContext) {
    this.time = new FakeTime(t)
    this.deadline = new Deadline(
      () => this.expiredAtMs.push(this.time.nowMs),
      () => this.progress,
    )
  }
}

describe('a deadline', () => {
  for (const ms of [4, 8, 100, 1_000, 60_000]) {
    test(`of ${ms} ms that nobody touches expires after exactly its time, once`, (t) => {
      const { deadline, time, expiredAtMs } = new Watched(t)
      deadline.arm(ms)
      time.pass(3 * ms)
      assert.deepEqual(expiredAtMs, [ms])
    })
  }

  for (const ms of [5, 7, 10, 50, 99]) {
    test(`of ${ms} ms does not expire before its time`, (t) => {
      const { deadline, time, expiredAtMs } = new Watched(t)
      deadline.arm(ms)
      time.pass(10 * ms)
      assert.equal(expiredAtMs.length, 1)
      assert.ok(expiredAtMs[0]! >= ms, `after ${expiredAtMs[0]} ms`)
    })
  }

  for (const touches of [[1], [99], [50, 51, 52], [25, 50, 75], [80, 160, 240, 320]]) {
    test(`touched at ${touches.join(', ')} ms expires between its time and a quarter more after that`, (t) => {
      const { deadline, time, expiredAtMs } = new Watched(t)
      deadline.arm(100)
      for (const at of touches) {
        time.pass(at - time.nowMs)
        deadline.touch()
      }
      time.pass(1_000)
      assert.equal(expiredAtMs.length, 1)
      const after = expiredAtMs[0]! - touches.at(-1)!
      assert.ok(after >= 100 && after <= 125, `${after} ms after the last touch`)
    })
  }

  for (const moves of [[1], [99], [50, 51, 52], [25, 50, 75], [80, 160, 240, 320]]) {
    test(`whose progress goes on at ${moves.join(', ')} ms expires between its time and a quarter more after that`, (t) => {
      const watched = new Watched(t)
      watched.progress = 7
      watched.deadline.arm(100)
      for (const at of moves) {
        watched.time.pass(at - watched.time.nowMs)
        watched.progress += 10
      }
      watched.time.pass(1_000)
      assert.equal(watched.expiredAtMs.length, 1)
      const after = watched.expiredAtMs[0]! - moves.at(-1)!
      assert.ok(after >= 100 && after <= 125, `${after} ms after the last move`)
    })
  }

  test('disarmed does not expire, and can be armed again', (t) => {
    const { deadline, time, expiredAtMs } = new Watched(t)
    for (const at of [10, 30, 99]) {
      deadline.arm(100)
      time.pass(at)
      deadline.disarm()
      deadline.touch()
      time.pass(500)
    }
    assert.deepEqual(expiredAtMs, [])
    const start = time.nowMs
    deadline.arm(100)
    time.pass(100)
    assert.deepEqual(expiredAtMs, [start + 100])
  })

  test('expired can be armed again', (t) => {
    const { deadline, time, expiredAtMs } = new Watched(t)
    for (let i = 0; i < 3; i++) {
      deadline.arm(100)
      time.pass(150)
    }
    assert.deepEqual(expiredAtMs, [100, 250, 400])
  })

  for (const ms of [100, 40, 400]) {
    test(`armed again with ${ms} ms forgets the arm before`, (t) => {
      const { deadline, time, expiredAtMs } = new Watched(t)
      deadline.arm(100)
      time.pass(90)
      deadline.touch()
      deadline.arm(ms)
      time.pass(1_000)
      assert.deepEqual(expiredAtMs, [90 + ms])
    })
  }

  for (const [what, save] of [
    ['touched', (deadline: Deadline) => deadline.touch()],
    ['armed anew', (deadline: Deadline) => deadline.arm(100)],
    ['disarmed', (deadline: Deadline) => deadline.disarm()],
    ['closed', (deadline: Deadline) => deadline.close()],
  ] as const) {
    test(`${what} by what had arrived while the event loop stood still does not expire`, (t) => {
      const { deadline, time, expiredAtMs } = new Watched(t)
      deadline.arm(100)
      time.passOnlyTimers(100)
      save(deadline)
      time.runImmediates()
      assert.deepEqual(expiredAtMs, [])
    })
  }

  test('closed lets go of its timer', (t) => {
    const { deadline, time, expiredAtMs } = new Watched(t)
    deadline.arm(100)
    assert.equal(time.pending, 1)
    deadline.close()
    assert.equal(time.pending, 0)
    time.pass(500)
    assert.deepEqual(expiredAtMs, [])
  })

  test('never has more than one timer', (t) => {
    const { deadline, time } = new Watched(t)
    for (let i = 0; i < 50; i++) {
      deadline.arm([100, 200, 300][i % 3]!)
      time.pass(i)
      if (i % 4 === 0) deadline.disarm()
      assert.ok(time.pending <= 1)
    }
  })
})

test('whatever is done with a deadline, it expires when it must and never else', (t) => {
  const step = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(40, 100, 400).map((ms) => ['arm', ms] as const) },
    { weight: 3, arbitrary: fc.constant(['touch', 0] as const) },
    { weight: 1, arbitrary: fc.constant(['disarm', 0] as const) },
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 150 }).map((ms) => ['pass', ms] as const) },
  )
  const { deadline, time, expiredAtMs } = new Watched(t)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      deadline.close()
      // Since when it runs, for how long, and whether it was touched.
      let armed: { sinceMs: number; ms: number; isTouched: boolean } | undefined
      for (const [what, ms] of steps) {
        if (what === 'arm') {
          deadline.arm(ms)
          armed = { sinceMs: time.nowMs, ms, isTouched: false }
        } else if (what === 'touch') {
          deadline.touch()
          if (armed !== undefined) armed = { sinceMs: time.nowMs, ms: armed.ms, isTouched: true }
        } else if (what === 'disarm') {
          deadline.disarm()
          armed = undefined
        }
        for (let passed = 0; passed < (what === 'pass' ? ms : 0); passed++) {
          time.pass(1)
          const silentMs = armed === undefined ? 0 : time.nowMs - armed.sinceMs
          if (expiredAtMs.pop() === undefined) {
            const limitMs = armed === undefined ? 1 : armed.isTouched ? armed.ms * 1.25 : armed.ms
            assert.ok(silentMs < limitMs, `${silentMs} ms of silence`)
          } else {
            assert.ok(armed !== undefined, 'it was not armed')
            assert.ok(silentMs >= armed.ms, `after ${silentMs} of ${armed.ms} ms`)
            armed = undefined
          }
        }
      }
    }),
  )
})
