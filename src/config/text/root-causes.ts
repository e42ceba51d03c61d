/**
 * One fault of YAML makes the next dozen: after a tab or a missing quote, nothing stands where it should. Which of what the
 * parser says is true, and which only follows from it? Take the line of the first fault away: what is still said then, of the
 * same place, has a cause of its own.
 */
import type { ErrorCode } from 'yaml'
import { slipBehind } from './slips.ts'

export interface YamlError {
  readonly code: ErrorCode
  readonly message: string
  /** Where it begins and ends. */
  readonly pos: readonly [number, number]
}

export interface RootCause {
  readonly code: ErrorCode
  readonly message: string
  /** Offset of what a person has to mend. */
  readonly at: number
  /** What to say in the place of what the parser says. */
  readonly slip: string | undefined
}

/** Each one costs another parse. */
const MAX_CAUSES = 5
/** Of a larger text only the first fault is told. */
const MAX_LENGTH = 256 * 1024

/** `parse`: the errors of another text. */
export function rootCauses(
  text: string,
  errors: readonly YamlError[],
  parse: (text: string) => readonly YamlError[],
): readonly RootCause[] {
  // What the library says after it has run out of stack are consequences.
  const exhausted = errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION')
  if (exhausted !== undefined) return [causeOf(text, exhausted)]
  const causes: RootCause[] = []
  let rest = errors
  let left = text
  for (let first = rest[0]; first !== undefined && causes.length < MAX_CAUSES; first = rest[0]) {
    const cause = causeOf(text, first)
    causes.push(cause)
    if (text.length > MAX_LENGTH) break
    left = withoutLines(left, cause, first)
    const still = new Set(parse(left).map(identityOf))
    // One for a line: what else is wrong with it is seen when it has been mended.
    const line = lineAround(text, cause.at)
    rest = rest.filter((error) => still.has(identityOf(error)) && !isIn(line, causeOf(text, error).at))
  }
  return causes
}

function identityOf({ code, pos }: YamlError): string {
  return `${code} ${pos[0]}`
}

/** A quote that is not closed is told where it opens: its end is the end of the file, or some quote of somebody else's. */
function causeOf(text: string, { code, message, pos }: YamlError): RootCause {
  if (isUnclosedQuote(code, message)) {
    return { code, message, at: openingQuote(text, pos[0]) ?? pos[0], slip: undefined }
  }
  const slip = slipBehind(text, { code, message, pos })
  return { code, message, at: slip?.at ?? pos[0], slip: slip?.text }
}

export function isUnclosedQuote(code: ErrorCode, message: string): boolean {
  return code === 'MISSING_CHAR' && message.startsWith('Missing closing')
}

/** The last quote before `end` that begins a value. */
function openingQuote(text: string, end: number): number | undefined {
  const before = text.slice(0, end)
  const at = Math.max(...['"', "'"].map((quote) => lastOpening(before, quote)))
  return at < 0 ? undefined : at
}

function lastOpening(text: string, quote: string): number {
  for (let at = text.lastIndexOf(quote); at > 0; at = text.lastIndexOf(quote, at - 1)) {
    if (/[\s:[{,-]/.test(text[at - 1]!)) return at
  }
  return text.startsWith(quote) ? 0 : -1
}

interface Span {
  readonly start: number
  readonly end: number
}

function isIn({ start, end }: Span, at: number): boolean {
  return at >= start && at <= end
}

function lineAround(text: string, at: number): Span {
  const end = text.indexOf('\n', at)
  return { start: text.lastIndexOf('\n', at - 1) + 1, end: end === -1 ? text.length : end }
}

/** Blanks in their place, so that everything else stays where it was. */
function withoutLines(text: string, { code, at }: RootCause, { pos }: YamlError): string {
  // All tabs are one fault, made by one editor.
  if (code === 'TAB_AS_INDENT') return text.replace(/^ *\t.*$/gm, blanks)
  const spans = [lineAround(text, at), lineAround(text, pos[0])]
  // It may be the line before that stands wrong.
  if (code === 'BAD_INDENT') spans.push(lineBefore(text, spans[0]!))
  return spans.reduce((left, span) => blankOut(left, span), text)
}

function lineBefore(text: string, { start }: Span): Span {
  const before = text.slice(0, start).trimEnd()
  return lineAround(text, before.length)
}

function blankOut(text: string, { start, end }: Span): string {
  return text.slice(0, start) + blanks(text.slice(start, end)) + text.slice(end)
}

function blanks(text: string): string {
  return ' '.repeat(text.length)
}
