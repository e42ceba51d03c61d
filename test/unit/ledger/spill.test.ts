import assert from 'node:assert/strict'
import fs, { appendFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSpill, type Spill } from '../../../src/ledger/spill.ts'
import { sampleRow, temporaryFolder } from '../../support/ledger-rows.ts'

const open = (path: string, maxBytes = 1e6): Spill => openSpill(path, maxBytes) ?? assert.fail('it belongs to another')
const rows = (count: number, subject = 'a\nb "é"') => Array.from({ length: count }, () => sampleRow({ subject }))

test('rows come back as they went in, in their order, and the file goes with the last one', () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const first = open(path)
  const [a, b, c] = rows(3)
  assert.ok(first.append([a!, b!]) && first.append([c!]))
  first.close()
  assert.equal(statSync(path).mode & 0o777, 0o600)
  const second = open(path)
  assert.deepEqual(second.found, { rows: 3, brokenBytes: 0 })
  assert.deepEqual(second.next(2), [a, b])
  // Not taken yet.
  assert.deepEqual(second.next(2), [a, b])
  second.taken()
  assert.deepEqual(second.next(2), [c])
  second.taken()
  assert.ok(second.isEmpty)
  assert.equal(statSync(path).size, 0)
  second.close()
  assert.ok(!existsSync(path) && !existsSync(`${path}.lock`))
})

test('a tail that was torn at any byte costs the torn record alone', () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const spill = open(path)
  spill.append(rows(3))
  const whole = readFileSync(path)
  const second = whole.indexOf('\n', whole.indexOf('\n') + 1) + 1
  spill.close()
  for (let size = second; size < whole.length; size += 7) {
    writeFileSync(path, whole)
    truncateSync(path, size)
    const torn = open(path)
    assert.deepEqual(torn.found, { rows: 2, brokenBytes: size - second })
    // What comes next is not glued to it.
    torn.append(rows(1, 'new'))
    assert.equal(torn.next(10).length, 3)
    torn.close()
  }
})

test('what is broken in the middle is skipped, and the rest is there', () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const spill = open(path)
  spill.append(rows(1))
  appendFileSync(path, '00000000 ["wrong sum"]\nno record at all\n')
  spill.close()
  const again = open(path)
  again.append(rows(1))
  assert.deepEqual(again.found, { rows: 1, brokenBytes: 40 })
  assert.equal(again.next(10).length, 2)
  again.close()
})

test('there is room up to the limit, and again once rows were taken', () => {
  using folder = temporaryFolder()
  const spill = open(join(folder.path, 'spill'), 2_000)
  let appended = 0
  while (spill.append(rows(1))) appended++
  assert.ok(appended > 0)
  spill.next(100)
  spill.taken()
  assert.ok(spill.append(rows(1)))
  spill.close()
})

const noProc = existsSync('/proc/1/stat') ? false : 'only /proc tells when a process has begun'

test('a spill belongs to one living process', { skip: noProc }, () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  // Process 1 lives, and is another one.
  const stat = readFileSync('/proc/1/stat', 'utf8')
  writeFileSync(`${path}.lock`, `1 ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`)
  assert.equal(openSpill(path, 1e6), undefined)
  // One that had the same pid before, and one that is no more.
  for (const text of ['1 12345678901', '4194304 1', 'nonsense', '']) {
    writeFileSync(`${path}.lock`, text)
    open(path).close()
  }
})

test('a record of another version, with other columns, is none: its values would go into the wrong ones', () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  const spill = open(path)
  spill.append([sampleRow().slice(0, -2), ...rows(1)])
  spill.close()
  const again = open(path)
  assert.equal(again.next(10).length, 1)
  // The other one is lost, and told.
  assert.equal(again.taken(), 1)
  again.close()
})

test('a file that cannot be read gives its descriptor back, however often it is tried', { skip: noProc }, (t) => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'spill')
  writeFileSync(path, 'torn')
  const descriptors = (): number => fs.readdirSync('/proc/self/fd').length
  const before = descriptors()
  t.mock.method(fs, 'readSync', () => {
    throw new Error('EIO: the disk is going')
  })
  syncBuiltinESMExports()
  try {
    for (let i = 0; i < 5; i++) assert.throws(() => openSpill(path, 1e6), /EIO/)
  } finally {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  }
  assert.equal(descriptors(), before)
  open(path).close()
})
