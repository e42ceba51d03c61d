import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isRefused } from '../../../src/http/downstream.ts'
import type { Clearance, RequestHead } from '../../../src/http/message.ts'
import { parseResponseHead } from '../../../src/http1/parse-response.ts'
import { RepeatedResponses } from '../../../src/http1/repeated-responses.ts'
import { RequestHeadReader } from '../../../src/http1/request-head-reader.ts'

const REQUEST = 'POST /x HTTP/1.1\r\nHost: a\r\nx-key: k\r\ndate: now\r\nx-read: 1\r\nContent-Length: 12\r\n\r\n'

const FIRST = 'GET /first HTTP/1.1\r\nHost: a\r\n\r\n'

/** Lets through what it is given; `asked`: the lines that it was asked about. */
class Cleared implements Clearance {
  readonly edited
  readonly asked: string[] = []
  inForce = true
  isInnocent = true

  constructor({ lines }: RequestHead) {
    const edits = lines.map(() => undefined)
    this.edited = { startLine: 'POST /y HTTP/1.1\r\n', lines, edits, appended: 'k: v\r\n' }
  }

  isInForce(): boolean {
    return this.inForce
  }

  ignores(name: string): boolean {
    return name === 'date'
  }

  admits(line: string): boolean {
    this.asked.push(line)
    return this.isInnocent
  }
}

/** Reads one head, which is let through, and then others. */
class Requests {
  readonly reader = new RequestHeadReader()
  clearance!: Cleared

  read(text: string, buffer: Buffer = Buffer.from(text, 'latin1')): RequestHead {
    this.reader.read(buffer, 0, buffer.length)
    const head = this.reader.take()
    assert.ok(head !== undefined && !isRefused(head))
    return head
  }

  letThrough(text: string): RequestHead {
    const head = this.read(text)
    if (head.repeated === undefined) head.clearance = this.clearance = new Cleared(head)
    this.reader.learn(head)
    return head
  }
}

function afterOne(text = REQUEST): Requests {
  const requests = new Requests()
  // The first of a connection is not remembered.
  requests.letThrough(FIRST)
  requests.letThrough(text)
  return requests
}

describe('the head of a request repeats', () => {
  test('one that was let through, and goes on as that one does', () => {
    const requests = afterOne()
    const head = requests.read(REQUEST.replace('now', 'then').replace('12', '345'))
    const expected =
      'POST /y HTTP/1.1\r\nHost: a\r\nx-key: k\r\ndate: then\r\nx-read: 1\r\nContent-Length: 345\r\nk: v\r\n\r\n'
    assert.equal(head.repeated?.text(), expected)
    assert.equal(head.repeated?.length, expected.length)
    assert.deepEqual([head.contentLength, head.contentLengthText, head.framing], [345, '345', 'length'])
    assert.deepEqual(requests.clearance.asked, ['date: then'])
  })

  for (const [what, text] of [
    ['nothing before it', undefined],
    ['one whose other values are read', REQUEST.replace('x-read: 1', 'x-read: 2')],
    ['one whose length is written otherwise', REQUEST.replace('12', '012')],
    ['one that is chunked', REQUEST.replace('Content-Length: 12', 'Transfer-Encoding: chunked')],
    ['one that comes behind an empty line', `\r\n${REQUEST}`],
    ['one that is large', REQUEST.replace('now', 'n'.repeat(8_200))],
  ] as const) {
    test(`not ${what}`, () => {
      const requests = afterOne(FIRST)
      if (text !== undefined && text !== `\r\n${REQUEST}`) requests.letThrough(text)
      else if (text !== undefined) requests.letThrough(REQUEST)
      assert.equal(requests.read(text?.startsWith('\r\n') ? text : REQUEST).repeated, undefined)
    })
  }

  test('one whose ids nobody reads', () => {
    const text = REQUEST.replace('date: now', 'x-request-id: 1')
    const requests = afterOne(FIRST)
    const head = requests.read(text)
    head.clearance = requests.clearance = new Cleared(head)
    requests.clearance.ignores = (name) => name === 'x-request-id'
    requests.reader.learn(head)
    assert.notEqual(requests.read(text.replace(': 1', ': 2')).repeated, undefined)
    assert.deepEqual(requests.clearance.asked, ['x-request-id: 2'])
  })

  test('not one that nobody let through', () => {
    const requests = afterOne(FIRST)
    requests.reader.learn(requests.read(REQUEST))
    assert.equal(requests.read(REQUEST).repeated, undefined)
  })

  test('not one about which it would be decided otherwise now, and that is forgotten', () => {
    const requests = afterOne()
    requests.clearance.inForce = false
    assert.equal(requests.read(REQUEST).repeated, undefined)
    requests.clearance.inForce = true
    assert.equal(requests.read(REQUEST).repeated, undefined)
  })

  test('not with a value that may not stand there', () => {
    const requests = afterOne()
    requests.clearance.isInnocent = false
    assert.notEqual(requests.read(REQUEST).repeated, undefined)
    assert.equal(requests.read(REQUEST.replace('now', 'k')).repeated, undefined)
  })

  test('with a length from nothing and to nothing, and its framing follows', () => {
    const requests = afterOne()
    const seen = ['0', '7', '0', '12'].map((text) => {
      const { framing, contentLength, contentLengthText, repeated } = requests.letThrough(REQUEST.replace('12', text))
      return [framing, contentLength, contentLengthText, repeated !== undefined]
    })
    assert.deepEqual(seen, [
      ['none', 0, '0', true],
      ['length', 7, '7', true],
      ['none', 0, '0', true],
      ['length', 12, '12', true],
    ])
  })

  test('the one that was let through last', () => {
    const requests = afterOne()
    const other = REQUEST.replace('/x', '/z')
    assert.equal(requests.letThrough(other).repeated, undefined)
    assert.equal(requests.read(REQUEST).repeated, undefined)
    assert.equal(requests.letThrough(other).target, '/z')
  })

  test('only if it comes whole: cut at any byte it is read as a new one', () => {
    for (let at = 1; at < REQUEST.length; at++) {
      const requests = afterOne()
      requests.reader.read(Buffer.from(REQUEST.slice(0, at), 'latin1'), 0, at)
      assert.equal(requests.reader.take(), undefined)
      const head = requests.read(REQUEST.slice(at))
      assert.equal(head.repeated, undefined, `cut at ${at}`)
      assert.equal(head.text.slice(head.start, head.end), REQUEST)
    }
  })

  test('and keeps no buffer once it has gone on', () => {
    const requests = afterOne()
    const head = requests.letThrough(REQUEST)
    assert.throws(() => head.repeated?.text(), RangeError)
  })

  test('after many that repeat nothing only now and then: remembering costs a copy', () => {
    const requests = afterOne()
    let remembered = 0
    for (let i = 0; i < 200; i++) {
      let isAsked = false
      // What is asked whether it is in force is remembered.
      requests.clearance.isInForce = () => {
        isAsked = true
        return true
      }
      requests.letThrough(REQUEST.replace('/x', `/${i}`))
      if (isAsked) remembered++
    }
    assert.ok(remembered > 8 && remembered < 40, `${remembered} of 200`)
    requests.letThrough(REQUEST)
    for (let i = 0; i < 20; i++) requests.letThrough(REQUEST)
    assert.notEqual(requests.letThrough(REQUEST).repeated, undefined, 'and as soon as one does, each time')
  })
})

const RESPONSE =
  'HTTP/1.1 200 OK\r\ndate: now\r\nx-request-id: r1\r\nConnection: x-b\r\nContent-Length: 12\r\nx-b: c\r\n\r\n'

function learned(text: string, method = 'POST'): RepeatedResponses {
  const head = parseResponseHead(text, method)
  assert.ok(typeof head === 'object')
  const repeats = new RepeatedResponses()
  repeats.learn(head, method)
  return repeats
}

function repeats(known: RepeatedResponses, text: string, method = 'POST'): boolean {
  const bytes = Buffer.from(`${text}body`, 'latin1')
  const at = known.read(bytes, 0, bytes.length, method)
  assert.ok(at === -1 || at === text.length)
  return at !== -1
}

describe('the head of a response repeats', () => {
  test('the one before it, with its own length, id and what nobody reads', () => {
    const known = learned(RESPONSE)
    assert.ok(repeats(known, RESPONSE.replace('now', 'then').replace('12', '3').replace('r1', ' r-22\t')))
    const { contentLength, contentLengthText, requestId, repeated } = known.head
    assert.deepEqual([contentLength, contentLengthText, requestId], [3, '3', 'r-22'])
    assert.equal(
      repeated?.text(),
      'HTTP/1.1 200 OK\r\ndate: then\r\nx-request-id:  r-22\t\r\nContent-Length: 3\r\n\r\n',
    )
    assert.ok(repeats(known, RESPONSE))
    assert.deepEqual([known.head.contentLengthText, known.head.requestId], ['12', 'r1'])
  })

  for (const [what, known, text, method, expected] of [
    ['with an id that is none', RESPONSE, RESPONSE.replace('r1', 'r 1'), 'POST', false],
    ['with an empty id', RESPONSE, RESPONSE.replace(' r1', ''), 'POST', false],
    ['with an id that is too long', RESPONSE, RESPONSE.replace('r1', 'r'.repeat(129)), 'POST', false],
    ['that ends its connection', RESPONSE, RESPONSE.replace('x-b', 'close'), 'POST', false],
    ['with another status', RESPONSE, RESPONSE.replace('200', '201'), 'POST', false],
    ['of an older version', RESPONSE, RESPONSE.replace('1.1', '1.0'), 'POST', false],
    ['without content', RESPONSE, RESPONSE.replace('12', '0'), 'POST', false],
    ['with content at last', RESPONSE.replace('12', '0'), RESPONSE, 'POST', false],
    ['as empty as the one before', RESPONSE.replace('12', '0'), RESPONSE.replace('12', '0'), 'POST', true],
    ['to a HEAD', RESPONSE, RESPONSE, 'HEAD', false],
    [
      'after one that ended its connection',
      RESPONSE.replace('x-b', 'close'),
      RESPONSE.replace('x-b', 'close'),
      'POST',
      false,
    ],
    ['after one that ended with its connection', 'HTTP/1.1 200 OK\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', 'POST', false],
    ['after one with two framings', RESPONSE.replace('x-b: c', 'transfer-encoding: chunked'), RESPONSE, 'POST', false],
    ['after one whose length was written otherwise', RESPONSE.replace('12', '012'), RESPONSE, 'POST', false],
    ['after a large one', RESPONSE.replace('now', 'n'.repeat(8_200)), RESPONSE, 'POST', false],
    ['after a line that the connection took', RESPONSE, RESPONSE.replace('x-b: c', 'x-b: d'), 'POST', false],
  ] as const) {
    test(`${what}: ${expected}`, () => {
      assert.equal(repeats(learned(known), text, method), expected)
    })
  }

  test('whatever other ids say that do not count beside it', () => {
    const ids = [
      'x-request-id: no id',
      'x-request-id: r1',
      'x-request-id: r2',
      'request-id: r3',
      'x-amzn-requestid: r4',
    ]
    const text = RESPONSE.replace('x-request-id: r1', ids.join('\r\n'))
    const known = learned(text)
    const expected = { 'no id': undefined, r1: 'other', r2: 'r1', r3: 'r1', r4: 'r1' }
    for (const [id, told] of Object.entries(expected)) {
      assert.equal(repeats(known, text.replace(`: ${id}\r`, ': other\r')), told !== undefined, id)
      if (told !== undefined) assert.equal(known.head.requestId, told)
    }
    // None counts: each of them could be the first.
    assert.ok(!repeats(learned(RESPONSE.replace('r1', 'r 1')), RESPONSE.replace('r1', 'r 2')))
  })

  test('to a HEAD, if that had one before; its length is what it says', () => {
    assert.ok(repeats(learned(RESPONSE, 'HEAD'), RESPONSE, 'HEAD'))
    assert.ok(!repeats(learned(RESPONSE, 'HEAD'), RESPONSE.replace('12', '13'), 'HEAD'))
    assert.ok(!repeats(learned(RESPONSE, 'HEAD'), RESPONSE, 'GET'))
  })

  test('and keeps no buffer once it has gone on', () => {
    const known = learned(RESPONSE)
    assert.ok(repeats(known, RESPONSE))
    const { repeated } = known.head
    known.forget()
    assert.throws(() => repeated!.text(), RangeError)
  })
})
