import { beginningOf, type Document, endingOf, wholeDocument } from './document.ts'

const LF = 0x0a
const CR = 0x0d
const DATA = Buffer.from('data:')
const DONE = '[DONE]'

/** The documents of a piece of a stream, in their order. */
export interface Documents {
  readonly list: Document[]
  /** An event that says `[DONE]` was among them. */
  readonly isDone: boolean
}

/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6) in `bytes[from..to)`: lines end with LF,
 * CR LF or CR, the data of several lines belong together, comments and other fields say nothing. JSON has no line break in
 * a string, so a line break is one, wherever the piece begins. `isTail`: its first line may be the end of a line. What follows the last
 * line break may be the beginning of one.
 */
export function readEvents(bytes: Buffer, from: number, to: number, isTail: boolean): Documents {
  const list: Document[] = []
  let isDone = false
  let lines: [from: number, to: number][] = []
  let isEnding = isTail
  const dispatch = (): void => {
    if (lines.length === 0) return
    const [first] = lines
    if (lines.length === 1 && isDoneLine(bytes, first![0], first![1])) isDone = true
    else if (lines.length === 1) list.push((isEnding ? endingOf : wholeDocument)(bytes, first![0], first![1]))
    else {
      const joined = Buffer.concat(lines.map(([start, end]) => bytes.subarray(start, end)))
      list.push((isEnding ? endingOf : wholeDocument)(joined, 0, joined.length))
    }
    isEnding = false
    lines = []
  }
  const hasCr = bytes.subarray(from, to).includes(CR)
  let isFirst = true
  for (let at = from; at < to; ) {
    const end = endOfLine(bytes, at, to, hasCr)
    if (end === at) dispatch()
    else if (isFirst && isTail) lines.push([at, end])
    else if (bytes.compare(DATA, 0, 5, at, Math.min(at + 5, end)) === 0) {
      lines.push([bytes[at + 5] === 0x20 && at + 5 < end ? at + 6 : at + 5, end])
    }
    isFirst = false
    at = end + 1
    if (end < to && bytes[end] === CR && bytes[at] === LF) at++
  }
  dispatch()
  return { list, isDone }
}

/** One JSON text a line, as Ollama sends them. */
export function readLines(bytes: Buffer, from: number, to: number, isTail: boolean): Documents {
  const list: Document[] = []
  for (let at = from; at < to; ) {
    const end = endOfLine(bytes, at, to, false)
    const isEnding = isTail && at === from
    const isBeginning = end === to && !isTail
    if (end - at > 1) list.push((isEnding ? endingOf : isBeginning ? lastLine : wholeDocument)(bytes, at, end))
    at = end + 1
  }
  return { list, isDone: false }
}

function lastLine(bytes: Buffer, from: number, to: number): Document {
  const whole = wholeDocument(bytes, from, to)
  return whole.isWhole ? whole : beginningOf(bytes, from, to)
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

function isDoneLine(bytes: Buffer, from: number, to: number): boolean {
  return to - from <= 32 && bytes.toString('latin1', from, to).trim() === DONE
}
