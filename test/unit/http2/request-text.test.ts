import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { joinCookies } from '../../../src/http/cookies.ts'
import { isRefused } from '../../../src/http/downstream.ts'
import { parseRequestHead } from '../../../src/http1/parse-request.ts'
import { FieldList } from '../../../src/http2/hpack-decoder.ts'
import { requestBlock } from '../../../src/http2/request-block.ts'
import { requestText } from '../../../src/http2/request-text.ts'
import { responseText } from '../../../src/http2/response-text.ts'
import { type FieldPair, unblock } from '../../support/http2-peer.ts'

function listOf(fields: readonly FieldPair[]): FieldList {
  const list = new FieldList()
  for (const [name, value] of fields) list.add(name, value, Number.POSITIVE_INFINITY)
  return list
}

const PSEUDO: readonly FieldPair[] = [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':path', '/x'],
  [':authority', 'a.test'],
]

describe('a request', () => {
  test('with a host of its own', () => {
    const fields: FieldPair[] = [...PSEUDO.slice(0, 3), ['x', '1'], ['host', 'b.test']]
    assert.equal(
      requestText(listOf(fields), true),
      'POST /x HTTP/1.1\r\nx: 1\r\nhost: b.test\r\nContent-Length: 0\r\n\r\n',
    )
  })
  test('whose host says what :authority says', () => {
    assert.equal(
      requestText(listOf([...PSEUDO, ['x', '1'], ['host', 'a.test']]), false),
      'POST /x HTTP/1.1\r\nhost: a.test\r\nx: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
  })
})

const token = fc.stringMatching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,12}$/).filter((name) => !OWN.has(name))
const OWN = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'host',
  'content-length',
  'expect',
  'cookie',
])
const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/)

test('whatever is well-formed becomes a head that is, and that head the same fields again', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(token, value), { maxLength: 20 }), fc.boolean(), (fields, isWhole) => {
      const text = requestText(listOf([...PSEUDO, ...fields]), isWhole)
      assert.equal(typeof text, 'string')
      const head = parseRequestHead(text as string, 0)
      assert.equal(isRefused(head), false)
      const { block, length } = requestBlock(text as string, 'https', true)
      assert.deepEqual(unblock(block), [
        [':method', 'POST'],
        [':scheme', 'https'],
        [':authority', 'a.test'],
        [':path', '/x'],
        ...fields,
      ])
      assert.equal(length, isWhole ? 0 : 'chunked')
    }),
  )
})

test('whatever comes, no line is added to a head by a name or a value', () => {
  const any = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((octet) => String.fromCharCode(octet)),
    maxLength: 12,
  })
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.oneof(any, token), any), { maxLength: 4 }), any, (fields, path) => {
      const list = [...PSEUDO.filter(([name]) => name !== ':path'), [':path', `/${path}`] as const, ...fields]
      const text = requestText(listOf(list), false)
      if (typeof text === 'string') assert.ok(text.split('\r\n').length <= 5 + fields.length)
      const answer = responseText(listOf([[':status', '200'], ...fields]), 'GET', false)
      if (typeof answer === 'string') assert.ok(answer.split('\r\n').length <= 4 + fields.length)
    }),
    { numRuns: 1_000 },
  )
})

describe('cookies', () => {
  const CASES: readonly (readonly [string, string])[] = [
    ['GET / HTTP/1.1\r\nhost: a\r\n\r\n', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['GET / HTTP/1.1\r\ncookie: a=1\r\n\r\n', 'GET / HTTP/1.1\r\ncookie: a=1\r\n\r\n'],
    [
      'GET / HTTP/1.1\r\ncookie: a=1\r\nx: 1\r\ncookie: b=2\r\ncookie: c\r\ny: 2\r\n\r\n',
      'GET / HTTP/1.1\r\ncookie: a=1; b=2; c\r\nx: 1\r\ny: 2\r\n\r\n',
    ],
    ['GET / HTTP/1.1\r\ncookie: a\r\ncookie: b\r\n\r\n', 'GET / HTTP/1.1\r\ncookie: a; b\r\n\r\n'],
  ]
  for (const [given, expected] of CASES) test(JSON.stringify(given), () => assert.equal(joinCookies(given), expected))
})
