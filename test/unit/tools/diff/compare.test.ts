import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compareMessages, observeVariation, type Repeatability, SCRIPTED } from '../../../../src/tools/diff/compare.ts'
import type { Finding } from '../../../../src/tools/diff/finding.ts'
import type { Message } from '../../../../src/tools/diff/message.ts'
import { readRequest, readResponse } from './wire.ts'

/** `different field line 3 is missing`. */
function said({ verdict, part, what }: Finding): string {
  return `${verdict}: ${part} ${what}`
}

function compare(straight: Message, gateway: Message, repeatability: Repeatability = SCRIPTED): string[] {
  return compareMessages(straight, gateway, repeatability).map(said)
}

const RESPONSE = [
  'HTTP/1.1 103 Early Hints',
  'Link: </s>',
  '',
  'HTTP/1.1 200 OK',
  'X-A: one',
  'X-B:  two ',
  'X-Tag: a',
  'X-Tag: b',
  'Date: Mon, 01 Jan 2024 00:00:00 GMT',
  'X-Latin: caf\xe9',
  'Transfer-Encoding: chunked',
  '',
  '5',
  'hello',
  '06',
  ' world',
  '0',
  'X-Sum: 1',
  'x-sum: 2',
  '',
  '',
].join('\r\n')

const REQUEST = ['POST /v1/x?q=%7e HTTP/1.1', 'Host: a', 'X-A: 1', 'Content-Length: 4', '', 'body'].join('\r\n')

describe('what is the same', () => {
  test('has no findings', () => {
    assert.deepEqual(compare(readResponse(RESPONSE), readResponse(RESPONSE)), [])
    assert.deepEqual(compare(readRequest(REQUEST), readRequest(REQUEST)), [])
  })
})

function chunksFrom(place: number): string {
  return `chunk boundaries differ from chunk ${place} of 3 on`
}

const CUT = [chunksFrom(3), 'trailer 1 is missing', 'trailer 2 is missing', 'end is another one']

const MUTATIONS: readonly (readonly [name: string, from: string, to: string, ...findings: string[]])[] = [
  ['another reason', '200 OK', '200 Fine', 'start line is another one'],
  ['another status', '200 OK', '201 OK', 'start line is another one'],
  ['another version', 'HTTP/1.1 200', 'HTTP/1.0 200', 'start line is another one'],
  ['a line less', 'X-A: one\r\n', '', 'field line 1 is missing'],
  ['a line more', 'X-A: one\r\n', 'X-A: one\r\nVia: 1.1 p\r\n', 'field line 2 is added'],
  ['another spelling', 'X-A: one', 'x-a: one', 'field line 1 has another spelling of the name'],
  ['another value', 'X-A: one', 'X-A: onE', 'field line 1 has another value'],
  ['other white space before', 'X-B:  two ', 'X-B: two ', 'field line 2 has other white space'],
  ['other white space behind', 'X-B:  two ', 'X-B:  two', 'field line 2 has other white space'],
  ['both', 'X-A: one', 'x-a: two', 'field line 1 has another spelling of the name and another value'],
  [
    'another order',
    'X-A: one\r\nX-B:  two ',
    'X-B:  two \r\nX-A: one',
    'field line 1 is out of order: it is line 2 there',
  ],
  [
    'merged lines',
    'X-Tag: a\r\nX-Tag: b',
    'X-Tag: a, b',
    'field line 3 is merged with others of its name',
    'field line 4 is merged with others of its name',
  ],
  ['a repetition less', 'X-Tag: a\r\nX-Tag: b', 'X-Tag: a', 'field line 4 is missing'],
  ['another date', 'Date: Mon', 'Date: Tue', 'field line 5 has another value'],
  ['another byte above 0x7F', 'caf\xe9', 'caf\xc3\xa9', 'field line 6 has another value'],
  [
    'a length for chunks',
    RESPONSE.slice(RESPONSE.indexOf('Transfer-Encoding')),
    'Content-Length: 11\r\n\r\nhello world',
    'field line 7 is missing',
    'field line 7 is added',
    'framing is another one',
    'trailer 1 is missing',
    'trailer 2 is missing',
  ],
  ['other content', 'world', 'w0rld', 'content differs from byte 7 on'],
  ['shorter content', '06\r\n world', '05\r\n worl', 'content differs from byte 10 on', chunksFrom(2)],
  ['merged chunks', '5\r\nhello\r\n06\r\n', 'b\r\nhello', chunksFrom(1)],
  ['cut chunks', '06\r\n world', '3\r\n wo\r\n3\r\nrld', chunksFrom(2)],
  ['another spelling of a size', '06\r\n', '6\r\n', chunksFrom(2)],
  ['another last chunk', '\r\n0\r\n', '\r\n00\r\n', chunksFrom(3)],
  ['a trailer less', 'X-Sum: 1\r\n', '', 'trailer 1 is missing'],
  ['a trailer more', 'X-Sum: 1\r\n', 'X-Sum: 1\r\nX: 1\r\n', 'trailer 2 is added'],
  [
    'a trailer that looks like a connection field',
    'X-Sum: 1\r\n',
    'X-Sum: 1\r\nKeep-Alive: 1\r\n',
    'trailer 2 is added',
  ],
  ['a trailer in another spelling', 'x-sum: 2', 'X-Sum: 2', 'trailer 2 has another spelling of the name'],
  ['another interim response', 'Early Hints', 'Hints', 'interim response is another one'],
  ['another interim field', 'Link: </s>', 'link: </s>', 'interim response 1 has another spelling of the name'],
  ['no interim response', 'HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n', '', 'interim response 1 is missing'],
  ['an early end', '\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n', '\r\n', ...CUT],
  ['more than there is', 'x-sum: 2\r\n\r\n', 'x-sum: 2\r\n\r\nmore', 'end has further bytes after it'],
]

describe('a difference is named:', () => {
  for (const [name, from, to, ...findings] of MUTATIONS) {
    test(name, () => {
      assert.equal(RESPONSE.split(from).length, 2, 'the mutation fits one place')
      const found = compare(readResponse(RESPONSE), readResponse(RESPONSE.replace(from, () => to)))
      assert.deepEqual(
        found,
        findings.map((finding) => `different: ${finding}`),
      )
    })
  }

  test('the sides and the place of the first difference', () => {
    const found = compareMessages(readResponse(RESPONSE), readResponse(RESPONSE.replace('one', 'onE')), SCRIPTED)
    assert.deepEqual(
      found.map(({ straight, gateway }) => [straight, gateway]),
      [
        [
          { text: 'X-A: one', at: 7 },
          { text: 'X-A: onE', at: 7 },
        ],
      ],
    )
  })
})

/** Byte i replaced, left out, or doubled. */
function mutants(text: string, i: number): string[] {
  const replaced = String.fromCharCode(text.charCodeAt(i) ^ 0x01)
  return [
    text.slice(0, i) + replaced + text.slice(i + 1),
    text.slice(0, i) + text.slice(i + 1),
    text.slice(0, i + 1) + text.slice(i),
  ]
}

describe('no byte can change unseen', () => {
  for (const [name, text, read] of [
    ['response', RESPONSE, readResponse],
    ['request', REQUEST, readRequest],
  ] as const) {
    test(`in a ${name}`, () => {
      const straight = read(text)
      for (let i = 0; i < text.length; i++) {
        for (const mutant of mutants(text, i)) {
          const found = compare(straight, read(mutant)).filter((finding) => finding.startsWith('different'))
          assert.ok(mutant === text || found.length > 0, JSON.stringify([i, mutant]))
        }
      }
    })
  }
})

describe('what the gateway has to change is no difference:', () => {
  const head = (...lines: string[]): string => ['POST / HTTP/1.1', ...lines, '', ''].join('\r\n')
  const ok = (...lines: string[]): string => ['HTTP/1.1 200 OK', ...lines, 'Content-Length: 0', '', ''].join('\r\n')

  for (const [name, straight, gateway, read] of [
    ['connection options', head('Connection: keep-alive, X-Hop', 'X-Hop: 1', 'X: 1'), head('X: 1'), readRequest],
    ['connection fields', head('Keep-Alive: 5', 'Proxy-Connection: x', 'Upgrade: h2c'), head(), readRequest],
    ['codings that are accepted', head('TE: gzip, trailers'), head('TE: trailers'), readRequest],
    ['codings without trailers', head('TE: gzip'), head(), readRequest],
    ['the end of a connection', ok(), ok().replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'), readResponse],
    ['the version', 'HTTP/1.0 200 OK\r\n\r\nx', 'HTTP/1.1 200 OK\r\n\r\nx', readResponse],
    ['a length beside chunks', chunked('Content-Length: 9'), chunked(), readResponse],
    ['chunk extensions', chunked().replace('2\r', '2;a=b\r'), chunked(), readResponse],
    ['a forbidden trailer', chunked().replace('0\r\n', '0\r\nSet-Cookie: a\r\n'), chunked(), readResponse],
    [
      'framing of a 204',
      'HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n',
      'HTTP/1.1 204 N\r\n\r\n',
      readResponse,
    ],
  ] as const) {
    test(name, () => {
      const findings = compareMessages(read(straight), read(gateway), SCRIPTED)
      assert.notEqual(findings.length, 0, 'it is told')
      assert.deepEqual(new Set(findings.map(({ verdict }) => verdict)), new Set(['by contract']))
    })
  }

  function chunked(...lines: string[]): string {
    return ['HTTP/1.1 200 OK', ...lines, 'Transfer-Encoding: chunked', '', '2', 'hi', '0', '', ''].join('\r\n')
  }

  test('but what it must remove is one if it stays', () => {
    const text = head('Connection: X-Hop', 'X-Hop: 1')
    assert.deepEqual(
      compare(readRequest(text), readRequest(text)).filter((finding) => finding.startsWith('different')),
      ['different: field line 1 is added', 'different: field line 2 is added'],
    )
  })
})

describe('an answer of the gateway itself', () => {
  test('is the only finding', () => {
    const own = readResponse('HTTP/1.1 401 No\r\nx-fluxgate-error: fluxgate_unauthorized\r\nContent-Length: 0\r\n\r\n')
    const found = compare(readResponse(RESPONSE), own)
    assert.equal(found.length, 1)
    assert.match(found[0]!, /^different: start line .*answered by itself \(x-fluxgate-error: fluxgate_unauthorized\)$/)
  })
})

describe('what cannot be read to its end is never the same', () => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
  for (const [name, text] of [
    ['a chunk without a size', `${chunked}x\r\nhi\r\n0\r\n\r\n`],
    ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi'],
  ] as const) {
    test(name, () => {
      assert.deepEqual(compare(readResponse(text), readResponse(text)), ['different: end cannot be compared'])
    })
  }
})

test('heads of any size are compared in a moment', () => {
  const lines = (from: number): string[] => Array.from({ length: 200_000 }, (_, i) => `x${i + from}: 1`)
  const head = (from: number): string => ['HTTP/1.1 204 No', ...lines(from), '', ''].join('\r\n')
  const before = process.threadCpuUsage()
  assert.equal(compare(readResponse(head(0)), readResponse(head(1))).length > 0, true)
  const { user, system } = process.threadCpuUsage(before)
  assert.ok(user + system < 5_000_000, `${user + system} µs`)
})

const LIVE: Repeatability = { isLive: true, variable: new Map(), hasSameContent: false }

function answer(content: string, ...lines: string[]): string {
  return ['HTTP/1.1 200 OK', ...lines, `Content-Length: ${content.length}`, '', content].join('\r\n')
}

describe('two answers of a provider', () => {
  for (const [name, straight, gateway, findings, repeatability = LIVE] of [
    [
      'have fields that change from one to the next',
      answer('', 'Date: a', 'X-Request-ID: 1', 'CF-RAY: 1', 'x: 1'),
      answer('', 'Date: b', 'X-Request-ID: 2', 'CF-RAY: 2', 'x: 1'),
      [1, 2, 3].map((place) => `volatile: field line ${place} has another value`),
    ],
    [
      'have them in the same spelling and place',
      answer('', 'Date: a', 'X-Request-ID: 1', 'x: 1'),
      answer('', 'x: 1', 'date: b', 'X-Request-ID:2'),
      [
        'different: field line 1 has another spelling of the name and another value',
        'different: field line 2 has other white space and another value',
      ],
    ],
    [
      'have fields that come and go',
      answer('', 'Set-Cookie: __cf_bm=1'),
      answer('', 'Server-Timing: x'),
      ['volatile: field line 1 is missing', 'volatile: field line 1 is added'],
    ],
    [
      'have a date both',
      answer('', 'Date: a'),
      answer('', 'Via: 1.1 p'),
      ['different: field line 1 is missing', 'different: field line 1 is added'],
    ],
    [
      'have fields that changed between straight ones',
      answer('', 'X-Pod: 7', 'X-Only: 1'),
      answer('', 'X-Pod: 8'),
      ['volatile: field line 1 has another value', 'volatile: field line 2 is missing'],
      { ...LIVE, variable: new Map([['x-pod', 'value'] as const, ['x-only', 'presence'] as const]) },
    ],
    [
      'have a field both, if it was there both times straight',
      answer('', 'X-Request-Id: 7', 'X-Pod: 7'),
      answer(''),
      ['different: field line 1 is missing', 'different: field line 2 is missing'],
      { ...LIVE, variable: new Map([['x-request-id', 'value'] as const, ['x-pod', 'value'] as const]) },
    ],
    [
      'have white space in the same places',
      answer('', 'Date: a', 'CF-Ray: a '),
      answer('', 'Date:  b', 'CF-Ray: b'),
      [
        'different: field line 1 has other white space and another value',
        'different: field line 2 has other white space and another value',
      ],
    ],
    [
      'have another digest with other content',
      answer('a', 'ETag: "a"', 'X: a'),
      answer('b', 'ETag: "b"', 'X: b'),
      [
        'not repeatable: field line 1 has another value',
        'different: field line 2 has another value',
        'not repeatable: content differs from byte 0 on',
      ],
    ],
    [
      'have the spelling of a digest both, with whatever content',
      answer('a', 'ETag: "a"'),
      answer('b', 'etag: "b"'),
      [
        'different: field line 1 has another spelling of the name and another value',
        'not repeatable: content differs from byte 0 on',
      ],
    ],
    [
      'are framed in one way, unless both ways were seen straight',
      answer(''),
      answer('').replace('Content-Length: 0', 'Transfer-Encoding: chunked').concat('0\r\n\r\n'),
      ['volatile: field line 1 is missing', 'volatile: field line 1 is added', 'volatile: framing is another one'],
      {
        ...LIVE,
        variable: new Map([['content-length', 'presence'] as const, ['transfer-encoding', 'presence'] as const]),
      },
    ],
    [
      'have other content, and a length that goes with it',
      answer('{"id":1,"text":"a"}'),
      answer('{"id":2,"text":"ab"}'),
      [
        'not repeatable: field line 1 has another value',
        'not repeatable: content differs from byte 6 on: other values in id, text',
      ],
    ],
    [
      'have the same content where it is known to repeat',
      answer('{"id":1}'),
      answer('{"id":2}'),
      ['different: content differs from byte 6 on: other values in id'],
      { ...LIVE, hasSameContent: true },
    ],
    [
      'may be cut into chunks in another way',
      RESPONSE,
      RESPONSE.replace('5\r\nhello\r\n06\r\n', 'b\r\nhello'),
      ['volatile: chunk boundaries differ from chunk 1 of 3 on'],
    ],
    [
      'may lack an interim response',
      RESPONSE,
      RESPONSE.slice(RESPONSE.indexOf('HTTP/1.1 200')),
      ['volatile: interim response 1 is missing'],
    ],
    [
      'may have another interim response',
      RESPONSE,
      RESPONSE.replace('103 Early Hints\r\nLink: </s>', '100 Continue'),
      ['volatile: interim response is another one', 'volatile: interim response 1 is missing'],
    ],
    [
      'have other trailers with other content',
      RESPONSE,
      RESPONSE.replace('world', 'w0rld').replace('x-sum: 2', 'x-sum: 3').replace('X-Sum', 'x-SUM'),
      [
        'not repeatable: content differs from byte 7 on',
        'different: trailer 1 has another spelling of the name',
        'not repeatable: trailer 2 has another value',
      ],
    ],
    [
      'have the same trailers',
      RESPONSE,
      RESPONSE.replace('x-sum: 2', 'x-sum: 3'),
      ['different: trailer 2 has another value'],
    ],
  ] as readonly (readonly [string, string, string, readonly string[], Repeatability?])[]) {
    test(name, () => assert.deepEqual(compare(readResponse(straight), readResponse(gateway), repeatability), findings))
  }
})

test('what changes between two straight answers is seen: lines, values, trailers, content', () => {
  const first = RESPONSE.replace('X-A: one\r\n', '')
  const second = RESPONSE.replace('two', 'three').replace('x-sum: 2', 'x-sum: 3').replace('world', 'w0rld')
  assert.deepEqual(observeVariation(readResponse(first), readResponse(second)), {
    fields: new Map([
      ['x-a', 'presence'],
      ['x-b', 'value'],
      ['x-sum', 'value'],
    ]),
    content: true,
  })
  assert.deepEqual(observeVariation(readResponse(first), readResponse(first)), { fields: new Map(), content: false })
})
