import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Passage, pass } from '../wire/passage.ts'
import { cut, places, requests, response } from './messages.ts'
import { type Found, findRequests, READERS, STRICT } from './reference-reader.ts'

/** Bytes that framing hangs on. */
const SPICE = [
  '\r',
  '\n',
  '\r\n',
  '\n\n',
  '\r\n\r\n',
  '\0',
  ' ',
  '\t',
  '\x0b',
  '\xa0',
  ':',
  ',',
  ';',
  '=',
  '"',
  '\\',
  '+',
  '-',
  '_',
  '0',
  '1',
  'f',
  'x',
  '0\r\n\r\n',
  ';a="',
  ' chunked',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding:\x0bchunked\r\n',
  'transfer_encoding: chunked\r\n',
  'Connection: close, content-length\r\n',
  ' HTTP/1.1\r\n',
  'GET /evil HTTP/1.1\r\nHost: x\r\n\r\n',
]

type Mutation = readonly [how: 'insert' | 'replace' | 'delete' | 'repeat', at: number, length: number, spice: string]

const mutation: fc.Arbitrary<Mutation> = fc.tuple(
  fc.constantFrom('insert', 'replace', 'delete', 'repeat'),
  fc.nat(100_000),
  fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(30) }),
  fc.oneof(
    fc.constantFrom(...SPICE),
    fc.nat(255).map((octet) => String.fromCharCode(octet)),
  ),
)

const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 })

function mutate(bytes: string, all: readonly Mutation[]): string {
  let mutated = bytes
  for (const [how, place, length, spice] of all) {
    const at = place % (mutated.length + 1)
    const removed = mutated.slice(at, at + length)
    const instead = how === 'delete' ? '' : how === 'repeat' ? removed + removed : spice
    mutated = mutated.slice(0, at) + instead + mutated.slice(how === 'insert' ? at : at + length)
  }
  return mutated
}

/** Where the messages end that went on whole, and whether the beginning of another one did. */
function boundaries(passage: Passage): Found {
  const ends: number[] = []
  let at = 0
  for (const { head, body, ending } of passage.messages) {
    at += head.length + body.length
    if (ending === 'end') ends.push(at)
  }
  return { ends, rest: at === (ends.at(-1) ?? 0) ? 'nothing' : 'beginning' }
}

function checkHead(head: string): void {
  assert.doesNotMatch(head, /[^\r]\n|\r[^\n]|\0/, 'a bare CR, a bare LF or a NUL')
  const framing = head.match(/^(?:content-length|transfer-encoding)[ \t]*:/gim) ?? []
  assert.ok(framing.length <= 1, `framed by ${framing.join(' and ')}`)
}

function check(bytes: string, at: readonly number[]): Passage {
  const passage = pass([bytes])
  for (const { head } of passage.messages) checkHead(head)
  const ours = boundaries(passage)
  for (const reader of READERS) {
    const theirs = findRequests(passage.passed, reader)
    assert.deepEqual(theirs.ends, ours.ends, `${reader.name} finds other messages in ${JSON.stringify(passage.passed)}`)
    if (reader === STRICT) assert.equal(theirs.rest, ours.rest, 'a strict reader would refuse it')
  }
  assert.equal(pass(cut(bytes, at)).passed, passage.passed, 'another thing goes on when it comes in pieces')
  return passage
}

describe('whatever a client sends', () => {
  test('well-formed requests are the same messages to everybody', () => {
    fc.assert(
      fc.property(requests, places, (sample, at) => {
        check(sample.bytes, at)
      }),
      { numRuns: 500 },
    )
  })

  test('damaged requests are refused, or the same messages to everybody', () => {
    fc.assert(
      fc.property(requests, mutations, places, (sample, all, at) => {
        check(mutate(sample.bytes, all), at)
      }),
      { numRuns: 8_000 },
    )
  })

  test('so are arbitrary pieces of requests', () => {
    const piece = fc.oneof(
      { weight: 1, arbitrary: fc.constantFrom(...SPICE) },
      {
        weight: 3,
        arbitrary: fc.constantFrom(
          'Content-Length: 5\r\n',
          'Transfer-Encoding: chunked\r\n',
          'A: b\r\n',
          '\r\n',
          'hello',
          '5\r\nhello\r\n',
          '5;a\r\n',
          '0\r\n',
          'GET / HTTP/1.1\r\nHost: a\r\n',
        ),
      },
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), places, (pieces, at) => {
        check(`POST / HTTP/1.1\r\nHost: a\r\n${pieces.join('')}`, at)
      }),
      { numRuns: 8_000 },
    )
  })
})

/** A strict reader of final responses to GET; interim ones have been taken off. */
function isWholeResponse(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n') + 4
  const head = text.slice(0, headEnd)
  assert.match(
    head,
    /^HTTP\/1\.1 [2-5]\d\d(?: [\t -~\x80-\xff]*)?\r\n(?:[!#-'*+\-.^_`|~\w]+:[\t -~\x80-\xff]*\r\n)*\r\n$/,
  )
  const status = head.slice(9, 12)
  if (status === '204' || status === '304') return headEnd === text.length
  const length = /^content-length:[ \t]*(\d+)[ \t]*\r$/im.exec(head)
  if (length !== null) return headEnd + Number(length[1]) === text.length
  if (!/^transfer-encoding:[ \t]*chunked[ \t]*\r$/im.test(head)) return true
  const body = findRequests(`POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${text.slice(headEnd)}`, STRICT)
  return body.ends.length === 1 && body.rest === 'nothing'
}

test('whatever an upstream sends, what arrives whole is one message to a strict reader', () => {
  fc.assert(
    fc.property(response, mutations, places, (sample, all, at) => {
      const bytes = mutate(sample.bytes, all)
      const passage = pass([bytes], 'GET')
      for (const { head } of passage.messages) checkHead(head)
      const last = passage.messages.at(-1)
      if (last?.ending === 'end')
        assert.ok(isWholeResponse(last.head + last.body), JSON.stringify(last.head + last.body))
      assert.equal(pass(cut(bytes, at), 'GET').passed, passage.passed)
    }),
    { numRuns: 8_000 },
  )
})

describe('the reference reader can tell', () => {
  for (const [what, text, ends] of [
    [
      'two framings',
      'POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      [[], [], [69], [71]],
    ],
    ['a bare LF after a size', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n', [[], [51], [51], [51]]],
    ['a name with a blank', 'POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\nx', [[], [39], [40], [40]]],
  ] as const) {
    test(what, () => {
      assert.deepEqual(
        READERS.map((reader) => findRequests(text, reader).ends),
        ends,
      )
    })
  }
})
