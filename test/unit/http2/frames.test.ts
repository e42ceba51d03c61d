import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ERROR, FrameReader, MAX_FRAME_BYTES } from '../../../src/http2/frames.ts'
import { frame, TYPE } from '../../support/http2-peer.ts'

/** Reads the bytes in these pieces; the log says what was told, with content put together. */
function read(bytes: Buffer, cuts: readonly number[] = []): string[] {
  const log: string[] = []
  let content = ''
  const reader = new FrameReader({
    frame(type, flags, stream, length) {
      log.push(`frame ${type} ${flags} ${stream} ${length}`)
      return ERROR.none
    },
    data(buffer, start, end, isLast) {
      content += buffer.toString('latin1', start, end)
      if (isLast) log.push('last')
    },
    dataEnd() {
      log.push(`content ${content}`)
      content = ''
      return ERROR.none
    },
    payload(buffer, start, end) {
      log.push(`payload ${buffer.toString('latin1', start, end)}`)
      return ERROR.none
    },
  })
  let at = 0
  for (const cut of [...cuts, bytes.length]) {
    const error = reader.read(Buffer.from(bytes.subarray(at, cut)), 0, cut - at)
    if (error !== ERROR.none) return [...log, `error ${error}`]
    at = cut
  }
  return log
}

const FRAMES = Buffer.concat([
  frame(TYPE.settings, 0, 0),
  frame(TYPE.headers, 5, 1, Buffer.from('abc')),
  frame(TYPE.data, 0, 1, Buffer.from('hello')),
  frame(TYPE.data, 0, 1),
  frame(TYPE.data, 9, 3, Buffer.from('\x02worldxx')),
  frame(TYPE.data, 8, 3, Buffer.from('\x00all')),
  frame(TYPE.data, 8, 3, Buffer.from('\x03xxx')),
  frame(0xbe, 0xff, 0x7fffffff, Buffer.from('unknown')),
])

test('frames come as they were sent, wherever their bytes are cut', () => {
  const whole = read(FRAMES)
  assert.deepEqual(whole, [
    'frame 4 0 0 0',
    'payload ',
    'frame 1 5 1 3',
    'payload abc',
    'frame 0 0 1 5',
    'last',
    'content hello',
    'frame 0 0 1 0',
    'content ',
    'frame 0 9 3 8',
    'last',
    'content world',
    'frame 0 8 3 4',
    'last',
    'content all',
    'frame 0 8 3 4',
    'content ',
    'frame 190 255 2147483647 7',
    'payload unknown',
  ])
  for (let cut = 0; cut <= FRAMES.length; cut++) assert.deepEqual(read(FRAMES, [cut]), whole)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: FRAMES.length })), (cuts) => {
      assert.deepEqual(
        read(
          FRAMES,
          cuts.toSorted((a, b) => a - b),
        ),
        whole,
      )
    }),
  )
  assert.deepEqual(
    read(
      FRAMES,
      Array.from({ length: FRAMES.length }, (_, at) => at),
    ),
    whole,
  )
})

describe('what is no frame', () => {
  test('a payload that is too large', () => {
    assert.deepEqual(read(frame(TYPE.headers, 4, 1, Buffer.alloc(MAX_FRAME_BYTES + 1))), [`error ${ERROR.frameSize}`])
  })
  test('padding longer than what is there', () => {
    assert.deepEqual(read(frame(TYPE.data, 8, 1, Buffer.from('\x04xxx'))).at(-1), `error ${ERROR.protocol}`)
  })
  test('padding without its length', () => {
    assert.deepEqual(read(frame(TYPE.data, 8, 1)).at(-1), `error ${ERROR.frameSize}`)
  })
})
