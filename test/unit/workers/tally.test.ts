import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTally, retire, SLOT, Tally } from '../../../src/workers/tally.ts'

test('each slot counts for itself', () => {
  const tally = new Tally()
  tally.add(SLOT.records, 3)
  tally.add(SLOT.recordsDropped, 1)
  tally.add(SLOT.records, 2)
  assert.deepEqual([tally.get(SLOT.records), tally.get(SLOT.recordsDropped)], [5, 1])
})

test('what one thread counts is seen by another', () => {
  const shared = createTally()
  const reader = new Tally(shared)
  new Tally(shared).add(SLOT.records, 2)
  assert.equal(reader.get(SLOT.records), 2)
})

test('counts go on past 32 bits', () => {
  const tally = new Tally()
  tally.add(SLOT.records, 2 ** 32)
  tally.add(SLOT.records, 1)
  assert.equal(tally.get(SLOT.records), 4_294_967_297)
})

test('what an ended thread has counted goes on counting', () => {
  const [ended, retired] = [new Tally(), new Tally()]
  ended.add(SLOT.records, 5)
  ended.add(SLOT.recordsDropped, 2)
  retired.add(SLOT.records, 1)
  retire(ended, retired)
  assert.deepEqual([retired.get(SLOT.records), retired.get(SLOT.recordsDropped)], [6, 2])
})
