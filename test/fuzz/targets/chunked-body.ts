import assert from 'node:assert/strict'
import { BodyFollower } from '../../../src/http1/body-follower.ts'
import { chunkedBodies } from '../corpus.ts'
import { chunked, cut } from '../messages.ts'
import { placesIn } from '../random.ts'
import type { TextTarget } from '../target.ts'

interface Followed {
  readonly passed: string
  readonly ending: 'done' | 'failed' | 'open'
  /** Where the body ended; undefined where it did not. */
  readonly end: number | undefined
}

function follow(pieces: readonly string[]): Followed {
  const body = new BodyFollower()
  body.start('chunked', 0)
  let [passed, read] = ['', 0]
  for (const piece of pieces) {
    const buffer = Buffer.from(piece, 'latin1')
    const at = body.follow(buffer, 0, buffer.length)
    passed += body.before + buffer.toString('latin1', 0, body.runEnd)
    if (body.isFailed) return { passed, ending: 'failed', end: undefined }
    if (body.isDone) return { passed, ending: 'done', end: read + at }
    read += piece.length
  }
  return { passed, ending: 'open', end: undefined }
}

interface Decoded {
  readonly content: string
  readonly trailers: readonly string[]
}

/** Reads a body that is known to be whole, with nothing but what a first reading of RFC 9112 section 7.1 gives. */
function decode(text: string): Decoded {
  let [content, at] = ['', 0]
  for (;;) {
    const size = /[0-9A-Fa-f]+/y
    size.lastIndex = at
    const digits = size.exec(text)?.[0]
    assert.ok(digits !== undefined, `a size stands at ${at}`)
    at = text.indexOf('\r\n', at) + 2
    const length = Number.parseInt(digits, 16)
    if (length === 0) break
    content += text.slice(at, at + length)
    at += length + 2
  }
  const trailers = text.slice(at, -2).split('\r\n').slice(0, -1)
  return { content, trailers }
}

const DROPPED =
  /^(?:host|content[-_]length|transfer[-_]encoding|authorization|x[-_]api[-_]key|api[-_]key|x[-_]goog[-_]api[-_]key|x[-_]fluxgate[-_]key|connection|te|trailer|set[-_]cookie|cookie):/i

/** Every way to cut it once, where there are few. */
function cuts(text: string): readonly (readonly string[])[] {
  const all = [cut(text, placesIn(text))]
  if (text.length <= 400) all.push([...text])
  if (text.length <= 100) for (let at = 1; at < text.length; at++) all.push([text.slice(0, at), text.slice(at)])
  return all
}

export const chunkedBody: TextTarget = {
  name: 'chunked-body',
  about: 'a chunked body has one end, the same content, and is the same however it is cut',
  corpus: chunkedBodies,
  spice: [
    '\r',
    '\n',
    '\r\n',
    '0\r\n\r\n',
    ';',
    ';a="',
    '\\',
    '"',
    '=',
    ' ',
    '\t',
    'f',
    '00000000',
    'TE: x\r\n',
    'a:b\r\n',
    '\0',
  ],
  values: () => chunked.map(({ bytes }) => bytes),
  check(text) {
    const followed = follow([text])
    for (const pieces of cuts(text)) {
      const other = follow(pieces)
      assert.deepEqual(other, followed, `cut into pieces of ${pieces.map(({ length }) => length).join(' ')}`)
    }
    const { passed, ending, end } = followed
    if (ending !== 'done') return ending
    const [before, after] = [decode(text.slice(0, end)), decode(passed)]
    assert.equal(after.content, before.content, 'the content has changed')
    assert.deepEqual(
      after.trailers,
      before.trailers.filter((line) => after.trailers.includes(line)),
    )
    assert.equal(
      after.trailers.find((line) => DROPPED.test(line)),
      undefined,
      'a trailer that must not travel',
    )
    assert.deepEqual(follow([passed]), { passed, ending: 'done', end: passed.length }, 'what went on is no body')
    const marks = [before.content === '' ? 'empty' : 'content']
    if (passed.length < end!) marks.push('shorter')
    if (end! < text.length) marks.push('more behind it')
    if (before.trailers.length > after.trailers.length) marks.push('trailers dropped')
    if (after.trailers.length > 0) marks.push('trailers')
    return marks.join(', ')
  },
}
