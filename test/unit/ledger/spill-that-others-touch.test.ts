import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readFileSync, renameSync, truncateSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Row } from '../../../src/ledger/row.ts'
import { openSpill, type Spill } from '../../../src/ledger/spill.ts'
import { sampleRow, temporaryFolder } from '../../support/ledger-rows.ts'
import { setUpWriter, storeOf } from '../../support/ledger-writer.ts'

const open = (path: string): Spill => openSpill(path, 1e6) ?? assert.fail('it belongs to another')
const subjectsIn = (path: string): unknown[] => {
  const spill = open(path)
  const rows = spill.next(1000)
  spill.close()
  return rows.map((row) => row[9])
}

/** A store that is away until it is told otherwise, and a writer with rows in its spill. */
function setUpAway(path: string) {
  const store = { isAway: true, rows: [] as Row[] }
  const set = setUpWriter(
    storeOf(async (rows) => {
      if (store.isAway) throw new Error('away')
      store.rows.push(...rows)
    }),
    path,
  )
  return { ...set, store }
}

test('a spill that somebody empties costs what was in it, and nothing that comes after', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const { writer, take, pass, counts, store, told } = setUpAway(path)
  take(5)
  await pass(700)
  assert.equal(counts().spilled, 5)
  truncateSync(path, 0)
  take(2)
  await pass(700)
  assert.deepEqual(counts(), { accepted: 7, written: 0, queued: 0, spilled: 2, dropped: 5 })
  store.isAway = false
  await pass(6_000)
  assert.deepEqual(counts(), { accepted: 7, written: 2, queued: 0, spilled: 0, dropped: 5 })
  assert.deepEqual(told, ['failing: away', 'spill lost 5', 'recovered'])
  await writer.close(10_000)
})

test('a spill that was cut in the middle of a record is read to its end', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const { writer, take, pass, counts, store } = setUpAway(path)
  take(5)
  await pass(700)
  truncateSync(path, readFileSync(path).length - 10)
  store.isAway = false
  await pass(6_000)
  assert.deepEqual(counts(), { accepted: 5, written: 4, queued: 0, spilled: 0, dropped: 1 })
  await writer.close(10_000)
})

test('a spill that was overwritten where it stands is read to its end', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const { writer, take, pass, counts, store } = setUpAway(path)
  take(5)
  await pass(700)
  const { length } = readFileSync(path)
  truncateSync(path, 0)
  appendFileSync(path, 'x'.repeat(length))
  store.isAway = false
  await pass(6_000)
  assert.deepEqual(counts(), { accepted: 5, written: 0, queued: 0, spilled: 0, dropped: 5 })
  await writer.close(10_000)
})

test('a spill that somebody removes is made anew with all that was in it', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const { writer, take, pass, counts, told } = setUpAway(path)
  take(3, () => sampleRow({ subject: 'before' }))
  await pass(700)
  unlinkSync(path)
  take(2, () => sampleRow({ subject: 'after' }))
  await pass(700)
  assert.deepEqual(counts(), { accepted: 5, written: 0, queued: 0, spilled: 5, dropped: 0 })
  assert.deepEqual(told, ['failing: away', 'spill recreated'])
  // As after a kill.
  const left = readFileSync(path, 'utf8').split('\n').filter(Boolean)
  assert.equal(left.length, 5)
  unlinkSync(path)
  const closing = writer.close(0)
  await pass(100)
  await closing
  assert.deepEqual(subjectsIn(path), ['before', 'before', 'before', 'after', 'after'])
})

test('a file that was put in the place of a spill is taken with what it has', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const other = open(`${path}-other`)
  other.append([sampleRow({ subject: 'kept' })])
  other.close()
  const { writer, take, pass, counts, store } = setUpAway(path)
  take(1, () => sampleRow({ subject: 'before' }))
  await pass(700)
  renameSync(`${path}-other`, path)
  take(1, () => sampleRow({ subject: 'after' }))
  await pass(700)
  assert.deepEqual(counts(), { accepted: 3, written: 0, queued: 0, spilled: 3, dropped: 0 })
  store.isAway = false
  await pass(6_000)
  assert.deepEqual(store.rows.map((row) => row[9]).sort(), ['after', 'before', 'kept'])
  await writer.close(10_000)
  assert.ok(!existsSync(path))
})

test('what another process has written into it is not cut off', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const mine = open(path)
  mine.append([sampleRow({ subject: 'mine' })])
  const others = readFileSync(path, 'utf8')
  assert.equal(mine.next(10).length, 1)
  appendFileSync(path, others)
  mine.taken()
  assert.equal(readFileSync(path, 'utf8'), others + others)
  mine.close()
  assert.equal(subjectsIn(path).length, 2)
})

test('a spill that cannot be read any more holds up no row of the memory', async () => {
  let reads = 0
  const { writer, take, pass, counts, told } = setUpWriter(storeOf(async () => {}))
  writer.useSpill({
    found: { rows: 7, brokenBytes: 0 },
    isEmpty: false,
    look: () => undefined,
    append: () => assert.fail('nothing is to be spilled'),
    next: () => {
      reads++
      throw new Error('EIO')
    },
    taken: () => 0,
    close: () => {},
  })
  for (let i = 0; i < 100; i++) {
    take(1)
    await pass(100)
    assert.equal(counts().queued, 0)
  }
  assert.deepEqual(counts(), { accepted: 107, written: 100, queued: 0, spilled: 7, dropped: 0 })
  assert.deepEqual(told, ['spill failing'])
  assert.ok(reads < 10, `${reads}`)
  await writer.close(0)
})
