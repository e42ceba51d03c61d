import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HeadReader } from '../../../src/http1/head-reader.ts'

const HEAD = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const MAX = 65_536

/** A head of this many bytes, its empty line included. */
function headOf(bytes: number): string {
  return `GET / HTTP/1.1\r\nX: ${'x'.repeat(bytes - 23)}\r\n\r\n`
}

describe('the head reader', () => {
  test('stops where the head ends, and its text starts with the head', () => {
    const reader = new HeadReader()
    const buffer = Buffer.from(`junk${HEAD}body`)
    assert.equal(reader.read(buffer, 4, buffer.length), 4 + HEAD.length)
    assert.equal(reader.state, 'whole')
    assert.ok(reader.text.startsWith(HEAD))
  })

  test('does not look beyond the end of what was read', () => {
    const reader = new HeadReader()
    const buffer = Buffer.from(HEAD)
    assert.equal(reader.read(buffer, 0, HEAD.length - 1), HEAD.length - 1)
    assert.equal(reader.state, 'incomplete')
    assert.equal(reader.partial(), HEAD.slice(0, -1))
  })

  for (const bytes of [4_095, 4_096, 4_097, 4_099, 4_100, 8_192, MAX - 1, MAX]) {
    test(`a head of ${bytes} bytes is found wherever it is split`, () => {
      const buffer = Buffer.from(`${headOf(bytes)}next`)
      for (const at of [0, 1, 4_094, 4_095, 4_096, bytes - 4, bytes - 3, bytes - 2, bytes - 1, bytes]) {
        const reader = new HeadReader()
        const first = at === 0 ? 0 : reader.read(buffer, 0, at)
        const end = reader.state === 'whole' ? first : reader.read(buffer, at, buffer.length)
        assert.equal(reader.state, 'whole')
        assert.equal(end, bytes)
        assert.equal(reader.text.slice(0, bytes), headOf(bytes))
      }
    })
  }

  test('a head over 64 KiB is too large, split or not', () => {
    const buffer = Buffer.from(headOf(MAX + 1))
    for (const at of [1, 60_000, MAX, MAX + 1]) {
      const reader = new HeadReader()
      if (reader.read(buffer, 0, at) < buffer.length) reader.read(buffer, at, buffer.length)
      assert.equal(reader.state, 'too-large')
      assert.ok(reader.text.length <= MAX + 1, 'no more than that is kept')
    }
  })

  test('64 KiB may still become a head, one byte more may not', () => {
    const reader = new HeadReader()
    reader.read(Buffer.from('x'.repeat(MAX)), 0, MAX)
    assert.equal(reader.state, 'incomplete')
    reader.read(Buffer.from('x'), 0, 1)
    assert.equal(reader.state, 'too-large')
  })

  for (const text of ['\n', 'GET / HTTP/1.1\n', 'GET / HTTP/1.1\r\nHost: a\n', 'a\r\n\n']) {
    test(`${JSON.stringify(text)} has a line end that is none`, () => {
      for (let at = 0; at < text.length; at++) {
        const reader = new HeadReader()
        const buffer = Buffer.from(text)
        if (at > 0) reader.read(buffer, 0, at)
        reader.read(buffer, at, text.length)
        assert.equal(reader.state, 'broken', `split at ${at}`)
      }
    })
  }

  test('bytes become the characters of the same number', () => {
    const reader = new HeadReader()
    const octets = Buffer.from([...Array(256).keys()].filter((octet) => octet !== 10))
    reader.read(octets, 0, 100)
    reader.read(octets, 100, octets.length)
    assert.equal(reader.partial(), octets.toString('latin1'))
  })

  test('begins anew after a reset', () => {
    const reader = new HeadReader()
    assert.equal(reader.hasBegun, false)
    reader.read(Buffer.from('x'), 0, 1)
    assert.equal(reader.hasBegun, true)
    reader.reset()
    assert.equal(reader.hasBegun, false)
    assert.equal(reader.read(Buffer.from(HEAD), 0, HEAD.length), HEAD.length)
    assert.equal(reader.state, 'whole')
  })
})

describe('empty lines before a request line', () => {
  const skip = (...reads: string[]): number => {
    const reader = new HeadReader()
    let at = 0
    for (const read of reads) at = reader.skipEmptyLines(Buffer.from(read), 0, read.length)
    return at
  }

  for (const [reads, at, what] of [
    [['GET'], 0, 'none'],
    [['\r\nGET'], 2, 'one'],
    [['\r', '\nGET'], 1, 'one in two reads'],
    [['\r\n'.repeat(8)], 16, 'eight, and nothing yet'],
    [['\r\n'.repeat(8), 'GET'], 0, 'eight'],
    [['\r\n'.repeat(8), '\r\n'], -1, 'nine'],
    [['\r\n'.repeat(9)], -1, 'nine at once'],
    [['\rGET'], -1, 'half a one'],
    [['\r', 'GET'], -1, 'half a one in two reads'],
    [['\r\r\n'], -1, 'one with a CR too many'],
    [['\nGET'], 0, 'a bare LF is none'],
  ] as const) {
    test(what, () => assert.equal(skip(...reads), at))
  }

  test('are not looked for in the middle of a head', () => {
    const reader = new HeadReader()
    reader.read(Buffer.from('GET / HTTP/1.1'), 0, 14)
    assert.equal(reader.skipEmptyLines(Buffer.from('\r\n\r\n'), 0, 4), 0)
  })

  test('are counted anew for the next request', () => {
    const reader = new HeadReader()
    const lines = Buffer.from('\r\n'.repeat(8))
    for (let i = 0; i < 3; i++) {
      assert.equal(reader.skipEmptyLines(lines, 0, 16), 16)
      reader.reset()
    }
  })
})
