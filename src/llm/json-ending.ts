import { COLON, DQUOTE } from '../http/octets.ts'
import { type Level, MAX_LEVELS } from './json-beginning.ts'
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  isSpace,
  nameIn,
  OPEN_ARRAY,
  OPEN_OBJECT,
  type Span,
  startOfString,
} from './json-text.ts'

/** How a JSON text ends. */
export interface Ending {
  readonly levels: readonly Level[]
  /** Elements of an outermost array that are whole, the last one first. */
  readonly elements: readonly Span[]
  /** Where the value begins, if all of it is here; else -1. */
  readonly start: number
}

/**
 * Walks from the end of a JSON text backwards, until it begins or the octets do. From the end, depth is known although the start
 * is not: what closes last is the outermost value. And a string is known by its closing quote: going backwards it ends at the
 * first quote that has no odd number of backslashes before it. So a member that is found stands at exactly that level, however
 * much its text looks like another one's.
 *
 *     … z","usage":{"a":1}},"n":2}      levels[0]: n      levels[1]: usage
 *     ▲                 ▲▲     ▲
 *     cut               2│1    1 the outermost
 *
 * Undefined if it is the end of no object and no array.
 */
export function readEnding(bytes: Buffer, from: number, to: number): Ending | undefined {
  let at = to - 1
  while (at >= from && isSpace(bytes[at]!)) at--
  if (at < from || (bytes[at] !== CLOSE_OBJECT && bytes[at] !== CLOSE_ARRAY)) return undefined
  const open: Open[] = []
  const elements: Span[] = []
  while (at >= from) {
    const byte = bytes[at]!
    const here = open.at(-1)
    if (byte === DQUOTE) {
      const start = startOfString(bytes, at, from)
      if (start === -1) break
      at = start
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      open.push({ isArray: byte === CLOSE_ARRAY, members: new Map(), end: at + 1, valueTo: at })
    } else if (byte === COMMA && here !== undefined) {
      here.valueTo = at
    } else if (byte === COLON && here !== undefined && !here.isArray) {
      const name = nameBefore(bytes, at, from)
      if (name === undefined) break
      if (open.length <= MAX_LEVELS) addMember(here, name.text, at + 1)
      at = name.start
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (here === undefined || here.isArray !== (byte === OPEN_ARRAY)) return undefined
      open.pop()
      if (open.length === 1 && open[0]!.isArray) elements.push({ from: at, to: here.end })
      if (open.length === 0) return { levels: [levelOf(here)], elements, start: at }
    }
    at--
  }
  return { levels: open.slice(0, MAX_LEVELS).map(levelOf), elements, start: -1 }
}

interface Open {
  readonly isArray: boolean
  readonly members: Map<string, Span>
  readonly end: number
  valueTo: number
}

/** Of two members with one name the later one counts, as with JSON.parse. */
function addMember({ members, valueTo }: Open, name: string | undefined, from: number): void {
  if (name !== undefined && !members.has(name)) members.set(name, { from, to: valueTo })
}

function nameBefore(
  bytes: Buffer,
  colon: number,
  from: number,
): { start: number; text: string | undefined } | undefined {
  let at = colon - 1
  while (at >= from && isSpace(bytes[at]!)) at--
  if (at < from || bytes[at] !== DQUOTE) return undefined
  const start = startOfString(bytes, at, from)
  return start === -1 ? undefined : { start, text: nameIn(bytes, start + 1, at) }
}

function levelOf({ isArray, members }: Open): Level {
  return { isArray, members, inner: undefined }
}
