import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import fc from 'fast-check'
import { createWriteQueue } from '../../../src/observe/write-queue.ts'

/** What the next writes do: take so many bytes, or fail with this code. */
let script: (number | string)[] = []
let taken = ''
let calls = 0

function scriptedWrite(_fd: number, buffer: Buffer, offset: number, length: number): number {
  calls++
  const step = script.shift() ?? length
  if (typeof step === 'string') throw Object.assign(new Error(step), { code: step })
  const count = Math.min(step, length)
  taken += buffer.toString('utf8', offset, offset + count)
  return count
}

beforeEach(() => {
  script = []
  taken = ''
  calls = 0
  mock.method(fs, 'writeSync', scriptedWrite)
  syncBuiltinESMExports()
})

afterEach(() => {
  mock.restoreAll()
  syncBuiltinESMExports()
})

describe('the write queue', () => {
  test('writes everything at once where there is room', () => {
    const queue = createWriteQueue(1)
    queue.push(Buffer.from('one\n'))
    queue.push(Buffer.from('two\n'))
    assert.equal(queue.bytes(), 8)
    assert.equal(queue.write(), 'done')
    assert.equal(taken, 'one\ntwo\n')
    assert.equal(queue.bytes(), 0)
  })

  test('does not insist when only a part was taken', () => {
    script = [2]
    const queue = createWriteQueue(1)
    queue.push(Buffer.from('one\n'))
    assert.equal(queue.write(), 'partly')
    assert.equal(calls, 1)
    assert.equal(queue.bytes(), 2)
    assert.equal(queue.write(), 'done')
    assert.equal(taken, 'one\n')
  })

  for (const [what, steps] of [
    ['a part', [2]],
    ['nothing', ['EAGAIN']],
    ['a part of what waited before', [3, 1]],
  ] as const) {
    test(`copies what is borrowed where ${what} of it was taken`, () => {
      const queue = createWriteQueue(1)
      script = ['EAGAIN', ...steps]
      queue.push(Buffer.from('before\n'))
      queue.write()
      const borrowed = Buffer.from('one\n')
      assert.notEqual(queue.writeBorrowed(borrowed), 'done')
      borrowed.fill('x')
      while (queue.write() !== 'done');
      assert.equal(taken, 'before\none\n')
    })
  }

  test('copies nothing of what is borrowed and taken', (t) => {
    const copy = t.mock.method(Buffer, 'from')
    const queue = createWriteQueue(1)
    const borrowed = Buffer.alloc(4, 'a')
    assert.equal(queue.writeBorrowed(borrowed), 'done')
    assert.equal(queue.bytes(), 0)
    assert.equal(copy.mock.callCount(), 0)
  })

  for (const [code, attempt] of [
    ['EAGAIN', 'full'],
    ['ENOSPC', 'failed'],
    ['EIO', 'failed'],
    ['EPIPE', 'failed'],
    ['EDQUOT', 'failed'],
  ] as const) {
    test(`keeps what ${code} refused`, () => {
      script = [4, code]
      const queue = createWriteQueue(1)
      queue.push(Buffer.from('one\n'))
      queue.push(Buffer.from('two\n'))
      assert.equal(queue.write(), attempt)
      assert.equal(queue.bytes(), 4)
      assert.equal(queue.write(), 'done')
      assert.equal(taken, 'one\ntwo\n')
    })
  }

  test('writes every byte once and in order, whatever the descriptor does', () => {
    const step = fc.oneof(fc.nat(6), fc.constantFrom('EAGAIN', 'ENOSPC', 'EIO', 'EPIPE'))
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { maxLength: 8 }), fc.array(step), (lines, steps) => {
        script = [...steps]
        taken = ''
        const queue = createWriteQueue(1)
        for (const line of lines) {
          queue.push(Buffer.from(line))
          queue.write()
        }
        while (queue.write() !== 'done');
        assert.equal(taken, lines.join(''))
        assert.equal(queue.bytes(), 0)
      }),
    )
  })
})
