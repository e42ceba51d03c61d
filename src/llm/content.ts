import {
  beginningOf,
  type Document,
  endingOf,
  endsAsJson,
  firstElements,
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

const LINES = /ndjson|jsonl|json-lines|json-seq|stream\+json/
const BOM = 0xef

/** The documents in what has been kept of an answer; undefined where there are none (audio, HTML, nothing). */
export function readContent(kept: Kept, contentType: string): Content | undefined {
  const { head } = kept
  const from = skipSpace(head, head[0] === BOM ? 3 : 0, head.length)
  const form = formOf(head, from, contentType)
  switch (form) {
    case undefined:
      return undefined
    case 'json':
      return readJson(kept, from)
    case 'array':
      return readArray(kept, from)
    case 'lines':
      return readStream(kept, from, readLines)
    case 'events':
      return readStream(kept, from, readEvents)
    case 'frames':
      return readStream(kept, from, (...piece) => ({ list: readFrames(...piece), isDone: false }))
  }
}

/** Whether content of this type may have documents at all; else it need not be looked at. */
export function mayBeRead(contentType: string): boolean {
  return /^$|json|^text\/event-stream|^application\/vnd\.amazon\.eventstream/i.test(contentType)
}

/** By its type, and where the first octets say otherwise, by them. */
function formOf(head: Buffer, from: number, contentType: string): Form | undefined {
  const type = contentType.toLowerCase()
  if (type.startsWith('application/vnd.amazon.eventstream')) return 'frames'
  const isEvents = type.startsWith('text/event-stream')
  const byte = head[from]
  if (byte === OPEN_OBJECT) return LINES.test(type) ? 'lines' : 'json'
  if (byte === OPEN_ARRAY && !isEvents) return 'array'
  if (isEvents) return 'events'
  return /^(?:data|event|id|retry)?:/.test(head.toString('latin1', from, from + 8)) ? 'events' : undefined
}

function readJson(kept: Kept, from: number): Content {
  const { head, tail, isCut } = kept
  if (isCut) {
    const end = endingOf(tail, 0, tail.length)
    const first = [beginningOf(head, from, head.length)]
    return { isStream: false, first, last: [end, ...first], isDone: false, isSound: endsAsJson(tail, 0, tail.length) }
  }
  const document = wholeDocument(head, from, head.length)
  if (!document.isWhole && secondValue(head, from, head.length) !== -1) return readStream(kept, from, readLines)
  return { isStream: false, first: [document], last: [document], isDone: false, isSound: document.isWhole }
}

function readArray({ head, tail, isCut }: Kept, from: number): Content {
  const first = firstElements(head, from, head.length)
  const last = isCut ? lastElements(tail, 0, tail.length) : first.toReversed()
  const isSound = isCut ? last.length > 0 : endsAsJson(head, from, head.length)
  return { isStream: true, first, last, isDone: false, isSound }
}

function readStream(
  { head, tail, isCut }: Kept,
  from: number,
  read: (bytes: Buffer, from: number, to: number, isTail: boolean) => Documents,
): Content {
  const beginning = read(head, from, head.length, false)
  if (!isCut) {
    return { ...ends(beginning.list, beginning.list), isDone: beginning.isDone }
  }
  const ending = read(tail, 0, tail.length, true)
  return { ...ends(beginning.list, ending.list), isDone: ending.isDone }
}

/** Of either end of a stream, so many documents are looked at: what counts is in the first or the last two or three. */
const MAX_DOCUMENTS = 16

function ends(beginning: readonly Document[], ending: readonly Document[]): Omit<Content, 'isDone'> {
  const first = beginning.slice(0, MAX_DOCUMENTS)
  return { isStream: true, first, last: ending.slice(-MAX_DOCUMENTS).reverse(), isSound: true }
}
