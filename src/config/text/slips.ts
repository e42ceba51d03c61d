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

/** How far a line may go on to both sides of what is wrong: there may be thousands of faults in a line of 256 KiB. */
const REACH = 500

/** What is really wrong, if it is one of them. */
export function slipBehind(text: string, error: YamlError): Slip | undefined {
  const at = error.pos[0]
  const from = Math.max(0, at - REACH)
  const start = from + text.slice(from, at).lastIndexOf('\n') + 1
  const near = text.slice(start, at + REACH)
  const end = `${near}${start + near.length === text.length ? '\n' : ''}`.indexOf('\n', at - start)
  if ((start === from && from > 0) || end === -1) return undefined
  const line = near.slice(0, end)
  const next = near.slice(end + 1)
  return (
    conflictMarker(line, start) ??
    strangeBlank(`${line}\n${next.slice(0, next.search(/\n|$/))}`, start) ??
    (error.code === 'BLOCK_AS_IMPLICIT_KEY' ? nestedBelowValue(line, at - start, start, next) : undefined)
  )
}

function conflictMarker(line: string, start: number): Slip | undefined {
  if (!/^(<{7}|={7}|>{7})( |\r?$)/.test(line)) return undefined
  return { at: start, text: 'a merge conflict has been left in the file' }
}

/** In front of a line or behind a colon; anywhere else it is content. */
const STRANGE_BLANK =
  /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff](?<=(?:^ *|: *)[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff])/m

function strangeBlank(lines: string, start: number): Slip | undefined {
  const index = lines.search(STRANGE_BLANK)
  if (index === -1) return undefined
  return {
    at: start + index,
    text: 'a blank stands here that YAML does not know, such as web pages have; type it anew',
  }
}

/** The value at `at` of the line is whole, and the next line stands below it as if it were none. */
function nestedBelowValue(line: string, at: number, start: number, next: string): Slip | undefined {
  if (/:(\s|$)/.test(line.slice(at))) return undefined
  const dash = /^ *-(?=[^\s-])/.exec(line)
  if (dash !== null) return { at: start + dash[0].length - 1, text: 'a blank is missing after the dash' }
  const indent = next.search(/\S/)
  if (indent === -1) return undefined
  return { at: start + line.length + 1 + indent, text: 'is indented too far: the line above has a value already' }
}
