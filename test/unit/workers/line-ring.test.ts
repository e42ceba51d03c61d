import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createLineRing, type LineWriter, openLineReader, openLineWriter } from '../../../src/workers/line-ring.ts'

/** Both ends of a ring in one thread, with what goes by message kept back until it is delivered. */
class Ring {
  readonly reader
  readonly writer: LineWriter
  readonly messages: string[] = []
  /** What has come out, in order; `missing 3` stands for three lines. */
  out = ''

  /** `start`: the position that both begin at. */
  constructor(capacity: number, start = 0) {
    const shared = createLineRing(capacity)
    const words = new Int32Array(shared)
    words[0] = start
    words[16] = start
    this.reader = openLineReader(shared)
    this.writer = openLineWriter(shared, (line) => this.messages.push(line))
  }

  read(room = Number.POSITIVE_INFINITY): boolean {
    const pieces: Buffer[] = []
    const isRead = this.reader.read(room, (piece) => pieces.push(Buffer.from(piece)))
    this.out += Buffer.concat(pieces).toString()
    return isRead
  }

  tell(): void {
    const missing = this.reader.missing()
    if (missing > 0) this.out += `missing ${missing}\n`
  }

  deliver(): void {
    const line = this.messages.shift()
    if (line === undefined) return
    this.read()
    this.reader.arrived(line)
    this.out += line
  }

  visit(): void {
    this.read()
    this.tell()
  }

  settle(): void {
    for (let rounds = 0; !this.writer.isSettled(); rounds++) {
      assert.ok(rounds < 10_000, 'it never settles')
      this.deliver()
      this.visit()
    }
  }
}

const CAPACITY = 64

describe('a line', () => {
  test('arrives whole at every place of the ring, over its end too', () => {
    for (let offset = 0; offset < CAPACITY; offset++) {
      for (let length = 1; length <= CAPACITY; length++) {
        const ring = new Ring(CAPACITY, offset)
        const line = `${'x'.repeat(length - 1)}\n`
        assert.equal(ring.writer.write(line), true)
        assert.equal(ring.reader.size(), length)
        ring.visit()
        assert.equal(ring.out, line)
      }
    }
  })

  test('arrives whole when positions pass 2^31 and 2^32', () => {
    for (const start of [0x7fff_ffff - 100, -100]) {
      const ring = new Ring(CAPACITY, start | 0)
      let sent = ''
      for (let i = 0; i < 40; i++) {
        const line = `line ${i} of ${start}\n`
        assert.equal(ring.writer.write(line), true)
        const position = ring.writer.position()
        assert.equal(ring.writer.isRead(position), false)
        ring.visit()
        assert.equal(ring.writer.isRead(position), true)
        sent += line
      }
      assert.equal(ring.out, sent)
    }
  })

  test('is in nobody else’s memory', () => {
    const ring = new Ring(CAPACITY)
    ring.writer.write('first\n')
    const pieces: Buffer[] = []
    ring.reader.read(CAPACITY, (piece) => pieces.push(piece))
    assert.equal(pieces.length, 1)
    assert.ok(pieces[0]!.buffer instanceof SharedArrayBuffer, 'it is not copied on its way')
  })

  test('waits in the ring where there is no room for it', () => {
    const ring = new Ring(CAPACITY)
    ring.writer.write('first\n')
    assert.equal(ring.read(5), false)
    assert.equal(ring.out, '')
    assert.equal(ring.read(6), true)
    assert.equal(ring.out, 'first\n')
  })

  test('that is longer than the ring goes by message, in order with all others', () => {
    const ring = new Ring(CAPACITY)
    const long = `${'x'.repeat(CAPACITY)}\n`
    const lines = ['before\n', long, 'after\n', long, 'last\n']
    for (const line of lines) assert.equal(ring.writer.write(line), true)
    assert.deepEqual(ring.messages, lines.slice(1))
    ring.settle()
    assert.equal(ring.writer.write('again\n'), true)
    assert.equal(ring.messages.length, 0, 'and then there are no messages any more')
    ring.visit()
    assert.equal(ring.out, `${lines.join('')}again\n`)
  })

  test('by message has a bound as well', () => {
    const ring = new Ring(CAPACITY)
    const long = `${'x'.repeat(CAPACITY)}\n`
    const taken = Array.from({ length: 6 }, () => ring.writer.write(long))
    assert.deepEqual(taken, [true, true, true, true, false, false])
    ring.settle()
    assert.equal(ring.out, `${long.repeat(4)}missing 2\n`)
  })
})

describe('a full ring', () => {
  test('leaves whole lines out, and says how many where they are missing', () => {
    const ring = new Ring(CAPACITY)
    const line = `${'x'.repeat(31)}\n`
    assert.deepEqual(
      Array.from({ length: 5 }, () => ring.writer.write(line)),
      [true, true, false, false, false],
    )
    assert.equal(ring.writer.write('s\n'), false)
    ring.visit()
    assert.equal(ring.writer.write('next\n'), true)
    ring.visit()
    assert.equal(ring.out, `${line}${line}missing 4\nnext\n`)
  })

  test('takes nothing more until its reader knows of what is missing', () => {
    const ring = new Ring(CAPACITY)
    const line = `${'x'.repeat(63)}\n`
    ring.writer.write(line)
    ring.writer.write('one\n')
    ring.read()
    assert.equal(ring.writer.write('two\n'), false)
    assert.equal(ring.writer.isSettled(), false)
    ring.visit()
    assert.equal(ring.writer.isSettled(), true)
    assert.equal(ring.writer.write('three\n'), true)
    ring.visit()
    assert.equal(ring.out, `${line}missing 2\nthree\n`)
  })

  test('takes a line that just fits, whatever its characters might have come to', () => {
    const ring = new Ring(CAPACITY)
    ring.writer.write('x'.repeat(30))
    assert.equal(ring.writer.write('y'.repeat(34)), true)
    ring.visit()
    assert.equal(ring.out, `${'x'.repeat(30)}${'y'.repeat(34)}`)
  })
})

describe('a writer that has ended', () => {
  test('leaves what it has committed', () => {
    const ring = new Ring(CAPACITY)
    ring.writer.write('one\n')
    ring.writer.write('two\n')
    assert.equal(ring.reader.abandon(), 2)
    assert.equal(ring.reader.size(), 0)
    assert.equal(ring.reader.missing(), 0)
  })

  test('leaves what it has left out', () => {
    const ring = new Ring(CAPACITY)
    for (let i = 0; i < 3; i++) ring.writer.write(`${'x'.repeat(39)}\n`)
    assert.equal(ring.reader.abandon(), 1)
    assert.equal(ring.reader.missing(), 2)
  })
})

type Step = { type: 'write'; length: number } | { type: 'read'; room: number } | { type: 'tell' | 'deliver' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('write' as const), length: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('write' as const), length: fc.nat(150) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('read' as const), room: fc.nat(200) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('tell' as const, 'deliver' as const) }) },
)

/** What must come out: every line that was taken, in order, and for each gap how many are missing. */
class Expected {
  text = ''
  #missing = 0

  note(line: string, isTaken: boolean): void {
    if (!isTaken) {
      this.#missing++
      return
    }
    this.end()
    this.text += line
  }

  end(): void {
    if (this.#missing > 0) this.text += `missing ${this.#missing}\n`
    this.#missing = 0
  }
}

/** One gap may be told in several parts. */
function joinGaps(text: string): string {
  return text.replace(/(?:missing \d+\n)+/g, (gap) => {
    const counts = [...gap.matchAll(/\d+/g)].map(Number)
    return `missing ${counts.reduce((sum, count) => sum + count)}\n`
  })
}

test('whatever the order of things, every line comes once, whole and in order, or is counted where it is missing', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(64, 128, 256),
      fc.constantFrom(0, 0x7fff_ffc0, -64),
      fc.constantFrom('a', 'é', '日', '😀', '\ud800'),
      fc.array(step, { maxLength: 300 }),
      (capacity, start, character, steps) => {
        const ring = new Ring(capacity, start)
        const expected = new Expected()
        let number = 0
        for (const each of steps) {
          if (each.type === 'write') {
            const line = `${number++} ${character.repeat(each.length)}\n`
            expected.note(Buffer.from(line).toString(), ring.writer.write(line))
          } else if (each.type === 'read') ring.read(each.room)
          else ring[each.type]()
        }
        ring.settle()
        expected.end()
        assert.equal(joinGaps(ring.out.toWellFormed()), expected.text)
        assert.equal(ring.writer.write('more\n'), true)
      },
    ),
    { numRuns: 2000 },
  )
})
