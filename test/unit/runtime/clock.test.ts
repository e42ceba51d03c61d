import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createTimestamps, timestamp } from '../../../src/runtime/clock.ts'

function fakeClock(wall: number): { wall: number; monotonic: number; next: () => string } {
  const clock = { wall, monotonic: 5000.25, next: () => '' }
  clock.next = createTimestamps(
    () => Math.floor(clock.wall),
    () => clock.monotonic,
  )
  return clock
}

function pass(clock: { wall: number; monotonic: number }, ms: number): void {
  clock.wall += ms
  clock.monotonic += ms
}

const START = Date.UTC(2026, 0, 2, 3, 4, 5, 6)

describe('timestamps', () => {
  test('are RFC 3339 in UTC with microseconds', () => {
    assert.equal(fakeClock(START).next(), '2026-01-02T03:04:05.006000Z')
  })

  test('count microseconds between the ticks of the wall clock', () => {
    const clock = fakeClock(START)
    clock.next()
    pass(clock, 0.125)
    assert.equal(clock.next(), '2026-01-02T03:04:05.006125Z')
  })

  test('turn second, minute, day and year', () => {
    const clock = fakeClock(Date.UTC(2026, 11, 31, 23, 59, 59, 999))
    assert.equal(clock.next(), '2026-12-31T23:59:59.999000Z')
    pass(clock, 1)
    assert.equal(clock.next(), '2027-01-01T00:00:00.000000Z')
  })

  for (const jump of [3_600_000, -3_600_000]) {
    test(`follow a jump of the wall clock by ${jump} ms within a second`, () => {
      const clock = fakeClock(START)
      clock.next()
      clock.wall += jump
      pass(clock, 1000)
      assert.equal(clock.next().slice(0, 23), new Date(START + jump + 1000).toISOString().slice(0, 23))
    })
  }

  test('stay within a millisecond of a wall clock that drifts away', () => {
    const clock = fakeClock(START)
    for (let second = 0; second < 600; second++) {
      clock.wall += 1000.5
      clock.monotonic += 1000
      const shown = Date.parse(clock.next())
      assert.ok(Math.abs(shown - clock.wall) <= 1, `${shown} for ${clock.wall}`)
    }
  })

  test('never go back while the clocks agree', () => {
    const clock = fakeClock(START)
    let last = clock.next()
    for (let step = 0; step < 5000; step++) {
      pass(clock, 0.37)
      const next = clock.next()
      assert.ok(next >= last, `${next} after ${last}`)
      last = next
    }
  })

  test('of the process lie between two readings of Date.now()', () => {
    for (let i = 0; i < 1000; i++) {
      const before = Date.now()
      const shown = Date.parse(timestamp())
      assert.ok(shown >= before - 1 && shown <= Date.now() + 1)
    }
  })
})
