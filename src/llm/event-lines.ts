import { CR, LF, SP } from '../http/octets.ts'
import { type Document, endingOf, wholeDocument } from './document.ts'
import { OPEN_ARRAY, OPEN_OBJECT, skipSpace } from './json-text.ts'

const DONE = '[DONE]'

/** The documents of a piece of a stream, in their order. */
export interface Documents {
  readonly list: Document[]
  /** An event that says `[DONE]` was among them. */
  readonly isDone: boolean
  /** What stands last in it has come to its end, and did not break off. */
  readonly isEnded: boolean
}

const NOTHING_ENDED: Documents = { list: [], isDone: false, isEnded: false }

/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6) in `bytes[from..to)`: lines end with LF,
 * CR LF or CR, the data of several lines belong together, comments and other fields say nothing. JSON has no line break in
 * a string, so a line break is one, wherever the piece begins. `isTail`: its first line may be the end of a line. What follows the last
 * line break may be the beginning of one.
 */
export function readEvents(bytes: Buffer, from: number, to: number, isTail: boolean): Documents {
  const events: Event[] = []
  let event: Event | undefined
  let isLastBroken = false
  const hasCr = hasCarriageReturn(bytes, from, to)
  for (let at = from; at < to; ) {
    const end = endOfLine(bytes, at, to, hasCr)
    const isEnding = at === from && isTail
    // Whatever a line ends with that breaks off, it is not the end of its document.
    if (isEnding && end === to) return NOTHING_ENDED
    const data = isEnding ? at : dataOfLine(bytes, at, end)
    if (end === at) event = undefined
    else if (data !== -1) {
      if (event === undefined) events.push((event = { from: data, to: end, more: undefined, isEnding }))
      else (event.more ??= []).push(bytes.subarray(data, end))
    }
    // Half a name of a field, or one without its value.
    if (end === to && end > at && (data === -1 || data === end)) isLastBroken = true
    at = end + 1
    if (hasCr && end < to && bytes[end] === CR && bytes[at] === LF) at++
  }
  let isDone = false
  const list: Document[] = []
  for (const one of events) {
    // Clients look at nothing behind it.
    if (isDone || isDoneEvent(bytes, one)) isDone = true
    else list.push(documentOf(bytes, one))
  }
  return { list, isDone, isEnded: !isLastBroken && isEventEnded(bytes, events.at(-1), list.at(-1)) }
}

/** Data that are no JSON have no end that anybody could miss. */
function isEventEnded(bytes: Buffer, event: Event | undefined, document: Document | undefined): boolean {
  if (event === undefined || document === undefined || isDoneEvent(bytes, event)) return true
  const first = bytes[skipSpace(bytes, event.from, event.to)]
  return document.isEnded || !(event.isEnding || first === OPEN_OBJECT || first === OPEN_ARRAY)
}

interface Event {
  readonly from: number
  readonly to: number
  /** Its other lines. */
  more: Buffer[] | undefined
  readonly isEnding: boolean
}

function documentOf(bytes: Buffer, { from, to, more, isEnding }: Event): Document {
  const read = isEnding ? endingOf : wholeDocument
  if (more === undefined) return read(bytes, from, to)
  const joined = Buffer.concat([bytes.subarray(from, to), ...more])
  return read(joined, 0, joined.length)
}

function isDoneEvent(bytes: Buffer, { from, to, more }: Event): boolean {
  return more === undefined && to - from <= 32 && bytes.toString('latin1', from, to).trim() === DONE
}

/** Behind `data:` and one blank; -1 in any other line. */
function dataOfLine(bytes: Buffer, at: number, end: number): number {
  const isData =
    end - at >= 5 &&
    bytes[at] === 0x64 &&
    bytes[at + 1] === 0x61 &&
    bytes[at + 2] === 0x74 &&
    bytes[at + 3] === 0x61 &&
    bytes[at + 4] === 0x3a
  if (!isData) return -1
  return at + 5 < end && bytes[at + 5] === SP ? at + 6 : at + 5
}

/** One JSON text a line, as Ollama sends them. */
export function readLines(bytes: Buffer, from: number, to: number, isTail: boolean): Documents {
  const lines: [from: number, to: number][] = []
  for (let at = from; at < to; ) {
    const end = endOfLine(bytes, at, to, false)
    if (isTail && at === from && end === to) return NOTHING_ENDED
    if (end - at > 1) lines.push([at, end])
    at = end + 1
  }
  const list = lines.map(([start, end]) => {
    return (isTail && start === from ? endingOf : wholeDocument)(bytes, start, end)
  })
  return { list, isDone: false, isEnded: list.at(-1)?.isEnded !== false }
}

function hasCarriageReturn(bytes: Buffer, from: number, to: number): boolean {
  const first = bytes.indexOf(CR, from)
  return first !== -1 && first < to
}

/** Where the line ends that begins at `at`: at its line break, or at `to`. */
function endOfLine(bytes: Buffer, at: number, to: number, hasCr: boolean): number {
  if (!hasCr) {
    const end = bytes.indexOf(LF, at)
    return end === -1 || end > to ? to : end
  }
  let end = at
  while (end < to && bytes[end] !== LF && bytes[end] !== CR) end++
  return end
}
