import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FieldLine } from '../../../src/http/message.ts'
import { HeadScript } from '../../../src/http1/head-script.ts'
import { HeadTemplate, isRepeatable, MAY_DIFFER, type MayDiffer } from '../../../src/http1/head-template.ts'
import { parseRequestHead } from '../../../src/http1/parse-request.ts'

const LINES: readonly (readonly [text: string, mayDiffer: MayDiffer])[] = [
  ['Host: a', MAY_DIFFER.nothing],
  ['Authorization: Bearer key', MAY_DIFFER.secret],
  ['Date: Sat, 28 Nov', MAY_DIFFER.value],
  ['Content-Length: 12', MAY_DIFFER.length],
  ['x:', MAY_DIFFER.value],
]

function head(lines: readonly string[]): string {
  return `POST / HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
}

const TEXT = head(LINES.map(([text]) => text))

function template(text = TEXT): HeadTemplate {
  const parsed = parseRequestHead(text, 0)
  assert.ok('lines' in parsed)
  const judge = (_line: FieldLine | undefined, start: number): MayDiffer =>
    LINES.find(([line]) => text.startsWith(line.slice(0, line.indexOf(':') + 1), start))![1]
  return new HeadTemplate(text, parsed.contentLength, parsed.lines, judge)
}

/** Where a head ends that begins there, between bytes that are none of its own. */
function match(text: string, before = '', behind = ''): number {
  const bytes = Buffer.from(before + text + behind, 'latin1')
  return template().match(bytes, before.length, bytes.length)
}

describe('a head is recognised', () => {
  test('wherever it stands in its buffer', () => {
    for (let at = 0; at < 20; at++)
      assert.equal(match(TEXT, '\n'.repeat(at), at % 2 === 0 ? '' : 'body'), at + TEXT.length)
  })

  test('not before its last byte is there, whatever stands behind the end of what was read', () => {
    const bytes = Buffer.from(TEXT, 'latin1')
    for (let end = 0; end < bytes.length; end++) assert.equal(template().match(bytes, 0, end), -1, `${end}`)
    assert.equal(template().match(bytes, 0, bytes.length), bytes.length)
  })

  test('with another value cut at every byte not either', () => {
    const other = TEXT.replace('Sat, 28', 'Sunday, 29').replace('12', '3456')
    const bytes = Buffer.from(other, 'latin1')
    for (let end = 0; end < bytes.length; end++) assert.equal(template().match(bytes, 0, end), -1, `${end}`)
    assert.equal(template().match(bytes, 0, bytes.length), bytes.length)
  })

  test('with no other octet in its place, but in a value that nobody reads', () => {
    for (let at = 0; at < TEXT.length; at++) {
      for (const octet of [0, 1, 9, 0x0a, 0x0d, 0x20, 0x30, 0x39, 0x3a, 0x41, 0x7f, 0x80, 0xff]) {
        const c = String.fromCharCode(octet)
        if (TEXT[at] === c) continue
        const isDate = at >= TEXT.indexOf('Date:') + 5 && at < TEXT.indexOf('\r\nContent')
        const isLength = at >= TEXT.indexOf('12') && at < TEXT.indexOf('12') + 2
        const isValue = octet === 9 || (octet >= 0x20 && octet !== 0x7f)
        const isDigit = octet === 0x39 || (octet === 0x30 && TEXT[at] === '2')
        const expected = (isDate && isValue) || (isLength && isDigit) ? TEXT.length : -1
        assert.equal(match(TEXT.slice(0, at) + c + TEXT.slice(at + 1)), expected, `${octet} at ${at}`)
      }
    }
  })

  for (const [what, from, to] of [
    ['a line more', 'Host: a\r\n', 'Host: a\r\nx-more: a\r\n'],
    ['a line less', 'Host: a\r\n', ''],
    ['a line twice', 'x:\r\n', 'x:\r\nx:\r\n'],
    ['lines in another order', 'Host: a\r\nAuthorization: Bearer key\r\n', 'Authorization: Bearer key\r\nHost: a\r\n'],
    ['a name in other letters', 'Date:', 'date:'],
    ['a blank before the colon', 'Date:', 'Date :'],
    ['a folded value', 'Sat, ', 'Sat,\r\n '],
    ['a line end of one octet', 'Nov\r\n', 'Nov\n'],
    ['a bare CR', 'Nov\r\n', 'Nov\r\r\n'],
    ['another method', 'POST', 'GET'],
    ['no empty line', 'x:\r\n\r\n', 'x:\r\nx'],
  ] as const) {
    test(`not with ${what}`, () => {
      assert.ok(TEXT.includes(from))
      assert.equal(match(TEXT.replace(from, to), '', 'and more of it'), -1)
    })
  }

  for (const [text, length] of [
    ['0', 0],
    ['1', 1],
    ['999999999999999', 999_999_999_999_999],
    ['1000000000000000', undefined],
    ['00', undefined],
    ['012', undefined],
    ['', undefined],
    ['1 ', undefined],
    [' 1', undefined],
    ['+1', undefined],
    ['1,1', undefined],
    ['0x1', undefined],
    ['\xb2', undefined],
  ] as const) {
    test(`with the length ${JSON.stringify(text)}: ${length !== undefined}`, () => {
      const other = template()
      const bytes = Buffer.from(TEXT.replace('12', text), 'latin1')
      assert.equal(other.match(bytes, 0, bytes.length), length === undefined ? -1 : bytes.length)
      if (length !== undefined) assert.equal(other.contentLength, length)
    })
  }

  test('with obs-text in it: where nobody reads it, by its line', () => {
    const text = TEXT.replace('Sat, 28 Nov', '\x7f\xf8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'.slice(1))
    const bytes = Buffer.from(text, 'latin1')
    assert.equal(template(text).match(bytes, 0, bytes.length), bytes.length)
  })

  test('up to the length that a head may have', () => {
    const fill = (length: number): string => TEXT.replace('x:', `x:${'y'.repeat(length - TEXT.length)}`)
    assert.equal(match(fill(65_536)), 65_536)
    assert.equal(match(fill(65_537)), -1)
  })

  test('and says which values differ, in which order', () => {
    const other = template()
    const bytes = Buffer.from(TEXT.replace('Sat', 'Sun').replace('x:', 'x: y '), 'latin1')
    other.match(bytes, 0, bytes.length)
    const found = [...other.different.subarray(0, other.differentCount)]
    assert.deepEqual(
      found.map((i) => [other.valueOf(i, bytes), other.lineOf(i, bytes)]),
      [
        [' Sun, 28 Nov', 'Date: Sun, 28 Nov'],
        [' y ', 'x: y '],
      ],
    )
  })
})

test('only a head is remembered that is small, and whose length says how it is written', () => {
  assert.deepEqual(
    [undefined, '0', '7', '123456789012345', '1234567890123456', '007', '00'].map((text) => isRepeatable(100, text)),
    [true, true, true, true, false, false, false],
  )
  assert.deepEqual([isRepeatable(8_192, undefined), isRepeatable(8_193, undefined)], [true, false])
})

describe('what goes on of it is', () => {
  const REPEATED = TEXT.replace('Sat, 28 Nov', 'Sunday').replace('12', '5')
  const parsed = parseRequestHead(TEXT, 0)
  assert.ok('lines' in parsed)
  const { lines } = parsed
  const none = lines.map(() => undefined)
  const only = (field: number, edit: string): (string | undefined)[] =>
    lines.map((_, i) => (i === field ? edit : undefined))
  assert.equal(lines.length, 3)

  for (const [what, startLine, edits, appended, expected] of [
    ['all of it', undefined, none, '', REPEATED],
    ['another start line', 'GET /x HTTP/1.1\r\n', none, '', REPEATED.replace('POST /', 'GET /x')],
    ['the first line taken out', 'G\r\n', only(0, ''), '', REPEATED.replace(/^.*\r\n.*\r\n/, 'G\r\n')],
    ['another line', undefined, only(1, 'k: v\r\n'), '', REPEATED.replace(/Auth.*\r\n/, 'k: v\r\n')],
    ['a line more', undefined, none, 'k: v\r\n', REPEATED.replace('x:\r\n', 'x:\r\nk: v\r\n')],
    ['all at once', 'G\r\n', ['h\r\n', '', 'l\r\n'], 'k\r\n', 'G\r\nh\r\nDate: Sunday\r\nl\r\nx:\r\nk\r\n\r\n'],
    ['nothing of the lines', 'G\r\n', ['', '', ''], '', 'G\r\nDate: Sunday\r\nx:\r\n\r\n'],
  ] as const) {
    test(what, () => {
      const known = template()
      const script = new HeadScript(known, { startLine, lines, edits, appended })
      for (const before of ['', 'behind another one']) {
        const bytes = Buffer.from(`${before}${REPEATED}hello and what is not its own`, 'latin1')
        assert.notEqual(known.match(bytes, before.length, bytes.length), -1)
        assert.equal(script.length, expected.length)
        const target = Buffer.alloc(script.length + 5 + 3, '#')
        script.begin(bytes)
        script.copyTo(target, 5)
        assert.equal(target.toString('latin1'), `${expected}hello###`)
      }
    })
  }
})
