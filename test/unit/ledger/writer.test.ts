import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSpill } from '../../../src/ledger/spill.ts'
import { temporaryFolder } from '../../support/ledger-rows.ts'
import { setUpWriter as setUp, storeOf } from '../../support/ledger-writer.ts'

test('a store that hangs: rows are in the spill before they are a second old, and an answer that comes late doubles nothing', async () => {
  using folder = temporaryFolder()
  const hanging: PromiseWithResolvers<void>[] = []
  const { writer, take, pass, counts, answers } = setUp(
    storeOf(() => {
      const answer = Promise.withResolvers<void>()
      hanging.push(answer)
      return answer.promise
    }),
    join(folder.path, 'spill'),
  )
  take(5)
  await pass(0)
  take(3)
  assert.equal(counts().queued, 8)
  await pass(700)
  assert.deepEqual(counts(), { accepted: 8, written: 0, queued: 0, spilled: 8, dropped: 0 })
  assert.equal(answers(), 2)
  hanging[0]!.resolve()
  await pass(0)
  // From the spill now.
  hanging[1]!.resolve()
  await pass(0)
  assert.deepEqual(counts(), { accepted: 8, written: 8, queued: 0, spilled: 0, dropped: 0 })
  await writer.close(10_000)
})

test('a store that fails is asked again, with pauses, and told of once', async () => {
  let attempts = 0
  let isBroken = true
  const { writer, take, pass, told, counts } = setUp(
    storeOf(async () => {
      attempts++
      if (isBroken) throw new Error('away')
    }),
  )
  take(2)
  await pass(60_000)
  assert.ok(attempts > 5 && attempts < 25, `${attempts}`)
  // Without a spill they wait in memory.
  assert.deepEqual(counts(), { accepted: 2, written: 0, queued: 2, spilled: 0, dropped: 0 })
  isBroken = false
  await pass(6_000)
  assert.equal(counts().written, 2)
  assert.deepEqual(told, ['failing: away', 'recovered'])
  await writer.close(10_000)
})

test('past the bound of the spill rows stay in memory, and a stop drops and counts them', async () => {
  using folder = temporaryFolder()
  const { writer, take, pass, told, counts, answers } = setUp(
    storeOf(async () => assert.fail('away')),
    join(folder.path, 'spill'),
    1_500,
  )
  take(2)
  await pass(700)
  take(10)
  await pass(2_000)
  assert.deepEqual(counts(), { accepted: 12, written: 0, queued: 10, spilled: 2, dropped: 0 })
  const closing = writer.close(10_000)
  await pass(10_000)
  await closing
  assert.deepEqual(counts(), { accepted: 12, written: 0, queued: 0, spilled: 2, dropped: 10 })
  assert.deepEqual(told, ['failing: away', 'spill full'])
  assert.equal(answers(), 2)
})

test('a stop writes what waits, and spills what a store that hangs does not take in time', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const { writer, take, pass, counts } = setUp(
    storeOf(() => new Promise(() => {})),
    path,
  )
  take(4)
  const closing = writer.close(10_000)
  await pass(10_000)
  await closing
  assert.deepEqual(counts(), { accepted: 4, written: 0, queued: 0, spilled: 4, dropped: 0 })
  const left = openSpill(path, 1e6)
  assert.equal(left?.found.rows, 4)
  left?.close()
})

test('a stop waits for no store that hangs once all rows are in the spill', async () => {
  using folder = temporaryFolder()
  const { writer, take, pass, counts } = setUp(
    storeOf(() => new Promise(() => {})),
    join(folder.path, 'spill'),
  )
  take(4)
  let isClosed = false
  const closing = writer.close(10_000).then(() => {
    isClosed = true
  })
  await pass(1_000)
  assert.ok(isClosed)
  assert.equal(counts().spilled, 4)
  await closing
})

test('a stop is not kept by a spill that is on its way to a store that hangs', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  let isAway = true
  const { writer, take, pass, counts } = setUp(
    storeOf(() => (isAway ? Promise.reject(new Error('away')) : new Promise(() => {}))),
    path,
  )
  take(4)
  await pass(700)
  isAway = false
  await pass(6_000)
  take(1)
  let isClosed = false
  const closing = writer.close(10_000).then(() => {
    isClosed = true
  })
  await pass(1_000)
  assert.ok(isClosed)
  assert.equal(counts().spilled, 5)
  await closing
})
