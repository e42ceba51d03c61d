import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { growthOf, isTooMuch, type Work } from '../support/growth.ts'

/** For each: what grows with the input, and how large an input shows it. */
const linear: Record<string, [number, Work<unknown>]> = {
  'a loop': [
    60_000,
    (size) => () => {
      let sum = 0
      for (let i = 0; i < size; i++) sum += i % 7
      return sum
    },
  ],
  'a sort, n log n': [
    20_000,
    (size) => {
      const numbers = Float64Array.from({ length: size }, (_, i) => (i * 7_919) % 10_007)
      return () => numbers.toSorted()
    },
  ],
  'a search in text': [60_000, (size) => searchIn(`${'a'.repeat(size)}!`)],
  'a copy of bytes': [60_000, (size) => copyOf(Buffer.alloc(size))],
  'a set of names': [4_000, (size) => () => new Set(Array.from({ length: size }, (_, i) => `n${i}`)).size],
}

const quadratic: Record<string, [number, Work<unknown>]> = {
  'a loop in a loop': [
    1_000,
    (size) => () => {
      let sum = 0
      for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) sum += j % 7
      return sum
    },
  ],
  'bytes that are copied for each byte': [
    // Into one place: what allocating and collecting costs would cover what copying does.
    40_000,
    (size) => {
      const bytes = Buffer.alloc(size)
      const room = Buffer.alloc(size)
      return () => {
        for (let i = 0; i < size; i++) bytes.copy(room)
        return room
      }
    },
  ],
  'a search from the start for each character': [
    60_000,
    (size) => {
      const text = 'a'.repeat(size)
      return () => {
        let sum = 0
        for (let i = 0; i < size; i++) sum += text.indexOf('!', i)
        return sum
      }
    },
  ],
  'a text that is made flat for each piece': [
    20_000,
    (size) => () => {
      let text = ''
      let sum = 0
      for (let i = 0; i < size; i++) {
        text += 'a'
        sum += text.indexOf('!')
      }
      return sum
    },
  ],
  'a pattern that goes back': [1_000, (size) => () => /a*b/.test('a'.repeat(size))],
  'a list that is searched for each member': [
    1_000,
    (size) => () => {
      const names: string[] = []
      for (let i = 0; i < size; i++) if (!names.includes(`n${i}`)) names.push(`n${i}`)
      return names
    },
  ],
}

function searchIn(text: string): () => number {
  return () => text.indexOf('!')
}

function copyOf(bytes: Buffer): () => Buffer {
  return () => Buffer.from(bytes)
}

/** A busy machine can hide a difference, or make one up: once, hardly three times. */
const TRIES = 3

function tell(isWanted: boolean, work: Work<unknown>, size: number): void {
  const growths: number[] = []
  while (growths.length < TRIES) {
    const growth = growthOf(work, size)
    if (isTooMuch(growth) === isWanted) return
    growths.push(growth)
  }
  assert.fail(`growths of ${growths.join(', ')}`)
}

function tellApart(most: number): void {
  for (const [what, [size, work]] of Object.entries(linear).slice(0, most))
    test(`${what} is as much as its input`, () => tell(false, work, size))
  for (const [what, [size, work]] of Object.entries(quadratic).slice(0, most))
    test(`${what} is more than its input`, () => tell(true, work, size))
}

describe('how work grows is told', () => tellApart(Number.POSITIVE_INFINITY))

describe('how work grows is told beside threads that keep every core busy', () => {
  let busy: Worker[] = []
  before(() => {
    busy = Array.from({ length: availableParallelism() }, () => new Worker('for (;;);', { eval: true }))
  })
  after(async () => {
    await Promise.all(busy.map((worker) => worker.terminate()))
  })
  // Some of them, since it keeps every other test from its core.
  tellApart(3)
})
