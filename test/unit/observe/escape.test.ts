import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { cutToFit, quote, textMessage, textValue } from '../../../src/observe/escape.ts'
import { anyText } from './any-text.ts'

const TEXT: readonly (readonly [value: string, written: string])[] = [
  ['plain', 'plain'],
  ['/v1/chat?a=b&c=%20', '/v1/chat?a=b&c=%20'],
  ['[::1]:8080', '[::1]:8080'],
  ['{"a"}', '"{\\"a\\"}"'],
  ['', '""'],
  ['a b', '"a b"'],
  ["it's", '"it\'s"'],
  ['C:\\x', '"C:\\\\x"'],
  ['a\r\nb', '"a\\r\\nb"'],
  ['\t', '"\\t"'],
  ['\u001b[31m', '"\\u001b[31m"'],
  ['\u0000', '"\\u0000"'],
  ['\u007f', '"\\u007f"'],
  ['next\u0085line', '"next\\u0085line"'],
  ['line\u2028separator', '"line\\u2028separator"'],
  ['\u202egnp.exe', '"\\u202egnp.exe"'],
  ['\ud800', '"\\ud800"'],
  ['x\udc00', '"x\\udc00"'],
  ['no\u00a0break', '"no\u00a0break"'],
  ['Zürich', 'Zürich'],
  ['日本語', '日本語'],
  ['😀', '😀'],
]

describe('a value of the text format', () => {
  for (const [value, written] of TEXT) {
    test(`${JSON.stringify(value)} is written ${written}`, () => assert.equal(textValue(value), written))
  }
})

test('a quoted value is a JSON string that gives the value back, whatever it is', () => {
  fc.assert(
    fc.property(anyText(), (value) => {
      assert.equal(JSON.parse(quote(value)), value)
    }),
  )
})

test('quoting keeps halves of surrogate pairs readable for JSON parsers', () => {
  for (const half of ['\ud83d', '\ude00', '\ude00\ud83d']) {
    assert.ok(quote(half).isWellFormed())
    assert.equal(JSON.parse(quote(half)), half)
  }
})

test('a message keeps its blanks and quotes and loses its line ends', () => {
  assert.equal(textMessage('can\'t bind "x"\nINFO forged \u001b[2J'), 'can\'t bind "x"\\nINFO forged \\u001b[2J')
})

describe('a value that is cut', () => {
  const octets = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((octet) => String.fromCharCode(octet)),
    maxLength: 80,
  })

  test('takes no more than its bound as written, in both formats, and shows that it was cut', () => {
    fc.assert(
      fc.property(octets, fc.integer({ min: 6, max: 200 }), (value, maxBytes) => {
        const cut = cutToFit(value, maxBytes)
        for (const written of [quote(cut), textValue(cut)]) {
          assert.ok(Buffer.byteLength(written) <= maxBytes + 2, `${Buffer.byteLength(written)} of ${maxBytes}`)
        }
        if (cut === value) return
        assert.ok(cut.endsWith('…') && value.startsWith(cut.slice(0, -1)))
        assert.ok(Buffer.byteLength(quote(value)) > maxBytes, 'it would have fit')
        const next = value[cut.length - 1]!
        assert.ok(Buffer.byteLength(quote(cut.slice(0, -1) + next)) + 3 > maxBytes, 'more of it would have fit')
      }),
    )
  })
})
