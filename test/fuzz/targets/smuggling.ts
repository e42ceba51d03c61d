import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Passage, pass } from '../../wire/passage.ts'
import { requestTexts, responseTexts } from '../corpus.ts'
import { cut, requestsUpTo, response } from '../messages.ts'
import { placesIn } from '../random.ts'
import { type Found, findRequests, READERS, STRICT } from '../reference-reader.ts'
import type { TextTarget } from '../target.ts'
import { outcomeOf } from './outcome.ts'

/** Bytes that framing hangs on. */
export const SPICE: readonly string[] = [
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
  assert.ok(framing.length <= 1, `framed twice: ${framing.join(' and ')}`)
}

/** What goes on of a client's bytes are the same messages to every reader, and the same however they come. */
export function checkRequests(bytes: string, at: readonly number[]): Passage {
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

/** What arrives whole of an upstream's answer to GET is one message to a strict reader. */
export function checkResponse(bytes: string, at: readonly number[]): Passage {
  const passage = pass([bytes], 'GET')
  for (const { head } of passage.messages) checkHead(head)
  const last = passage.messages.at(-1)
  if (last?.ending === 'end') assert.ok(isWholeResponse(last.head + last.body), JSON.stringify(last.head + last.body))
  assert.equal(pass(cut(bytes, at), 'GET').passed, passage.passed)
  return passage
}

export const smuggling: TextTarget = {
  name: 'smuggling',
  about: 'what goes on of a client is the same messages to every reader',
  corpus: requestTexts,
  spice: SPICE,
  values: (scale) => requestsUpTo(2 + scale).map(({ bytes }) => bytes),
  check: (text) => outcomeOf(checkRequests(text, placesIn(text))),
}

export const responseHead: TextTarget = {
  name: 'response-head',
  about: 'what arrives whole of an upstream is one message to a strict reader',
  corpus: responseTexts,
  spice: [...SPICE, 'HTTP/1.1 ', 'HTTP/1.0 ', '100 ', '204 ', '304 ', 'Keep-Alive: timeout=', 'Connection: close\r\n'],
  values: () => response.map(({ bytes }) => bytes),
  check(text) {
    const at = placesIn(text)
    const head = pass(cut(text, at), 'HEAD')
    const last = head.messages.at(-1)
    if (last?.ending === 'end') assert.equal(last.body, '', 'an answer to HEAD has no body')
    return `${outcomeOf(checkResponse(text, at))} / ${outcomeOf(head)}`
  },
}

/** Pieces of requests in any order. */
export const pieces: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
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
    ),
    { maxLength: 12 },
  )
  .map((each) => `POST / HTTP/1.1\r\nHost: a\r\n${each.join('')}`)
