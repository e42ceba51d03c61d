import { FIELD, type Field } from './fields.ts'
import type { FieldLine, RequestHead, ResponseHead } from './message.ts'
import { beginsWith, COLON, SP, TAB } from './octets.ts'

/**
 * Field lines of a head that has been parsed: each is a name, a colon, a value without a control in it, CRLF. Most lines are
 * none of ours and were not listed; whoever has reason to looks for them here.
 */

/** The line that starts at `start`; its value, from behind the colon to `lineEnd`, without the white space around it. */
export function fieldLine(text: string, field: Field, start: number, from: number, lineEnd: number): FieldLine {
  let valueStart = from
  let valueEnd = lineEnd
  while (valueStart < valueEnd && isBlank(text.charCodeAt(valueStart))) valueStart++
  while (valueEnd > valueStart && isBlank(text.charCodeAt(valueEnd - 1))) valueEnd--
  return { field, start, valueStart, valueEnd, next: lineEnd + 2 }
}

export function isBlank(c: number): boolean {
  return c === SP || c === TAB
}

/** A head as far as its lines go. */
export type Lines = Pick<RequestHead | ResponseHead, 'text' | 'fieldsStart' | 'end'>

const NONE: readonly FieldLine[] = []

/** The lines of that name, in order. Nearly always the colon is not where it would have to be, and no name is compared. */
export function linesNamed({ text, fieldsStart, end }: Lines, lowerCaseName: string): readonly FieldLine[] {
  const { length } = lowerCaseName
  let found: FieldLine[] | undefined
  for (let at = fieldsStart; at < end - 2; ) {
    const next = text.indexOf('\n', at) + 1
    if (text.charCodeAt(at + length) === COLON && beginsWith(text, at, lowerCaseName)) {
      found ??= []
      found.push(fieldLine(text, FIELD.other, at, at + length + 1, next - 2))
    }
    at = next
  }
  return found ?? NONE
}

/** Both in one order, each line once: two ordered lists, and where both have a line it is the first one's. */
export function mergeLines(lines: readonly FieldLine[], more: readonly FieldLine[]): readonly FieldLine[] {
  if (more.length === 0) return lines
  const merged: FieldLine[] = []
  let at = 0
  for (const line of lines) {
    while (at < more.length && more[at]!.start < line.start) merged.push(more[at++]!)
    merged.push(line)
    if (at < more.length && more[at]!.start === line.start) at++
  }
  while (at < more.length) merged.push(more[at++]!)
  return merged
}

export function fieldValue(text: string, line: FieldLine): string {
  return text.slice(line.valueStart, line.valueEnd)
}
