import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BULK_THRESHOLD, giveBack, lend, ReadBuffer } from '../../../src/runtime/read-buffers.ts'

/** A connection in the middle of a body, and the buffer that it reads into. */
function reading(): { reads: ReadBuffer; buffer: Buffer } {
  const reads = new ReadBuffer()
  reads.expectMore(BULK_THRESHOLD)
  return { reads, buffer: reads.next() }
}

test('a connection that has closed while it read leaves its buffer to the next one', () => {
  const { reads, buffer } = reading()
  reads.close()
  assert.equal(reading().buffer, buffer)
})

test('a buffer that is written from goes to nobody before that is done', () => {
  const { reads, buffer } = reading()
  lend(buffer)
  reads.close()
  const other = reading()
  assert.notEqual(other.buffer, buffer)
  giveBack(buffer)
  assert.equal(reading().buffer, buffer)
})

test('a connection that has closed twice gives its buffer back once', () => {
  const { reads, buffer } = reading()
  reads.close()
  reads.close()
  assert.equal(reading().buffer, buffer)
  assert.notEqual(reading().buffer, buffer)
})
