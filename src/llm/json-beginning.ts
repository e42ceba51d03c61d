import { COLON, DQUOTE } from '../http/octets.ts'
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  endOfString,
  nameIn,
  OPEN_ARRAY,
  OPEN_OBJECT,
  type Span,
  skipSpace,
} from './json-text.ts'

/** Usage never stands deeper: `response.meta.billed_units` in an element of an array. */
export const MAX_LEVELS = 5

/** One of the values that are open where the text breaks off, from the outside in. */
export interface Level {
  readonly isArray: boolean
  /** Its members that are whole, by name. */
  readonly members: Map<string, Span>
  /** The member that holds the next level, where it is known. */
  inner: string | undefined
}

/** How a JSON text begins. */
export interface Beginning {
  readonly levels: readonly Level[]
  /** Elements of an outermost array that are whole. */
  readonly elements: readonly Span[]
  /** Behind the value, if it is whole; else -1. */
  readonly end: number
}

/**
 * Walks from the start of a JSON text to where it ends or breaks off. What is found stands at a known place: strings are
 * skipped as strings, and depth is counted. Undefined if this is the start of no object and no array.
 */
export function readBeginning(bytes: Buffer, from: number, to: number): Beginning | undefined {
  let at = skipSpace(bytes, from, to)
  if (at >= to || (bytes[at] !== OPEN_OBJECT && bytes[at] !== OPEN_ARRAY)) return undefined
  const open: Open[] = []
  const elements: Span[] = []
  const result = (end: number): Beginning => ({ levels: open.slice(0, MAX_LEVELS).map(levelOf), elements, end })
  let text: Span | undefined
  while (at < to) {
    const byte = bytes[at]!
    const here = open.at(-1)
    if (byte === DQUOTE) {
      const end = endOfString(bytes, at + 1, to)
      if (end === -1) return result(-1)
      text = { from: at + 1, to: end - 1 }
      at = end
      continue
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      open.push({ at, isArray: byte === OPEN_ARRAY, members: new Map(), name: undefined, valueFrom: 0 })
    } else if (byte === COLON && here !== undefined && !here.isArray && text !== undefined) {
      here.name = open.length <= MAX_LEVELS ? nameIn(bytes, text.from, text.to) : undefined
      here.valueFrom = at + 1
    } else if (byte === COMMA && here !== undefined) {
      closeMember(here, at)
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (here === undefined || here.isArray !== (byte === CLOSE_ARRAY)) return result(-1)
      closeMember(here, at)
      open.pop()
      const outer = open.at(-1)
      if (outer !== undefined) closeMember(outer, at + 1)
      if (open.length === 1 && open[0]!.isArray) elements.push({ from: here.at, to: at + 1 })
      if (open.length === 0) return { levels: [levelOf(here)], elements, end: at + 1 }
    }
    at++
  }
  return result(-1)
}

interface Open {
  readonly at: number
  readonly isArray: boolean
  readonly members: Map<string, Span>
  name: string | undefined
  valueFrom: number
}

function closeMember(open: Open, at: number): void {
  if (open.name === undefined) return
  open.members.set(open.name, { from: open.valueFrom, to: at })
  open.name = undefined
}

function levelOf({ isArray, members, name }: Open): Level {
  return { isArray, members, inner: name }
}
