import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HEAD_BYTES, TAIL_BYTES, Window } from '../../../src/llm/window.ts'

test('a window keeps the first octets and the last ones, however they come', () => {
  const piece = fc.oneof(
    fc.nat(40),
    fc.nat(5_000),
    fc.constantFrom(HEAD_BYTES, TAIL_BYTES, HEAD_BYTES + TAIL_BYTES, 30_000),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (lengths) => {
      const total = lengths.reduce((sum, length) => sum + length, 0)
      const all = Buffer.alloc(total)
      for (let at = 0; at < total; at++) all[at] = (at * 7 + (at >> 8)) & 255
      const window = new Window()
      let from = 0
      for (const length of lengths) window.add(all.subarray(from, (from += length)))
      const { head, tail, isCut } = window.read()
      assert.equal(window.total, total)
      assert.equal(isCut, total > HEAD_BYTES + TAIL_BYTES)
      assert.ok(head.equals(isCut ? all.subarray(0, HEAD_BYTES) : all))
      if (isCut) assert.ok(tail.equals(all.subarray(-TAIL_BYTES)))
      window.release()
    }),
  )
})

test('memory that was given back is used again, and not written into by whoever had it', () => {
  const one = new Window()
  one.add(Buffer.from('one'))
  one.release()
  const other = new Window()
  other.add(Buffer.from('other'))
  one.add(Buffer.from('x'))
  assert.equal(other.read().head.toString(), 'other')
  assert.equal(one.read().head.length, 0)
  one.release()
  const third = new Window()
  third.add(Buffer.from('third'))
  assert.equal(other.read().head.toString(), 'other')
  other.release()
  third.release()
})
