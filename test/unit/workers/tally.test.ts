import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FAILURES } from '../../../src/failure.ts'
import { createTally, OUTCOME_SLOTS, retire, SLOT, sum, Tally } from '../../../src/workers/tally.ts'

test('each slot counts for itself', () => {
  const tally = new Tally()
  const slots = Object.values(SLOT)
  assert.equal(new Set(slots).size, slots.length)
  for (const slot of slots) tally.add(slot, slot + 1)
  for (const slot of slots) tally.add(slot, 1)
  assert.deepEqual(
    slots.map((slot) => tally.get(slot)),
    slots.map((slot) => slot + 2),
  )
  assert.equal(createTally().byteLength, slots.length * 8)
})

test('what one thread counts is seen by another', () => {
  const shared = createTally()
  const reader = new Tally(shared)
  new Tally(shared).add(SLOT.retries, 2)
  assert.equal(reader.get(SLOT.retries), 2)
})

test('counts go on past 32 bits', () => {
  const tally = new Tally()
  tally.set(SLOT.records, 2 ** 32)
  tally.add(SLOT.records, 1)
  assert.equal(tally.get(SLOT.records), 4_294_967_297)
})

test('a sum never goes back when a thread ends, and what it had open is gone', () => {
  const [one, two, retired] = [new Tally(), new Tally(), new Tally()]
  for (const tally of [one, two]) {
    tally.add(SLOT.requestsComplete, 5)
    tally.set(SLOT.upstreamsBusy, 3)
    tally.set(SLOT.upstreamsIdle, 1000)
  }
  assert.equal(sum([one, two, retired], SLOT.requestsComplete), 10)
  retire(two, retired)
  assert.equal(sum([one, retired], SLOT.requestsComplete), 10)
  assert.equal(sum([one, retired], SLOT.upstreamsBusy), 3)
  retire(one, retired)
  assert.equal(sum([retired], SLOT.requestsComplete), 10)
  assert.equal(retired.get(SLOT.upstreamsIdle), 0)
})

test('every outcome has its slot', () => {
  const outcomes = new Set(['complete' as const, ...Object.values(FAILURES).map(({ outcome }) => outcome)])
  assert.equal(new Set([...outcomes].map((outcome) => OUTCOME_SLOTS[outcome])).size, outcomes.size)
})
