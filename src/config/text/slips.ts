/**
 * Slips that the parser does not see as what they are: it only notices that something later does not fit, and what it then
 * says would have a person mend a line that is right.
 */
import type { YamlError } from './root-causes.ts'

export interface Slip {
  /** Offset of what a person has to mend. */
  readonly at: number
  readonly text: string
}

/** What is really wrong, if it is one of them. */
export function slipBehind(text: string, error: YamlError): Slip | undefined {
  const at = error.pos[0]
  const start = text.lastIndexOf('\n', at - 1) + 1
  const end = endOfLine(text, at)
  return (
    conflictMarker(text.slice(start, end), start) ??
    strangeBlank(text.slice(start, endOfLine(text, end + 1)), start) ??
    (error.code === 'BLOCK_AS_IMPLICIT_KEY' ? nestedBelowValue(text, at, start, end) : undefined)
  )
}

function conflictMarker(line: string, start: number): Slip | undefined {
  if (!/^(<{7}|={7}|>{7})( |\r?$)/.test(line)) return undefined
  return { at: start, text: 'a merge conflict has been left in the file' }
}

/** In front of a line or behind a colon; anywhere else it is content. */
const STRANGE_BLANK = /(?<=^ *|: *)[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff]/m

function strangeBlank(lines: string, start: number): Slip | undefined {
  const index = lines.search(STRANGE_BLANK)
  if (index === -1) return undefined
  return {
    at: start + index,
    text: 'a blank stands here that YAML does not know, such as web pages have; type it anew',
  }
}

/** The value at `at` is whole, and the next line stands below it as if it were none. */
function nestedBelowValue(text: string, at: number, start: number, end: number): Slip | undefined {
  if (/:(\s|$)/.test(text.slice(at, end))) return undefined
  const dash = /^ *-(?=[^\s-])/.exec(text.slice(start, end))
  if (dash !== null) return { at: start + dash[0].length - 1, text: 'a blank is missing after the dash' }
  const next = text.slice(end).search(/\S/)
  if (next === -1) return undefined
  return { at: end + next, text: 'is indented too far: the line above has a value already' }
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end === -1 ? text.length : end
}
