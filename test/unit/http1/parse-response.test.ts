import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ResponseHead } from '../../../src/http/message.ts'
import { HeadReader } from '../../../src/http1/head-reader.ts'
import { parseResponseHead } from '../../../src/http1/parse-response.ts'

// What is refused stands in test/wire.

function parse(head: string, method = 'GET'): ResponseHead | undefined {
  const parsed = parseResponseHead(`${head}\r\n\r\n`, method)
  return typeof parsed === 'string' ? undefined : parsed
}

const BODY = ['none', 'length', 'chunked', 'until-close'] as const

describe('the framing of a response', () => {
  for (const [status, method, expected] of [
    // Without framing fields, with a length, with a length of zero, with chunks.
    ['200', 'GET', [3, 1, 0, 2]],
    ['200', 'HEAD', [0, 0, 0, 0]],
    ['204', 'GET', [0, 0, 0, 0]],
    ['205', 'GET', [3, 1, 0, 2]],
    ['304', 'GET', [0, 0, 0, 0]],
    ['404', 'HEAD', [0, 0, 0, 0]],
    ['500', 'POST', [3, 1, 0, 2]],
    ['200', 'head', [3, 1, 0, 2]],
    ['100', 'POST', [0, 0, 0, undefined]],
    ['199', 'POST', [0, 0, 0, undefined]],
  ] as const) {
    test(`${status} to ${method}`, () => {
      const fields = ['X: 1', 'Content-Length: 5', 'Content-Length: 0', 'Transfer-Encoding: chunked']
      const framings = fields.map((field) => parse(`HTTP/1.1 ${status} x\r\n${field}`, method)?.framing)
      assert.deepEqual(
        framings,
        expected.map((index) => (index === undefined ? undefined : BODY[index])),
      )
    })
  }
})

describe('a head that is none says which rule it broke, wherever it is split:', () => {
  for (const [text, cause] of [
    ['HTTP/1.1 200 OK\nA: 1\n\n', 'line_end'],
    ['HTTP/1.1 200\nA: 1\r\n\r\n', 'line_end'],
    ['HTTP/1.1 200 OK\r\nA: 1\nB: 2\r\n\r\n', 'line_end'],
    ['HTTP/1.1 200 OK\r\nA: 1\r\n\nB: 2\r\n\r\n', 'line_end'],
    ['HTTP/1.1 200 OK\r\nA: 1\r\n\rB: 2\r\n\r\n', 'line_end'],
    ['HTTP/1.1 200 O\x7fK\r\nA: 1\r\n\r\n', 'reason'],
    ['HTTP/1.1 200 OK\r\n A: 1\r\n\r\n', 'folding'],
    ['HTTP/1.1 200 OK\r\nA: 1\r\n\tb\r\n\r\n', 'folding'],
    ['HTTP/1.1 200 OK\r\n: 1\r\n\r\n', 'field_name'],
    ['HTTP/1.1 200 OK\r\nA \r\n\r\n', 'field_name'],
    ['HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n', 'field_value'],
    ['HTTP/1.1 099 OK\r\n\r\n', 'status'],
    ['HTTP/1.1 2000 OK\r\n\r\n', 'status'],
    ['HTTP/1.1  200 OK\r\n\r\n', 'status'],
    ['HTTP/1.2 200 OK\r\n\r\n', 'version'],
    ['HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'transfer_encoding'],
    ['HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n', 'content_length'],
  ] as const) {
    test(JSON.stringify(text), () => {
      const bytes = Buffer.from(text, 'latin1')
      for (let at = 0; at <= bytes.length; at++) {
        const reader = new HeadReader()
        reader.read(bytes, 0, at)
        if (reader.state === 'incomplete' && at < bytes.length) reader.read(bytes, at, bytes.length)
        assert.notEqual(reader.state, 'incomplete')
        assert.equal(parseResponseHead(reader.text, 'GET'), cause, `split at ${at}`)
      }
    })
  }
})

describe('how long the upstream keeps a connection', () => {
  for (const [value, seconds] of [
    ['timeout=5', 5],
    ['max=100, timeout=30', 30],
    ['timeout=30,max=100', 30],
    ['TIMEOUT=7', 7],
    ['max=100 timeout=9', 9],
    ['timeout=0', 0],
    ['timeout=05', 5],
    ['max=100', undefined],
    ['mytimeout=5', undefined],
    ['timeout=', undefined],
    ['timeout=-1', undefined],
    ['', undefined],
  ] as const) {
    test(JSON.stringify(value), () => {
      assert.equal(parse(`HTTP/1.1 200 OK\r\nKeep-Alive: ${value}`)?.keepAliveSeconds, seconds)
    })
  }
})

test('a connection ends with HTTP/1.0, with close, and where two readers may read differently', () => {
  for (const [head, ends] of [
    ['HTTP/1.1 200 OK\r\nContent-Length: 1', false],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', false],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x, close', true],
    ['HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive', true],
    ['HTTP/1.1 200 OK', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked', true],
  ] as const) {
    assert.equal(parse(head)?.endsConnection, ends, head)
  }
})

test('the text of a length is for the record', () => {
  assert.equal(parse('HTTP/1.1 200 OK\r\nContent-Length:  007 ')?.contentLengthText, '007')
  assert.equal(parse('HTTP/1.1 200 OK\r\nContent-Length: 5', 'HEAD')?.contentLengthText, '5')
  assert.equal(parse('HTTP/1.1 200 OK')?.contentLengthText, undefined)
})
