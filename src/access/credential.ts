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

/** Empty where there is none. */
export function credentialOf(text: string, line: FieldLine): string {
  const start = credentialStart(text, line)
  return start === -1 ? '' : text.slice(start, line.valueEnd)
}
