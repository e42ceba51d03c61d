import assert from 'node:assert/strict'
import { type Passage, pass } from '../../wire/passage.ts'
import { requestTexts } from '../corpus.ts'
import { cut, request } from '../messages.ts'
import { placesIn } from '../random.ts'
import type { TextTarget } from '../target.ts'
import { outcomeOf } from './outcome.ts'
import { SPICE } from './smuggling.ts'

const GRAMMAR =
  /^[!#-'*+\-.^_`|~\w]+ (?:\/|https?:\/\/)[!"$-~]* HTTP\/1\.1\r\n((?:[!#-'*+\-.^_`|~\w]+:[\t -~\x80-\xff]*\r\n)*)\r\n$/i

/** Nobody could mind these. */
const PLAIN =
  /^(?:GET|POST|PUT|M-SEARCH) \/[a-z0-9/]*(?:\?[a-z=&]*)? HTTP\/1\.1\r\n(?:X-[A-Z][a-z]*: ?[a-z0-9,]*\r\n)*Host: ?[a-z]+\r\n(?:X-[A-Z][a-z]*: ?[a-z0-9,]*\r\n)*(?:Content-Length: \d{1,9}\r\n)?\r\n$/

const valuesOf = (section: string, name: string): string[] =>
  section
    .split('\r\n')
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).replace(/^[ \t]+|[ \t]+$/g, ''))

/** What a careless server would take for a segment, decoded once or with its parameters cut off. */
function hasDotSegment(target: string): boolean {
  const path = target.replace(/^https?:\/\/[^/?]*/i, '').split('?', 1)[0]!
  return path
    .replaceAll(/%2e/gi, '.')
    .replaceAll(/%2f|%5c|\\/gi, '/')
    .split('/')
    .some((segment) => /^\.\.?(?:;|$)/.test(segment))
}

/** Why this head must go no further; undefined where it may. */
function flawOf(head: string): string | undefined {
  const match = GRAMMAR.exec(head)
  if (match === null) return 'the grammar'
  const section = match[1]!
  const [method = '', target = ''] = head.split(' ')
  const hosts = valuesOf(section, 'host')
  const lengths = valuesOf(section, 'content-length')
  const codings = valuesOf(section, 'transfer-encoding')
  if (hosts.length !== 1 || hosts[0] === '' || /[\s,@/\\?#]/.test(hosts[0]!)) return 'Host'
  if (lengths.length + codings.length > 1) return 'two framings'
  if (lengths.some((length) => !/^\d+$/.test(length))) return 'the length'
  if (codings.some((coding) => coding.toLowerCase() !== 'chunked')) return 'the coding'
  if (/^(?:content_length|transfer_encoding):/im.test(section)) return 'a twin'
  if (method === 'TRACE' || method === 'CONNECT') return 'the method'
  if (target.length > 32_768 || target.includes('#') || hasDotSegment(target)) return 'the target'
  if (section.split('\r\n').length - 1 > 256 || head.length > 65_536) return 'the size'
  return undefined
}

/** What has several flaws may be refused for the one that is seen first, and that depends on how it comes. */
function fateOf({ messages }: Passage): unknown {
  return messages.map((message) => ({ ...message, ending: message.ending.replace(/^refused .*/, 'refused') }))
}

export const requestHead: TextTarget = {
  name: 'request-head',
  about: 'what has a flaw goes no further, what has none does, in pieces too',
  corpus: requestTexts,
  spice: [...SPICE, '..', '/', '%2e', '%2f', '#', '@', '://', 'Host: a\r\n', 'HTTP/1.0', 'Expect: 100-continue\r\n'],
  values: () => request.map(({ bytes }) => bytes.slice(0, bytes.indexOf('\r\n\r\n') + 4)),
  check(text) {
    const passage = pass([text])
    const inPieces = pass(cut(text, placesIn(text)))
    assert.deepEqual(fateOf(inPieces), fateOf(passage), 'another thing happens when it comes in pieces')
    if (text.length < 300) assert.deepEqual(fateOf(pass([...text])), fateOf(passage), 'not the same byte by byte')
    const start = /^(?:\r\n){0,8}/.exec(text)![0].length
    const head = text.slice(start, text.indexOf('\r\n\r\n', start) + 4)
    const first = passage.messages[0]
    if (first !== undefined && first.head !== '') {
      const flaw = flawOf(head)
      assert.equal(flaw, undefined, `it goes on in spite of ${flaw}: ${JSON.stringify(head.slice(0, 200))}`)
    } else assert.ok(!PLAIN.test(head), `it is refused: ${JSON.stringify(head.slice(0, 200))}`)
    return outcomeOf(passage)
  },
}
