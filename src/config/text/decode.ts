/** Bytes of the configuration file → text that YAML may hold, or the place where they stop being that. */
import { isUtf8 } from 'node:buffer'

export interface TextFault {
  /** Offset in the text; for bytes that are no text, the line counts. */
  readonly line: number
  readonly column: number
  readonly text: string
}

/** YAML 1.2 §5.1: control characters other than tab and line breaks do not occur in a document. */
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/

export function decode(bytes: Uint8Array): string | TextFault {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return { line: 1, column: 1, text: 'is UTF-16; it must be saved as UTF-8' }
  }
  if (!isUtf8(bytes)) return { line: firstBadLine(bytes), column: 1, text: 'this line is not valid UTF-8' }
  // Drops a byte order mark, so that the first line's columns are what an editor shows.
  const text = new TextDecoder().decode(bytes)
  const control = CONTROL.exec(text)
  if (control === null) return text
  const before = text.slice(0, control.index)
  const line = before.split('\n').length
  const column = control.index - before.lastIndexOf('\n')
  return { line, column, text: 'a control character stands here; remove it or write it as an escape in double quotes' }
}

/** Line by line is right: a line feed is never part of a longer UTF-8 sequence. */
function firstBadLine(bytes: Uint8Array): number {
  let line = 1
  let start = 0
  while (start < bytes.length) {
    const feed = bytes.indexOf(0x0a, start)
    const end = feed === -1 ? bytes.length : feed
    if (!isUtf8(bytes.subarray(start, end))) return line
    start = end + 1
    line++
  }
  return line
}
