import { FIELD } from '../http/fields.ts'
import type { FieldLine } from '../http/message.ts'
import { beginsWith, SP } from '../http/octets.ts'

/** The scheme of RFC 6750. */
const BEARER = 'bearer'

/** Start of the credential within a credential field's value, or -1 where it has none (another scheme than Bearer). */
export function credentialStart(text: string, line: FieldLine): number {
  return line.field === FIELD.authorization ? startBehind(text, line, BEARER) : line.valueStart
}

/** Start of what stands behind a scheme, in any case, and blanks; -1 where that is not there. Without a scheme it is all of the value. */
export function startBehind(text: string, line: FieldLine, scheme: string): number {
  if (scheme === '') return line.valueStart
  let start = line.valueStart + scheme.length
  if (start >= line.valueEnd || text.charCodeAt(start) !== SP) return -1
  if (!beginsWith(text, line.valueStart, scheme.toLowerCase())) return -1
  while (text.charCodeAt(start) === SP) start++
  return start
}

/** Empty where there is none. */
export function credentialBehind(text: string, line: FieldLine, scheme: string): string {
  const start = startBehind(text, line, scheme)
  return start === -1 ? '' : text.slice(start, line.valueEnd)
}

/** Empty where there is none. */
export function credentialOf(text: string, line: FieldLine): string {
  const start = credentialStart(text, line)
  return start === -1 ? '' : text.slice(start, line.valueEnd)
}
