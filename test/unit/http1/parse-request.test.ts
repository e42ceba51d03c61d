import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isRefused } from '../../../src/http/downstream.ts'
import type { RequestHead } from '../../../src/http/message.ts'
import { parseRequestHead, readRequestLine } from '../../../src/http1/parse-request.ts'
import { RequestHeadReader } from '../../../src/http1/request-head-reader.ts'

// What is refused, and with what, stands in test/wire.

function parse(text: string, start = 0): RequestHead {
  const head = parseRequestHead(text, start)
  assert.ok(!isRefused(head))
  return head
}

describe('a parsed request', () => {
  test('knows its parts by their places', () => {
    const text = 'POST /a/b?c HTTP/1.1\r\nHost: h\r\nContent-Length: 07\r\n\r\nrest'
    const head = parse(text)
    assert.equal(head.method, 'POST')
    assert.equal(head.target, '/a/b?c')
    assert.equal(head.pathAndQuery.slice(0, head.pathLength), '/a/b')
    assert.equal(text.slice(head.fieldsStart, head.end), 'Host: h\r\nContent-Length: 07\r\n\r\n')
    assert.equal(head.contentLength, 7)
    assert.equal(head.contentLengthText, '07')
  })

  test('may start anywhere in its text', () => {
    const text = 'xxxGET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\n'
    const head = parse(text, 3)
    assert.equal(text.slice(head.start, head.end), 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n')
    assert.equal(head.lines[0]!.start, head.fieldsStart)
  })

  test('says both what the target was and what of it counts', () => {
    const head = parse('GET http://h?x HTTP/1.1\r\nHost: H\r\n\r\n')
    assert.equal(head.target, 'http://h?x')
    assert.equal(head.pathAndQuery, '/?x')
    assert.equal(head.pathLength, 1)
  })

  for (const [fields, expected] of [
    ['', [false, false, false, false]],
    ['Connection: close', [true, false, false, false]],
    ['Connection: Upgrade\r\nUpgrade: foo, WebSocket', [false, true, false, false]],
    ['Connection: Upgrade\r\nUpgrade: foo\r\nUpgrade: websocket', [false, true, false, false]],
    ['Upgrade: websocket', [false, false, false, false]],
    ['Connection: Upgrade\r\nUpgrade: websocketx', [false, false, false, false]],
    ['Expect: 100-CONTINUE', [false, false, true, false]],
    ['Expect: 100-continue, x', [false, false, false, true]],
    ['Expect: 100-continue\r\nExpect: x', [false, false, true, true]],
    ['Expect:', [false, false, false, true]],
  ] as const) {
    test(`${JSON.stringify(fields)}: close, WebSocket, 100, another expectation`, () => {
      const head = parse(`GET / HTTP/1.1\r\nHost: h\r\n${fields}${fields && '\r\n'}\r\n`)
      const { wantsClose, isWebSocketUpgrade, expectsContinue, hasUnknownExpectation } = head
      assert.deepEqual([wantsClose, isWebSocketUpgrade, expectsContinue, hasUnknownExpectation], expected)
    })
  }
})

test('a refused head tells its request line as far as it could be read', () => {
  for (const [line, method, target] of [
    ['GET /a#b HTTP/1.1', 'GET', '/a#b'],
    ['GET /a HTTP/1.0', 'GET', '/a'],
    ['GET /a', 'GET', ''],
    ['(', '', ''],
  ] as const) {
    const head = parseRequestHead(`${line}\r\nHost: h\r\n\r\n`, 0)
    assert.ok(isRefused(head))
    assert.deepEqual([head.hasRequestLine, head.method, head.target], [true, method, target])
  }
})

describe('the request line of a head that is not whole', () => {
  for (const [text, hasRequestLine, method, target] of [
    ['', false, '', ''],
    ['GET /a HTTP/1.1', false, '', ''],
    ['GET /a HTTP/1.1\r', false, '', ''],
    ['GET /a HTTP/1.1\r\n', true, 'GET', '/a'],
    ['GET /a HTTP/1.1\nHost', true, 'GET', '/a'],
    ['GET /a\r\n', true, 'GET', '/a'],
    ['GET\r\nHost: h\r\n', true, 'GET', ''],
    ['\r\n', true, '', ''],
    // Nothing of a line that is none, which may be a field with a key.
    ['x-api-key:KEY\r\n{', true, 'x-api-key', ''],
    ['POST\t/KEY HTTP/1.1\r\n', true, 'POST', ''],
    ['GET  /a HTTP/1.1\r\n', true, 'GET', ''],
  ] as const) {
    test(JSON.stringify(text), () => assert.deepEqual(readRequestLine(text), { hasRequestLine, method, target }))
  }
})

describe('a refused head says which rule it broke, wherever it is split:', () => {
  for (const [fields, cause] of [
    ['Host: h\nA: 1\r\n', 'line_end'],
    ['Host: h\r\nA: 1\r\r\n', 'line_end'],
    ['Host: h\r\n A: 1\r\n', 'folding'],
    ['Host : h\r\n', 'field_name'],
    ['Host: h\r\nA: \x1f\r\n', 'field_value'],
    ['', 'no_host'],
    ['Host: h\r\nHost: h\r\n', 'two_hosts'],
    ['Host:\r\n', 'host'],
    ['Host: h\r\nConnection: a, Host, content-length\r\n', 'nominates_framing'],
    ['Host: h\r\nConnection: HOST\r\n', 'nominates_host'],
    ['Host: h\r\nConnection: Authorization\r\n', 'nominates_credential'],
    ['Host: h\r\nTransfer_Encoding: x\r\n', 'underscore'],
    ['Host: h\r\nContent-Length: -1\r\n', 'content_length'],
    ['Host: h\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n', 'two_framings'],
  ] as const) {
    test(JSON.stringify(fields), () => {
      const bytes = Buffer.from(`GET / HTTP/1.1\r\n${fields}\r\n`, 'latin1')
      for (let at = 0; at <= bytes.length; at++) {
        const reader = new RequestHeadReader()
        reader.read(bytes, 0, at)
        let head = reader.take()
        if (head === undefined) {
          reader.read(bytes, at, bytes.length)
          head = reader.take()
        }
        assert.ok(head !== undefined && isRefused(head))
        assert.equal(head.cause, cause, `split at ${at}`)
      }
    })
  }
})
