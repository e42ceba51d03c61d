/**
 * Readers of HTTP/1.1 requests that share no line with the gateway: what the next hop may be. One is strict (RFC 9112 and not a
 * bit more); the others have the leniencies that known attacks live from. They must all find the same messages in what
 * goes on.
 */

export interface Reader {
  readonly name: string
  /** A line may end with LF alone. */
  readonly takesBareLf: boolean
  /** What counts where a message has both framings. */
  readonly prefers: 'length' | 'chunked'
  /** Names are trimmed and `_` is `-`; numbers are read as far as they go; codings need only to contain `chunked`; folds are joined. */
  readonly isLoose: boolean
  /** Chunk extensions are skipped to the next LF, whatever they hold. */
  readonly skipsExtensions: boolean
}

export const STRICT: Reader = {
  name: 'strict',
  takesBareLf: false,
  prefers: 'chunked',
  isLoose: false,
  skipsExtensions: false,
}

export const READERS: readonly Reader[] = [
  STRICT,
  { name: 'bare LF', takesBareLf: true, prefers: 'chunked', isLoose: false, skipsExtensions: true },
  { name: 'length first', takesBareLf: false, prefers: 'length', isLoose: true, skipsExtensions: true },
  { name: 'chunked first', takesBareLf: true, prefers: 'chunked', isLoose: true, skipsExtensions: true },
]

export interface Found {
  /** Where each whole message ends. */
  readonly ends: readonly number[]
  /** What follows the last of them: nothing, a beginning, or something that the reader refuses. */
  readonly rest: 'nothing' | 'beginning' | 'nonsense'
}

/** A part of a message: where it ends, or why it does not. */
type Part = number | 'beginning' | 'nonsense'

export function findRequests(text: string, reader: Reader): Found {
  const ends: number[] = []
  let at = 0
  while (at < text.length) {
    const end = findRequest(text, at, reader)
    if (typeof end !== 'number') return { ends, rest: end }
    ends.push(end)
    at = end
  }
  return { ends, rest: 'nothing' }
}

const STRICT_HEAD = /[!#-'*+\-.^_`|~\w]+ \/[!"$-~]* HTTP\/1\.1\r\n(?:[!#-'*+\-.^_`|~\w]+:[\t -~\x80-\xff]*\r\n)*\r\n/y

function findRequest(text: string, start: number, reader: Reader): Part {
  const empty = (reader.takesBareLf ? /\n\r?\n/g : /\r\n\r\n/g) satisfies RegExp
  empty.lastIndex = start
  const found = empty.exec(text)
  if (found === null) return 'beginning'
  const headEnd = empty.lastIndex
  STRICT_HEAD.lastIndex = start
  if (!reader.isLoose && !reader.takesBareLf && !(STRICT_HEAD.test(text) && STRICT_HEAD.lastIndex === headEnd))
    return 'nonsense'
  return findBodyEnd(text, headEnd, framingOf(text.slice(start, headEnd), reader), reader)
}

type Framing = number | 'chunked' | 'nonsense'

function framingOf(head: string, reader: Reader): Framing {
  const unfolded = reader.isLoose ? head.replace(/\r?\n[ \t]+/g, ' ') : head
  const lengths: string[] = []
  const codings: string[] = []
  for (const line of unfolded.split(reader.takesBareLf ? /\r?\n/ : '\r\n').slice(1)) {
    const colon = line.indexOf(':')
    if (colon === -1) continue
    const written = line.slice(0, colon).toLowerCase()
    const name = reader.isLoose ? written.replaceAll(/[\0- ]/g, '').replaceAll('_', '-') : written
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')
    if (name === 'content-length') lengths.push(value)
    if (name === 'transfer-encoding') codings.push(value.toLowerCase())
  }
  return reader.isLoose ? chooseLoosely(lengths, codings, reader.prefers) : chooseStrictly(lengths, codings)
}

function chooseStrictly(lengths: readonly string[], codings: readonly string[]): Framing {
  if (lengths.length + codings.length > 1) return 'nonsense'
  if (codings.length === 1) return codings[0] === 'chunked' ? 'chunked' : 'nonsense'
  const [length = '0'] = lengths
  return /^\d+$/.test(length) && Number.isSafeInteger(Number(length)) ? Number(length) : 'nonsense'
}

function chooseLoosely(lengths: readonly string[], codings: readonly string[], prefers: string): Framing {
  const length = Number.parseInt(lengths.at(-1) ?? '', 10)
  const isChunked = codings.some((coding) => coding.includes('chunked'))
  if (isChunked && (prefers === 'chunked' || Number.isNaN(length))) return 'chunked'
  return Number.isNaN(length) ? 0 : Math.max(0, length)
}

function findBodyEnd(text: string, start: number, framing: Framing, reader: Reader): Part {
  if (framing === 'nonsense') return framing
  if (framing === 'chunked') return findChunksEnd(text, start, reader)
  return start + framing <= text.length ? start + framing : 'beginning'
}

function findChunksEnd(text: string, start: number, reader: Reader): Part {
  let at = start
  for (;;) {
    const lineEnd = text.indexOf('\n', at)
    if (lineEnd === -1) return 'beginning'
    const line = text.slice(at, lineEnd + 1)
    const size = sizeOf(line, reader)
    if (size === undefined) return 'nonsense'
    at = lineEnd + 1
    if (size === 0) return findTrailersEnd(text, at, reader)
    if (at + size + 2 > text.length) return 'beginning'
    if (!reader.isLoose && text.slice(at + size, at + size + 2) !== '\r\n') return 'nonsense'
    at += size + 2
  }
}

function sizeOf(line: string, reader: Reader): number | undefined {
  const shape = reader.isLoose || reader.skipsExtensions ? /^[ \t]*(?:0x)?([0-9a-f]+)/i : /^([0-9a-f]+)\r\n$/i
  const match = shape.exec(line)
  return match === null ? undefined : Number.parseInt(match[1]!, 16)
}

function findTrailersEnd(text: string, start: number, reader: Reader): Part {
  let at = start
  for (;;) {
    const lineEnd = text.indexOf('\n', at)
    if (lineEnd === -1) return 'beginning'
    const line = text.slice(at, lineEnd + 1)
    at = lineEnd + 1
    if (line === '\r\n' || (reader.takesBareLf && line === '\n')) return at
    if (!reader.isLoose && !/^[!#-'*+\-.^_`|~\w]+:[\t -~\x80-\xff]*\r\n$/.test(line)) return 'nonsense'
  }
}
