import { isForbiddenInTrailers } from '../../http/fields.ts'
import { type Head, type Message, membersOf, nameOf, statusOf } from './message.ts'

/** What the gateway may change on the way, and must: docs/guide/fidelity.md, applied to a message that came straight. */

/** What became of it, for the report. */
export interface Change {
  readonly what: string
  readonly straight: string
}

export interface Expectation<T> {
  readonly expected: T
  readonly changes: readonly Change[]
}

const CONNECTION_SPECIFIC = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'upgrade',
])

/** Options of Connection that nominate no field. */
const OPTIONS = new Set(['close', 'keep-alive', 'upgrade', 'te'])

/** The field lines that go further than one connection. */
export function expectLines(head: Head): Expectation<readonly string[]> {
  const nominated = new Set(membersOf(head.lines, 'connection').filter((name) => !OPTIONS.has(name)))
  const isChunked = membersOf(head.lines, 'transfer-encoding').includes('chunked')
  const status = statusOf(head.startLine)
  const expected: string[] = []
  const changes: Change[] = []
  for (const line of head.lines) {
    const name = nameOf(line)
    const te = name === 'te' ? acceptsTrailers(line) : undefined
    if (te !== undefined && te !== line) {
      changes.push({ what: 'loses codings, they are for one connection only', straight: line })
      if (te !== '') expected.push(te)
    } else if (CONNECTION_SPECIFIC.has(name) || nominated.has(name)) {
      changes.push({ what: 'is dropped, it is for one connection only', straight: line })
    } else if (status !== 0 && name === 'content-length' && (isChunked || status < 200)) {
      changes.push({ what: 'is dropped, it has no meaning in this answer', straight: line })
    } else if (name === 'transfer-encoding' && status === 204) {
      changes.push({ what: 'is dropped, it has no meaning in this answer', straight: line })
    } else expected.push(line)
  }
  return { expected, changes }
}

/** What is left of a TE line: all of it, `trailers`, or nothing. */
function acceptsTrailers(line: string): string {
  const members = membersOf([line], 'te')
  if (members.length === 1 && members[0] === 'trailers') return line
  return members.includes('trailers') ? `${/^[^:]*:[\t ]*/.exec(line)![0]}trailers` : ''
}

export function expectStartLine(startLine: string): Expectation<string> {
  if (!startLine.startsWith('HTTP/1.0 ')) return { expected: startLine, changes: [] }
  const changes = [{ what: 'has the version that the gateway speaks', straight: startLine }]
  return { expected: `HTTP/1.1 ${startLine.slice('HTTP/1.0 '.length)}`, changes }
}

export function expectTrailers(trailers: readonly string[]): Expectation<readonly string[]> {
  const dropped = trailers.filter((line) => isForbiddenInTrailers(nameOf(line)))
  return {
    expected: trailers.filter((line) => !dropped.includes(line)),
    changes: dropped.map((line) => ({ what: 'is dropped, it must not stand in a trailer section', straight: line })),
  }
}

/** The sizes as they are written; extensions are dropped. */
export function expectChunkSizes({ chunkLines }: Message): Expectation<readonly string[]> {
  const extended = chunkLines.filter((line) => /[\t ;]/.test(line))
  return {
    expected: chunkLines.map((line) => line.replace(/[\t ;].*$/, '')),
    changes: extended.map((line) => ({ what: 'lose a chunk extension', straight: line })),
  }
}
