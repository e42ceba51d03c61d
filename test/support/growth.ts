import assert from 'node:assert/strict'
import { test } from 'node:test'

/*
 * How work grows with its input. What is compared is the processor time of this thread, never the time on the wall: whatever
 * else the machine does meanwhile does not count. And what is judged is a ratio, so that a slow machine is as good as a fast
 * one: between an input and one four times as large it is 4 where work is linear, 4.6 where it is n log n, 16 where it is
 * quadratic.
 */
const FACTOR = 4
const LIMIT = 8
/** What is above this is looked at again. */
const DOUBTFUL = 6

const ROUNDS = 4
const ATTEMPTS = 4
/** What would fail is looked at for longer: on a machine where others use the caches, large inputs lose them more often. */
const LAST_ATTEMPTS = 12
/** What has cost this much has been measured well enough: the longer it takes, the less does one thing or another matter. */
const ENOUGH_MICROSECONDS = 400_000

/** One measurement takes at least this long: fifty times what the measuring costs. */
const LEAST_MICROSECONDS = 1_000
const MOST_TIMES = 4_096

const sleeping = new Int32Array(new SharedArrayBuffer(4))

/**
 * Microseconds of processor time that this thread has used. The kernel books a thread's time when its timer ticks (every 4 ms)
 * and when the thread leaves its core, so it leaves it first.
 */
function threadMicroseconds(): number {
  Atomics.wait(sleeping, 0, 0, 0.05)
  const { user, system } = process.threadCpuUsage()
  return user + system
}

function costOf(run: () => unknown, times: number): number {
  const before = threadMicroseconds()
  for (let i = 0; i < times; i++) run()
  return threadMicroseconds() - before
}

/** Of the least that each has cost, in turn, so that what makes a core slow for a while falls on both. */
function ratioOf(small: () => unknown, large: () => unknown, end: number): number {
  let times = 1
  while (times < MOST_TIMES && costOf(small, times) < LEAST_MICROSECONDS) times *= 2
  let [leastSmall, leastLarge] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let round = 0; round < ROUNDS && (round === 0 || threadMicroseconds() < end); round++) {
    leastSmall = Math.min(leastSmall, costOf(small, times))
    leastLarge = Math.min(leastLarge, costOf(large, times))
  }
  return leastLarge / leastSmall
}

/** A piece of work on an input of that size. What can be prepared is prepared; what the work returns tells what it reached. */
export type Work<Reached> = (size: number) => () => Reached

/**
 * What an input of that size costs, in multiples of what a quarter of it costs. Once more if it is too much: the compiler may have come in
 * between.
 */
export function growthOf(work: Work<unknown>, size: number): number {
  const small = work(size / FACTOR)
  const large = work(size)
  const end = threadMicroseconds() + ENOUGH_MICROSECONDS
  let ratio = ratioOf(small, large, end)
  for (let attempt = 1; attempt < ATTEMPTS && ratio > DOUBTFUL && threadMicroseconds() < end; attempt++)
    ratio = Math.min(ratio, ratioOf(small, large, end))
  for (let attempt = 0; attempt < LAST_ATTEMPTS && isTooMuch(ratio); attempt++)
    ratio = Math.min(ratio, ratioOf(small, large, threadMicroseconds() + ENOUGH_MICROSECONDS / 4))
  return ratio
}

export function isTooMuch(growth: number): boolean {
  return growth > LIMIT
}

/**
 * A test that work is linear, or nearly. `check` says whether the work reached its end: work that gives up early grows with
 * nothing.
 */
export function growsWithItsInput<Reached>(
  what: string,
  size: number,
  work: Work<Reached>,
  check: (reached: Reached, size: number) => void,
): void {
  test(what, (t) => {
    for (const each of [size / FACTOR, size]) check(work(each)(), each)
    const growth = growthOf(work, size)
    t.diagnostic(`four times the input takes ${growth.toFixed(1)} times the work`)
    assert.ok(!isTooMuch(growth), `${growth.toFixed(1)} times the work`)
  })
}
