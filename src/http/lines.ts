import { FIELD, type Field } from './fields.ts'
import type { FieldLine, RequestHead, ResponseHead } from './message.ts'
import { SP, TAB } from './octets.ts'

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
    const lineEnd = text.indexOf('\r\n', at)
    if (text[at + length] === ':' && text.slice(at, at + length).toLowerCase() === lowerCaseName) {
      found ??= []
      found.push(fieldLine(text, FIELD.other, at, at + length + 1, lineEnd))
    }
    at = lineEnd + 2
  }
  return found ?? NONE
}

/** All of them in their order, each once; where two begin at the same place, the first list's. */
export function mergeLines(lines: readonly FieldLine[], more: readonly FieldLine[]): readonly FieldLine[] {
  if (more.length === 0) return lines
  const byStart = new Map(more.map((line) => [line.start, line]))
  for (const line of lines) byStart.set(line.start, line)
  return [...byStart.values()].sort((a, b) => a.start - b.start)
}

export function fieldValue(text: string, line: FieldLine): string {
  return text.slice(line.valueStart, line.valueEnd)
}
