import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { StreamReceiver } from '../../../src/http2/stream-receiver.ts'
import { ReadBuffer } from '../../../src/runtime/read-buffers.ts'

/** A taker that holds back when it is told to, and puts together what it gets. */
class Taker {
  body = ''
  content = 0
  given = 0
  isDone = false
  mayGoOn = true

  take(before: string, buffer: Buffer, start: number, end: number, content: number, isDone: boolean): boolean {
    assert.equal(this.isDone, false)
    this.body += before + buffer.toString('latin1', start, end)
    this.content += content
    this.isDone = isDone
    return this.mayGoOn
  }

  giveBack(bytes: number): void {
    this.given += bytes
  }
}

const shared = new ReadBuffer().next()

/** As it comes from a socket: in the memory that all share, with other bytes behind it. */
function arrive(receiver: StreamReceiver, content: string, isLast: boolean, at = 9): boolean {
  shared.fill('#')
  shared.write(content, at, 'latin1')
  const taken = receiver.data(shared, at, at + content.length, isLast)
  assert.equal(shared.toString('latin1', at + content.length, at + content.length + 9).replaceAll('#', ''), '')
  return taken
}

describe('chunks', () => {
  test('each piece is one, the end is with the last', () => {
    const taker = new Taker()
    const receiver = new StreamReceiver(taker)
    receiver.start(undefined, false)
    arrive(receiver, 'hello', false)
    arrive(receiver, ' world', true)
    assert.equal(taker.body, '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n')
    assert.equal(taker.content, 11)
    assert.equal(taker.isDone, true)
    assert.equal(taker.given, 11)
  })
  test('the end may come alone, with trailers', () => {
    const taker = new Taker()
    const receiver = new StreamReceiver(taker)
    receiver.start(undefined, false)
    arrive(receiver, 'hello', false)
    assert.equal(receiver.end('x: 1\r\n'), true)
    assert.equal(taker.body, '5\r\nhello\r\n0\r\nx: 1\r\n\r\n')
    assert.equal(taker.isDone, true)
  })
  test('at the end of the memory', () => {
    const taker = new Taker()
    const receiver = new StreamReceiver(taker)
    receiver.start(undefined, false)
    arrive(receiver, 'hello', false, shared.length - 6)
    assert.equal(taker.body, '5\r\nhello\r\n')
  })
})

test('what comes while it is held back is kept, counts, and goes on in order', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 20 }),
          fc.constantFrom('go', 'hold', 'stall'),
        ),
      ),
      fc.boolean(),
      fc.boolean(),
      (steps, isChunked, endsAlone) => {
        const taker = new Taker()
        const receiver = new StreamReceiver(taker)
        const content = steps.map(([text]) => text).join('')
        receiver.start(isChunked ? undefined : content.length, false)
        steps.forEach(([text, what], n) => {
          taker.mayGoOn = what !== 'stall'
          if (what === 'hold') receiver.hold()
          if (what === 'go') receiver.resume()
          assert.equal(arrive(receiver, text, !endsAlone && n === steps.length - 1), true)
        })
        taker.mayGoOn = true
        if (endsAlone || steps.length === 0) assert.equal(receiver.end(''), true)
        while (!taker.isDone) receiver.resume()
        receiver.resume()
        assert.equal(taker.content, content.length)
        assert.equal(taker.given, content.length)
        if (!isChunked) assert.equal(taker.body, content)
        else assert.equal(taker.body.replace(/([0-9a-f]+)\r\n/g, (size) => size).endsWith('0\r\n\r\n'), true)
      },
    ),
  )
})

describe('a length', () => {
  test('that is exceeded', () => {
    const taker = new Taker()
    const receiver = new StreamReceiver(taker)
    receiver.start(5, false)
    assert.equal(arrive(receiver, 'hello!', true), false)
    assert.equal(taker.body, '')
  })
  test('that is not reached', () => {
    const receiver = new StreamReceiver(new Taker())
    receiver.start(5, false)
    assert.equal(arrive(receiver, 'hell', false), true)
    assert.equal(receiver.end(''), false)
    const other = new StreamReceiver(new Taker())
    other.start(5, false)
    assert.equal(arrive(other, 'hell', true), false)
  })
  test('of nothing waits for the end of the stream', () => {
    const taker = new Taker()
    const receiver = new StreamReceiver(taker)
    receiver.start(0, false)
    assert.equal(receiver.isDone, false)
    assert.equal(receiver.end(''), true)
    assert.equal(taker.isDone, true)
  })
})

test('what nobody takes any more is given back', () => {
  const taker = new Taker()
  const receiver = new StreamReceiver(taker)
  receiver.start(undefined, false)
  receiver.hold()
  arrive(receiver, 'hello', false)
  receiver.close()
  assert.equal(taker.given, 5)
  arrive(receiver, ' world', true)
  assert.equal(taker.given, 11)
  assert.equal(receiver.isEnded, true)
  assert.equal(taker.body, '')
})
