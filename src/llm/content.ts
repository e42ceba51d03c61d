import { contentWordsOf } from './content-words.ts'
import {
  beginningOf,
  type Document,
  endingOf,
  endsAsJson,
  firstElements,
  isOneValue,
  lastElements,
  secondValue,
  wholeDocument,
} from './document.ts'
import { type Documents, readEvents, readLines } from './event-lines.ts'
import { readFrames } from './event-stream.ts'
import { OPEN_ARRAY, OPEN_OBJECT, skipSpace } from './json-text.ts'
import type { Kept } from './window.ts'

/** An answer as documents, from both of its ends. */
export interface Content {
  /** Several documents after each other, or a single one. */
  readonly isStream: boolean
  /** From the beginning on, in their order. */
  readonly first: readonly Document[]
  /** From the end back, the last one first. */
  readonly last: readonly Document[]
  /** The stream said `[DONE]`. */
  readonly isDone: boolean
  /** It is JSON from one end to the other, as far as it can be seen. */
  readonly isSound: boolean
}

type Form = 'json' | 'array' | 'lines' | 'events' | 'frames'

const BOM = 0xef
/** Of either end of a stream, so many documents are looked at: what counts is in the first or the last two or three. */
const MAX_DOCUMENTS = 16

/**
 * The documents in what has been kept of an answer. Of one that broke off (not `isWhole`), nothing is read from its end but what a line
 * break has ended: what happens to close last is not the outermost value. Undefined where there are none (audio, HTML, nothing). */
export function readContent(kept: Kept, contentType: string, isWhole: boolean): Content | undefined {
  const { head } = kept
  const from = skipSpace(head, head[0] === BOM ? 3 : 0, head.length)
  const form = formOf(head, from, contentType)
  switch (form) {
    case undefined:
      return undefined
    case 'json':
      return readJson(kept, from, isWhole)
    case 'array':
      return readArray(kept, from, isWhole)
    case 'lines':
      return readStream(kept, from, readLines)
    case 'events':
      return readStream(kept, from, readEvents)
    case 'frames':
      return readStream(kept, from, readFrames)
  }
}

/** By its type, and where the first octets say otherwise, by them. */
function formOf(head: Buffer, from: number, contentType: string): Form | undefined {
  const { form } = contentWordsOf(contentType)
  if (form === 'frames') return 'frames'
  const isEvents = form === 'events'
  const byte = head[from]
  if (byte === OPEN_OBJECT) return form === 'lines' ? 'lines' : 'json'
  if (byte === OPEN_ARRAY && !isEvents) return 'array'
  if (isEvents) return 'events'
  return /^(?:data|event|id|retry)?:/.test(head.toString('latin1', from, from + 8)) ? 'events' : undefined
}

function readJson(kept: Kept, from: number, isWhole: boolean): Content {
  const { head, tail, isCut } = kept
  if (isCut) {
    const first = [beginningOf(head, from, head.length)]
    const isSound = isWhole && endsAsJson(tail, 0, tail.length)
    const last = isSound ? [endingOf(tail, 0, tail.length), ...first] : first
    return { isStream: false, first, last, isDone: false, isSound }
  }
  const document = wholeDocument(head, from, head.length)
  if (!document.isWhole && secondValue(head, from, head.length) !== -1) return readStream(kept, from, readLines)
  return { isStream: false, first: [document], last: [document], isDone: false, isSound: document.isWhole }
}

function readArray({ head, tail, isCut }: Kept, from: number, isWhole: boolean): Content {
  const first = firstElements(head, from, head.length)
  if (isCut && !isWhole) return { isStream: true, first, last: lastChunk(tail), isDone: false, isSound: false }
  const last = isCut ? lastElements(tail, 0, tail.length) : first.toReversed()
  const isSound = isCut ? last.length > 0 : isOneValue(head, from, head.length)
  return { isStream: true, first, last, isDone: false, isSound }
}

/**
 * Gemini indents the elements of its array, so that a bracket at the start of a line is one of theirs: texts have no line breaks
 * in JSON. So the last chunk is found that was whole before the array broke off.
 */
function lastChunk(tail: Buffer): Document[] {
  const end = tail.lastIndexOf('\n}')
  if (end === -1) return []
  const start = tail.lastIndexOf('\n{', end)
  return [start === -1 ? endingOf(tail, 0, end + 2) : wholeDocument(tail, start, end + 2)]
}

function readStream(
  { head, tail, isCut }: Kept,
  from: number,
  read: (bytes: Buffer, from: number, to: number, isTail: boolean) => Documents,
): Content {
  const beginning = read(head, from, head.length, false)
  const ending = isCut ? read(tail, 0, tail.length, true) : beginning
  return {
    isStream: true,
    first: beginning.list.slice(0, MAX_DOCUMENTS),
    last: ending.list.slice(-MAX_DOCUMENTS).reverse(),
    isDone: ending.isDone,
    isSound: ending.isEnded,
  }
}
