import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import { createRingSink } from '../../../src/observe/ring-sink.ts'
import { createSink, type LineIntake, type Sink } from '../../../src/observe/sink.ts'
import { collectLines, type WorkerLines } from '../../../src/observe/worker-lines.ts'
import { SLOT, Tally } from '../../../src/workers/tally.ts'

/** Both sides in one thread, so that the test says when which of them runs. */

let takes = true
let written = ''
let main: Sink & LineIntake
let mainTally: Tally
let open: () => WorkerLines

beforeEach(() => {
  takes = true
  written = ''
  mock.method(fs, 'writeSync', (_fd: number, buffer: Buffer, offset: number, length: number) => {
    if (!takes) throw Object.assign(new Error('full'), { code: 'EAGAIN' })
    written += buffer.toString('utf8', offset, offset + length)
    return length
  })
  mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] })
  syncBuiltinESMExports()
  mainTally = new Tally()
  main = createSink({ fd: 1, describeDropped: (count) => `dropped ${count}\n`, tally: mainTally })
  open = collectLines(main, mainTally)
})

afterEach(() => {
  mock.timers.reset()
  mock.restoreAll()
  syncBuiltinESMExports()
})

interface Worker {
  readonly lines: WorkerLines
  readonly sink: Sink
  readonly tally: Tally
  /** How often it has asked the main thread to come. */
  asked(): number
}

/** `comes`: the main thread comes as soon as it is asked. */
function start(comes: boolean): Worker {
  const lines = open()
  const tally = new Tally()
  let asked = 0
  const notify = (line?: string): void => {
    if (line !== undefined) {
      lines.post(line)
      return
    }
    asked++
    if (comes) lines.drain()
  }
  return { lines, tally, sink: createRingSink(lines.shared, { notify, tally }), asked: () => asked }
}

const MIB = 1024 * 1024
const KIB_LINE = `${'x'.repeat(1023)}\n`

function fill(sink: Sink, kib: number): void {
  for (let i = 0; i < kib; i++) sink.write(KIB_LINE)
}

describe('a worker’s records', () => {
  test('go out together, 20 ms after the first', () => {
    const { sink } = start(true)
    sink.write('one\n')
    mock.timers.tick(19)
    sink.write('two\n')
    assert.equal(written, '')
    mock.timers.tick(1)
    assert.equal(written, 'one\ntwo\n')
  })

  test('go out at once when there are 64 KiB of them', () => {
    const { sink } = start(true)
    fill(sink, 63)
    assert.equal(written, '')
    fill(sink, 1)
    assert.equal(written.length, 64 * 1024)
  })

  test('that are longer than the ring go out in order', () => {
    const { sink } = start(true)
    const long = `${'é'.repeat(MIB)}\n`
    sink.write('before\n')
    sink.write(long)
    sink.write('after\n')
    mock.timers.tick(20)
    assert.equal(written, `before\n${long}after\n`)
  })

  test('go out with those of the others, whoever has asked', () => {
    const [one, two] = [start(true), start(false)]
    two.sink.write('two\n')
    one.sink.write('one\n')
    one.sink.flushNow()
    assert.equal(written, 'one\ntwo\n')
  })
})

test('events go out at the end of the turn, with the records before them', () => {
  const { sink } = start(true)
  sink.write('record\n')
  sink.writeSoon('event\n')
  sink.writeSoon('another\n')
  assert.equal(written, '')
  mock.timers.tick(0)
  assert.equal(written, 'record\nevent\nanother\n')
})

describe('the main thread', () => {
  test('is asked once until it has come, and again for what is new', () => {
    const worker = start(false)
    for (let i = 0; i < 5; i++) {
      fill(worker.sink, 64)
      mock.timers.tick(20)
    }
    assert.equal(worker.asked(), 1)
    worker.lines.drain()
    assert.equal(written.length, 5 * 64 * 1024)
    worker.sink.write('more\n')
    mock.timers.tick(20)
    assert.equal(worker.asked(), 2)
  })

  test('is not asked for nothing', () => {
    const worker = start(false)
    worker.sink.flushNow()
    worker.sink.write('one\n')
    worker.lines.drain()
    mock.timers.tick(10_000)
    assert.equal(worker.asked(), 0)
  })
})

describe('a main thread that does not come', () => {
  test('costs what the ring cannot hold, and that is said where it is missing', () => {
    const { sink, lines, tally } = start(false)
    fill(sink, 1024 + 10)
    lines.drain()
    sink.write('next\n')
    lines.drain()
    assert.equal(written, `${KIB_LINE.repeat(1024)}dropped 10\nnext\n`)
    assert.equal(tally.get(SLOT.recordsDropped), 10)
    assert.equal(mainTally.get(SLOT.recordsDropped), 0)
  })

  test('is told in one line what all of them have lost', () => {
    const workers = [start(false), start(false), start(false)]
    for (const { sink } of workers) fill(sink, 1024 + 5)
    workers[0]!.lines.drain()
    assert.equal(written.length, 3 * MIB + 'dropped 15\n'.length)
    assert.ok(written.endsWith('\ndropped 15\n'))
  })
})

describe('a descriptor that takes nothing', () => {
  test('fills the queue, then the rings, and nothing of that is lost', () => {
    const { sink, lines, tally } = start(true)
    takes = false
    fill(main, 8 * 1024 - 1)
    fill(sink, 1024)
    lines.drain()
    takes = true
    mock.timers.tick(20)
    assert.equal(written.length, 9 * MIB - 1024)
    assert.equal(tally.get(SLOT.recordsDropped) + mainTally.get(SLOT.recordsDropped), 0)
  })

  test('costs lines behind that, all told in one line', () => {
    const { sink, tally } = start(true)
    takes = false
    fill(main, 8 * 1024 + 3)
    fill(sink, 1024 + 4)
    takes = true
    mock.timers.tick(20)
    assert.equal(written, `${KIB_LINE.repeat(8 * 1024)}dropped 3\n${KIB_LINE.repeat(1024)}dropped 4\n`)
    assert.equal(mainTally.get(SLOT.recordsDropped), 3)
    assert.equal(tally.get(SLOT.recordsDropped), 4)
  })

  test('keeps long lines behind those in the ring, and says what is missing behind them', () => {
    const { sink } = start(false)
    const long = `long ${'x'.repeat(MIB)}\n`
    takes = false
    fill(main, 8 * 1024 + 1)
    fill(sink, 500)
    for (let i = 0; i < 6; i++) sink.write(long)
    fill(sink, 7)
    takes = true
    mock.timers.tick(20)
    const text = `${KIB_LINE.repeat(8 * 1024)}dropped 1\n${KIB_LINE.repeat(500)}${long.repeat(4)}dropped 9\n`
    assert.equal(written, text)
  })

  test('lets no long line go before those in the ring where there is room for that one only', () => {
    const { sink } = start(false)
    const long = `${'日'.repeat(400_000)}\n`
    takes = false
    fill(main, 8 * 1024 - 500)
    fill(sink, 900)
    sink.write(long)
    takes = true
    mock.timers.tick(20)
    assert.ok(written.endsWith(KIB_LINE + long))
    assert.equal(Buffer.byteLength(written), (8 * 1024 + 400) * 1024 + Buffer.byteLength(long))
  })

  test('is not waited for by a line that is longer than all that may wait', () => {
    const { sink, lines, tally } = start(false)
    takes = false
    main.write('before\n')
    sink.write(`${'x'.repeat(9 * MIB)}\n`)
    sink.write('after\n')
    takes = true
    mock.timers.tick(20)
    sink.write('next\n')
    lines.drain()
    assert.equal(written, 'before\ndropped 2\nnext\n')
    assert.equal(tally.get(SLOT.recordsDropped) + mainTally.get(SLOT.recordsDropped), 2)
  })
})

describe('the end of a worker', () => {
  test('loses nothing that is in its ring', () => {
    const { sink, lines } = start(false)
    sink.write('last words\n')
    lines.close()
    assert.equal(written, 'last words\n')
  })

  test('gives its ring back also where nobody reads the log, and what was in it is counted', () => {
    const { sink, lines, tally } = start(false)
    takes = false
    fill(main, 8 * 1024 + 1)
    fill(sink, 1000)
    sink.write(`long ${'x'.repeat(MIB)}\n`)
    sink.write('after\n')
    lines.close()
    takes = true
    mock.timers.tick(20)
    assert.equal(written, `${KIB_LINE.repeat(8 * 1024)}dropped ${1 + 1000 + 2}\n`)
    assert.equal(mainTally.get(SLOT.recordsDropped) + tally.get(SLOT.recordsDropped), 1 + 1000 + 2)
  })
})

describe('a flush', () => {
  test('of the main thread writes what is in the rings', async () => {
    const workers = [start(false), start(false)]
    for (const { sink } of workers) sink.write('one\n')
    await main.flush()
    assert.equal(written, 'one\none\n')
  })

  test('of a worker waits until the main thread has taken everything', async () => {
    mock.timers.reset()
    const { sink, lines, asked } = start(false)
    sink.write('one\n')
    let isFlushed = false
    const flushed = sink.flush(60_000).then(() => {
      isFlushed = true
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual([asked(), isFlushed], [1, false])
    lines.drain()
    await flushed
    assert.equal(written, 'one\n')
  })

  test('of a worker has an end', async () => {
    mock.timers.reset()
    const { sink } = start(false)
    sink.write('one\n')
    await sink.flush(1)
    assert.equal(written, '')
  })
})
