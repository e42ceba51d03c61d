import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import { createSink, type Sink } from '../../../src/observe/sink.ts'

/** What the descriptor does with a write: takes all of it, or fails with this code. */
let answer: 'take' | 'EAGAIN' | 'EPIPE' | 'ENOSPC' = 'take'
let writes: string[] = []
let calls = 0

function write(_fd: number, buffer: Buffer, offset: number, length: number): number {
  calls++
  if (answer !== 'take') throw Object.assign(new Error(answer), { code: answer })
  writes.push(buffer.toString('utf8', offset, offset + length))
  return length
}

function open(): Sink {
  return createSink({ fd: 1, describeDropped: (count) => `dropped ${count}\n` })
}

beforeEach(() => {
  answer = 'take'
  writes = []
  calls = 0
  mock.method(fs, 'writeSync', write)
  mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] })
  syncBuiltinESMExports()
})

afterEach(() => {
  mock.timers.reset()
  mock.restoreAll()
  syncBuiltinESMExports()
})

const MIB = 1024 * 1024
const KIB_LINE = `${'x'.repeat(1023)}\n`

describe('records', () => {
  test('go out together, 20 ms after the first', () => {
    const sink = open()
    sink.write('one\n')
    mock.timers.tick(19)
    sink.write('two\n')
    assert.deepEqual(writes, [])
    mock.timers.tick(1)
    assert.deepEqual(writes, ['one\ntwo\n'])
  })

  test('go out at once when there are 64 KiB of them', () => {
    const sink = open()
    for (let i = 0; i < 63; i++) sink.write(KIB_LINE)
    assert.deepEqual(writes, [])
    sink.write(KIB_LINE)
    assert.equal(writes.join('').length, 64 * 1024)
  })

  test('go out at once however long they are', () => {
    const sink = open()
    const long = `${'x'.repeat(66_000)}\n`
    for (let i = 0; i < 200; i++) sink.write(long)
    assert.equal(writes.join(''), long.repeat(200))
  })

  test('need no timer when there are none', () => {
    const sink = open()
    sink.write('one\n')
    mock.timers.tick(20)
    mock.timers.tick(10_000)
    assert.equal(calls, 1)
  })

  test('are written with their line ends whatever their characters', () => {
    const sink = open()
    sink.write('Zürich 日本 😀\n')
    sink.flushNow()
    assert.deepEqual(writes, ['Zürich 日本 😀\n'])
  })
})

describe('events', () => {
  test('go out at the end of the turn, with the records before them', () => {
    const sink = open()
    sink.write('record\n')
    sink.writeSoon('event\n')
    sink.writeSoon('another\n')
    assert.deepEqual(writes, [])
    mock.timers.tick(0)
    assert.deepEqual(writes, ['record\nevent\nanother\n'])
  })

  test('of the next turn go out as well', () => {
    const sink = open()
    sink.writeSoon('one\n')
    mock.timers.tick(0)
    sink.writeSoon('two\n')
    mock.timers.tick(0)
    assert.deepEqual(writes, ['one\n', 'two\n'])
  })
})

describe('a descriptor that takes nothing', () => {
  for (const code of ['EAGAIN', 'ENOSPC', 'EPIPE'] as const) {
    test(`(${code}) loses nothing of 7 MiB and gets them in order when it recovers`, () => {
      answer = code
      const sink = open()
      const lines = Array.from({ length: 7000 }, (_, i) => `${String(i).padStart(1023)}\n`)
      for (const line of lines) sink.write(line)
      answer = 'take'
      mock.timers.tick(500)
      assert.equal(writes.join(''), lines.join(''))
    })

    test(`(${code}) costs 8 MiB, then lines, and says so where they are missing`, () => {
      answer = code
      const sink = open()
      const fitting = (8 * MIB) / 1024
      for (let i = 0; i < fitting + 1234; i++) sink.write(KIB_LINE)
      answer = 'take'
      mock.timers.tick(500)
      sink.write('later\n')
      mock.timers.tick(20)
      const all = writes.join('')
      assert.equal(all.length, 8 * MIB + 'dropped 1234\nlater\n'.length)
      assert.ok(all.endsWith(`${KIB_LINE}dropped 1234\nlater\n`))
    })
  }

  test('is tried again 50 times a second when full, twice when broken', () => {
    for (const [code, most] of [
      ['EAGAIN', 500],
      ['EPIPE', 20],
    ] as const) {
      answer = code
      calls = 0
      const sink = open()
      sink.write('one\n')
      for (let ms = 0; ms < 10_000; ms += 10) mock.timers.tick(10)
      assert.ok(calls > most / 2 && calls <= most + 1, `${calls} calls in 10 s of ${code}`)
      answer = 'take'
      mock.timers.tick(500)
    }
  })

  test('does not count as recovered before half of the queue is out', () => {
    answer = 'EAGAIN'
    const sink = open()
    for (let i = 0; i < (8 * MIB) / 1024 + 10; i++) sink.write(KIB_LINE)
    // One batch of room: far from half, so the next line is still dropped.
    let room = 1
    mock.method(fs, 'writeSync', (_fd: number, buffer: Buffer, offset: number, length: number) => {
      if (room-- > 0) return write(1, buffer, offset, length)
      throw Object.assign(new Error('full'), { code: 'EAGAIN' })
    })
    syncBuiltinESMExports()
    answer = 'take'
    mock.timers.tick(20)
    sink.write(KIB_LINE)
    assert.ok(!writes.join('').includes('dropped'))
    room = Number.POSITIVE_INFINITY
    mock.timers.tick(20)
    assert.ok(writes.join('').endsWith('dropped 11\n'))
  })
})

describe('a flush before an exit', () => {
  test('writes what is there', async () => {
    const sink = open()
    sink.write('one\n')
    await sink.flush()
    assert.deepEqual(writes, ['one\n'])
  })

  test('does not wait for what is broken', async () => {
    answer = 'EPIPE'
    const sink = open()
    sink.write('one\n')
    await sink.flush()
    assert.deepEqual(writes, [])
  })

  test('says what was dropped', async () => {
    answer = 'EAGAIN'
    const sink = open()
    for (let i = 0; i < (8 * MIB) / 1024 + 1; i++) sink.write(KIB_LINE)
    answer = 'take'
    await sink.flush()
    assert.ok(writes.join('').endsWith('dropped 1\n'))
  })
})
