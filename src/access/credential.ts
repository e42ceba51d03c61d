import { FIELD } from '../http/fields.ts'
import type { FieldLine } from '../http/message.ts'

/** The scheme of RFC 6750, in any case, and the blank after it. */
const BEARER = 'bearer '

/** Start of the credential within a credential field's value, or -1 where it has none (another scheme than Bearer). */
export function credentialStart(text: string, line: FieldLine): number {
  if (line.field !== FIELD.authorization) return line.valueStart
  let start = line.valueStart + BEARER.length
  if (line.valueEnd < start || !isBearer(text, line.valueStart)) return -1
  while (start < line.valueEnd && text.charCodeAt(start) === 0x20) start++
  return start
}

function isBearer(text: string, start: number): boolean {
  const blank = BEARER.length - 1
  for (let i = 0; i < blank; i++) if ((text.charCodeAt(start + i) | 0x20) !== BEARER.charCodeAt(i)) return false
  return text.charCodeAt(start + blank) === 0x20
}

/** The same in a field of the operator's choice: behind its scheme, in any case, and blanks; without a scheme all of the value. */
export function startBehind(text: string, line: FieldLine, scheme: string): number {
  if (scheme === '') return line.valueStart
  let start = line.valueStart + scheme.length
  if (text.slice(line.valueStart, start).toLowerCase() !== scheme.toLowerCase()) return -1
  if (start >= line.valueEnd || text.charCodeAt(start) !== 0x20) return -1
  while (text.charCodeAt(start) === 0x20) start++
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
