import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, test } from 'node:test'
import { compareMessages, SCRIPTED } from '../../../../src/tools/diff/compare.ts'
import { createMask } from '../../../../src/tools/diff/mask.ts'
import { formatResult, formatSummary, isSame, type Result } from '../../../../src/tools/diff/report.ts'
import { readResponse } from './wire.ts'

const mask = createMask(['sk-secret'])

function result(straight: string, gateway: string, isLive = false): Result {
  const [s, g] = [readResponse(straight), readResponse(gateway)]
  const repeatability = isLive ? { isLive, variable: new Map(), hasSameContent: false } : SCRIPTED
  const findings = compareMessages(s, g, repeatability)
  return { name: 'a trial', compared: [{ direction: 'response', straight: s, gateway: g, findings }] }
}

function ok(content: string, ...lines: string[]): string {
  return ['HTTP/1.1 200 OK', ...lines, `Content-Length: ${content.length}`, '', content].join('\r\n')
}

function lines(text: string): string[] {
  return text.split('\n').map((line) => line.trim())
}

describe('a report says what was compared:', () => {
  const digest = (content: string): string => `(sha256 ${hash('sha256', content).slice(0, 16)}…)`
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0;x\r\nX: 1\r\n\r\n'
  for (const [message, summary] of [
    [ok('hi'), `HTTP/1.1 200 OK, 1 field line, length 2 bytes ${digest('hi')}`],
    [ok('', 'X: 1'), 'HTTP/1.1 200 OK, 2 field lines, length 0 bytes'],
    [chunked, `HTTP/1.1 200 OK, 1 field line, 2 bytes in 2 chunks ${digest('hi')}, 1 trailer`],
    ['HTTP/1.1 200 OK\r\n\r\nhi', `HTTP/1.1 200 OK, 0 field lines, 2 bytes until the close ${digest('hi')}`],
    [`HTTP/1.1 103 Hints\r\n\r\n${ok('')}`, '1 interim response, HTTP/1.1 200 OK, 1 field line, length 0 bytes'],
    ['HTTP/1.1 204 sk-secret\r\n\r\n', 'HTTP/1.1 204 ***, 0 field lines, no body'],
    [ok('hi').slice(0, -1), `HTTP/1.1 200 OK, 1 field line, length 1 bytes ${digest('h')}, broken off`],
  ] as const) {
    test(JSON.stringify(message), () => {
      const [first, second] = lines(formatResult(result(message, message), mask))
      assert.equal(first, 'same       a trial')
      assert.equal(second!.replace(/^response {2}/, ''), summary)
    })
  }
})

test('a report says what could not be read', () => {
  const endless = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n'
  const [first, second, ...rest] = lines(formatResult(result(endless, endless), mask))
  assert.equal(first, 'DIFFERENT  a trial')
  assert.match(second!, /unreadable$/)
  const fault = 'unreadable: a chunk-size line has no size'
  assert.deepEqual(rest, ['end cannot be compared', `straight  ${fault}`, `gateway   ${fault}`, ''])
})

describe('a report shows', () => {
  test('both sides of a difference', () => {
    const [first, , ...rest] = lines(formatResult(result(ok('', 'X-A: 1'), ok('', 'x-a: 1')), mask))
    assert.equal(first, 'DIFFERENT  a trial')
    assert.deepEqual(rest, [
      'field line 1 has another spelling of the name',
      'straight  X-A: 1',
      'gateway   x-a: 1',
      '',
    ])
  })

  test('nothing where nothing is', () => {
    const rest = lines(formatResult(result(ok('', 'X-A: 1'), ok('')), mask)).slice(2, 5)
    assert.deepEqual(rest, ['field line 1 is missing', 'straight  X-A: 1', 'gateway   (nothing)'])
  })

  test('a line out of order without claiming more', () => {
    const text = formatResult(result(ok('', 'A: 1', 'B: 1', 'C: 1'), ok('', 'C: 1', 'A: 1', 'B: 1')), mask)
    assert.match(text, /field line 3 is out of order: it is line 1 there\n +straight {2}C: 1\n +gateway {3}C: 1\n/)
  })

  test('no more than anybody reads', () => {
    const many = Array.from({ length: 150 }, (_, i) => `X-${i}: 1`)
    const text = formatResult(result(ok('', ...many), ok('')), mask)
    assert.match(text, /field line 100 is missing\n.*\n.*\n +and 50 more\n$/)
  })

  test('what differs by nature, and that it does', () => {
    const live = result(ok('a', 'Date: 1'), ok('b', 'Date: 2'), true)
    assert.equal(isSame(live), true)
    const text = formatResult(live, mask)
    assert.match(text, /field line 1 has another value \(differs, volatile by nature\)\n +straight {2}Date: 1\n/)
    assert.match(text, /content differs from byte 0 on \(differs, not repeatable: it does not count\)\n/)
  })

  test('no secret and no control byte, wherever it stands', () => {
    const text = formatResult(
      result(
        ok('{"sk-secret\\u001b":1}', 'X: sk-secret', 'Authorization: Bearer one', 'Y: \x1b[31m'),
        ok('{"sk-SECRET\\u001b":2}', 'X: SK-secret', 'Authorization: Bearer two', 'y: \x1b[31m', 'x-fluxgate: \x00'),
        true,
      ),
      mask,
    )
    assert.doesNotMatch(text, /secret|Bearer [^*]/i)
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f]/)
    assert.match(text, /X: \*\*\* {2}\(they differ in what is not shown\)/)
    assert.match(text, /only straight: \*\*\*\\x1b/)
  })
})

test('a summary counts, and names what is different', () => {
  const same = result(ok(''), ok(''))
  const different = { ...result(ok(''), ok('', 'X: 1')), name: 'another trial' }
  assert.equal(formatSummary([same, same]), '2 of 2 the same\n')
  assert.equal(formatSummary([same, different]), '1 of 2 the same; different: another trial\n')
})
