import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isRefused } from '../../../src/http/downstream.ts'
import type { RequestHead } from '../../../src/http/message.ts'
import { encodeHead, encodeOwnAnswer, encodeResponseHead, withValue } from '../../../src/http1/encoder.ts'
import { parseRequestHead } from '../../../src/http1/parse-request.ts'
import { parseResponseHead } from '../../../src/http1/parse-response.ts'

const REQUEST = 'GET /a HTTP/1.1\r\nA: 1\r\nHOST:\t h  \r\nB:2\r\nTE: x\r\nc: 3 \r\n\r\nrest'

function requestHead(text: string): RequestHead {
  const head = parseRequestHead(text, 0)
  assert.ok(!isRefused(head))
  return head
}

describe('a request head', () => {
  const head = requestHead(REQUEST)
  const fields = 'A: 1\r\nHOST:\t h  \r\nB:2\r\nTE: x\r\nc: 3 \r\n'

  for (const [what, edits, appended, expected] of [
    ['as it came', [undefined, undefined], '', fields],
    ['a line replaced', ['Host: x\r\n', undefined], '', fields.replace('HOST:\t h  ', 'Host: x')],
    ['a line removed', ['', undefined], '', fields.replace('HOST:\t h  \r\n', '')],
    ['both removed and one appended', ['', ''], 'Z: 9\r\n', 'A: 1\r\nB:2\r\nc: 3 \r\nZ: 9\r\n'],
  ] as const) {
    test(what, () => {
      assert.equal(
        encodeHead(head, {
          startLine: `${head.method} /v1/a HTTP/1.1\r\n`,
          lines: head.lines,
          edits,
          appended: appended,
        }),
        `GET /v1/a HTTP/1.1\r\n${expected}\r\n`,
      )
    })
  }

  test('a value is replaced, and nothing around it', () => {
    const line = head.lines[0]!
    assert.equal(withValue(head.text, line, line.valueStart, 'api.example:8443'), 'HOST:\t api.example:8443  \r\n')
  })

  test('a part of a value is replaced', () => {
    const text = 'GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer  k \r\n\r\n'
    const line = requestHead(text).lines[1]!
    assert.equal(withValue(text, line, line.valueEnd - 1, 'key'), 'Authorization: Bearer  key \r\n')
  })
})

describe('a response head', () => {
  const encode = (text: string, addClose = false): string => {
    const head = parseResponseHead(text, 'GET')
    assert.ok(typeof head !== 'string')
    return encodeResponseHead(head, addClose)
  }

  test('goes on as it came', () => {
    const text = 'HTTP/1.1 200  very\tfine \xff\r\nb:1\r\nContent-Length:  0 \r\nA:  2 \r\n\r\n'
    assert.equal(encode(`${text}rest`), text)
  })

  test('says that the connection closes, once and at its end', () => {
    const text = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
    assert.equal(encode(text, true), 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    assert.equal(encode(text, false), 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })

  test('without any field gets its line all the same', () => {
    assert.equal(encode('HTTP/1.1 200 OK\r\n\r\n', true), 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n')
  })
})

describe('an answer of our own', () => {
  const answer = {
    status: 401,
    reason: 'Unauthorized',
    fields: [['A', '1'] as const, ['b', '2'] as const],
    content: '{}',
  }
  const head = 'HTTP/1.1 401 Unauthorized\r\nA: 1\r\nb: 2\r\nContent-Length: 2\r\n'

  for (const [isHead, addClose, expected] of [
    [false, false, `${head}\r\n{}`],
    [false, true, `${head}Connection: close\r\n\r\n{}`],
    [true, false, `${head}\r\n`],
    [true, true, `${head}Connection: close\r\n\r\n`],
  ] as const) {
    test(`${isHead ? 'to HEAD' : 'to GET'}${addClose ? ', closing' : ''}`, () => {
      assert.equal(encodeOwnAnswer(answer, isHead, addClose), expected)
    })
  }
})
