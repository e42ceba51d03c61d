import type { Cause } from '../cause.ts'
import { FIELD, fieldOf, isProtectedFromNomination } from '../http/fields.ts'
import { fieldLine, isBlank } from '../http/lines.ts'
import type { FieldLine } from '../http/message.ts'
import { COLON, CR, IS_TOKEN, isFieldValueOctet, LF } from '../http/octets.ts'

/**
 * Header sections (RFC 9112 section 5): `field-name ":" OWS field-value OWS CRLF`, ended by an empty line.
 * One pass finds the line ends and refuses every octet that does not belong: bare CR and LF, folding, controls, a name that
 * is no token.
 */

export interface FieldSection {
  /** Lines of interest, in order. */
  lines: FieldLine[]
  count: number
  /** After the empty line; -1: malformed. */
  end: number
  /** What is wrong with it. */
  cause: Cause | undefined
}

export function parseFieldSection(text: string, start: number): FieldSection {
  const lines: FieldLine[] = []
  let count = 0
  let at = start
  while (text.charCodeAt(at) !== CR) {
    const colon = skipToken(text, at)
    if (colon === at || text.charCodeAt(colon) !== COLON) {
      return { lines, count, end: -1, cause: faultOfName(text.charCodeAt(at)) }
    }
    const lineEnd = skipFieldValue(text, colon + 1)
    if (text.charCodeAt(lineEnd) !== CR || text.charCodeAt(lineEnd + 1) !== LF) {
      return { lines, count, end: -1, cause: isLineEnd(text.charCodeAt(lineEnd)) ? 'line_end' : 'field_value' }
    }
    count++
    const field = fieldOf(text, at, colon)
    if (field !== FIELD.other) lines.push(fieldLine(text, field, at, colon + 1, lineEnd))
    at = lineEnd + 2
  }
  return text.charCodeAt(at + 1) === LF
    ? { lines, count, end: at + 2, cause: undefined }
    : { lines, count, end: -1, cause: 'line_end' }
}

/** Of a line that does not begin with a name and a colon, by its first octet. */
function faultOfName(first: number): Cause {
  if (isBlank(first)) return 'folding'
  return first === LF ? 'line_end' : 'field_name'
}

export function isLineEnd(octet: number): boolean {
  return octet === CR || octet === LF
}

function skipToken(text: string, start: number): number {
  let i = start
  while (IS_TOKEN[text.charCodeAt(i)] === 1) i++
  return i
}

function skipFieldValue(text: string, start: number): number {
  let i = start
  while (isFieldValueOctet(text.charCodeAt(i))) i++
  return i
}

/** The non-empty members of a comma-separated value, lower-case. */
export function listMembers(value: string): string[] {
  // trim() takes off more than OWS, but a field value has no other white space in it than what OWS has and obs-text.
  return value
    .toLowerCase()
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '')
}

/** What the Connection lines of a section say. */
export interface ConnectionOptions {
  hasClose: boolean
  hasUpgrade: boolean
  /** An option names a field that the gateway itself answers for. */
  nominatesProtected: boolean
  /** Names that are no option of their own: these fields go no further. */
  nominated: Set<string> | undefined
}

export function addConnectionOptions(options: ConnectionOptions, value: string): void {
  // What nearly every client sends.
  if (value === 'keep-alive' || value === 'Keep-Alive') return
  for (const name of listMembers(value)) {
    if (name === 'close') options.hasClose = true
    else if (name === 'upgrade') options.hasUpgrade = true
    else if (isProtectedFromNomination(name)) options.nominatesProtected = true
    else if (name !== 'keep-alive' && name !== 'te') (options.nominated ??= new Set()).add(name)
  }
}

/** The lines of interest once more, now with those that Connection nominates. A second pass, but nobody pays it who does not nominate. */
export function withNominated(
  text: string,
  start: number,
  known: readonly FieldLine[],
  names: ReadonlySet<string>,
): FieldLine[] {
  const lines: FieldLine[] = []
  let next = 0
  let at = start
  while (text.charCodeAt(at) !== CR) {
    const colon = skipToken(text, at)
    const lineEnd = skipFieldValue(text, colon + 1)
    const line = known[next]
    const isKnown = line !== undefined && line.start === at
    if (names.has(text.slice(at, colon).toLowerCase())) {
      lines.push(fieldLine(text, FIELD.nominated, at, colon + 1, lineEnd))
    } else if (isKnown) lines.push(line)
    if (isKnown) next++
    at = lineEnd + 2
  }
  return lines
}

/**
 * 1*DIGIT (RFC 9110 section 8.6), undefined if it is no length. Beyond 2^53-1 octets (eight petabytes) nobody means what they
 * say, and one reader or another counts wrong.
 */
export function parseContentLength(text: string): number | undefined {
  if (text === '') return undefined
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (!(digit >= 0 && digit <= 9)) return undefined
    length = length * 10 + digit
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : undefined
}
