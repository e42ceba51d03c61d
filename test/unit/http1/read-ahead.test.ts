import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ReadAhead, type Taker } from '../../../src/http1/read-ahead.ts'

/** Takes a few bytes at a time, and so many in all until there is room for more. */
class Slow implements Taker {
  taken = ''
  room = 0
  deepest = 0
  #depth = 0
  /** Does something in the middle of taking. */
  meanwhile: () => void = () => {}

  takes(): boolean {
    return this.room > 0
  }

  goOn(): void {}

  take(buffer: Buffer, start: number, end: number): number {
    this.deepest = Math.max(this.deepest, ++this.#depth)
    const stop = Math.min(end, start + Math.min(3, this.room))
    this.taken += buffer.toString('latin1', start, stop)
    this.room -= stop - start
    this.meanwhile()
    this.#depth--
    return stop
  }
}

const NOTHING = Buffer.alloc(0)

/** Feeds from a buffer that is used again at once. */
function feed(ahead: ReadAhead, text: string): void {
  const buffer = Buffer.from(text)
  ahead.feed(buffer, buffer.length)
  buffer.fill('#')
}

describe('what is read ahead', () => {
  test('is handed on in its order, as far as it is taken', () => {
    const taker = new Slow()
    const ahead = new ReadAhead(taker)
    taker.room = 4
    feed(ahead, 'abcdef')
    feed(ahead, 'ghi')
    assert.deepEqual([taker.taken, ahead.bytes], ['abcd', 5])
    taker.room = 3
    ahead.feed(NOTHING, 0)
    assert.deepEqual([taker.taken, ahead.bytes], ['abcdefg', 2])
    taker.room = 100
    feed(ahead, 'jk')
    assert.deepEqual([taker.taken, ahead.bytes], ['abcdefghijk', 0])
  })

  test('in the middle of taking comes behind the rest, without recursion', () => {
    const taker = new Slow()
    const ahead = new ReadAhead(taker)
    taker.room = 100
    const more = ['mno', 'pq', 'r']
    taker.meanwhile = () => {
      const next = more.shift()
      if (next !== undefined) feed(ahead, next)
    }
    feed(ahead, 'abcdefghijkl')
    assert.deepEqual([taker.taken, ahead.bytes, taker.deepest], ['abcdefghijklmnopqr', 0, 1])
  })

  test('in the middle of taking the last of it is handed on as well', () => {
    const taker = new Slow()
    const ahead = new ReadAhead(taker)
    taker.room = 100
    taker.meanwhile = () => {
      taker.meanwhile = () => {}
      feed(ahead, 'd')
    }
    feed(ahead, 'abc')
    assert.deepEqual([taker.taken, ahead.bytes, ahead.isFeeding], ['abcd', 0, false])
  })

  test('is gone when it is cleared, also in the middle of taking', () => {
    const taker = new Slow()
    const ahead = new ReadAhead(taker)
    feed(ahead, 'abcdef')
    assert.equal(ahead.bytes, 6)
    taker.room = 100
    taker.meanwhile = () => {
      taker.room = 0
      ahead.clear()
    }
    ahead.feed(NOTHING, 0)
    assert.deepEqual([taker.taken, ahead.bytes], ['abc', 0])
    taker.meanwhile = () => {}
    taker.room = 100
    feed(ahead, 'next')
    assert.deepEqual([taker.taken, ahead.bytes], ['abcnext', 0])
  })

  test('is what has come since it was cleared, also in the middle of taking', () => {
    const taker = new Slow()
    const ahead = new ReadAhead(taker)
    feed(ahead, 'abcdef')
    taker.room = 100
    taker.meanwhile = () => {
      taker.meanwhile = () => {}
      ahead.clear()
      // As long as what was taken just now.
      feed(ahead, 'new')
    }
    ahead.feed(NOTHING, 0)
    // What was being handed on is handed on to its end; whoever does not want it drops it.
    assert.deepEqual([taker.taken, ahead.bytes], ['abcdefnew', 0])
  })
})
