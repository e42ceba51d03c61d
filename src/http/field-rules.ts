import { FIELD, fieldOf, isCredentialField, isOwnBusiness } from './fields.ts'
import { fieldLine, type Lines } from './lines.ts'
import type { FieldLine } from './message.ts'
import { beginsWith, COLON } from './octets.ts'

/** What an operator wants done to the fields of requests, as it is written. */
export interface FieldChanges {
  /** Lower-case names; a `*` at the end stands for any rest. */
  readonly remove: readonly string[]
  /** The value has one character for each byte that goes out. */
  readonly set: readonly { readonly name: string; readonly value: string }[]
  /** Lower-case names of credential fields that go on although the provider gets another credential. */
  readonly keep: readonly string[]
}

/** The same, laid out for look-ups. */
export interface FieldRules {
  /** As it is written, for the log. */
  readonly remove: readonly string[]
  readonly keep: ReadonlySet<string>
  /** Whole lines, with their CRLF. */
  readonly set: readonly string[]
  /** By the character that a name begins with: most lines are told apart by one look. */
  readonly byInitial: readonly (readonly Rule[] | undefined)[]
}

interface Rule {
  /** Lower-case; of a pattern without its star. */
  readonly name: string
  readonly isPattern: boolean
  /** REMOVE, or the index of the line in `set`. */
  readonly effect: number
}

export const REMOVE = -1

export function createFieldRules({ remove, set, keep }: FieldChanges): FieldRules {
  // What is removed and set is set: the first rule that a name meets counts.
  const rules: Rule[] = [
    ...set.map(({ name }, index) => ({ name: name.toLowerCase(), isPattern: false, effect: index })),
    ...remove.map((name) => {
      const isPattern = name.endsWith('*')
      return { name: isPattern ? name.slice(0, -1) : name, isPattern, effect: REMOVE }
    }),
  ]
  const byInitial: Rule[][] = []
  for (const rule of rules) {
    for (const initial of new Set([rule.name, rule.name.toUpperCase()])) {
      const list = (byInitial[initial.charCodeAt(0)] ??= [])
      if (!list.includes(rule)) list.push(rule)
    }
  }
  const lines = set.map(({ name, value }) => `${name}: ${value}\r\n`)
  return { remove, keep: new Set(keep), set: lines, byInitial: Array.from({ length: 256 }, (_, c) => byInitial[c]) }
}

/** A line that a rule is about. */
export interface RuledLine {
  readonly line: FieldLine
  readonly effect: number
}

/** Those of the head, in order. */
export function ruledLines({ text, fieldsStart, end }: Lines, { byInitial }: FieldRules): readonly RuledLine[] {
  const found: RuledLine[] = []
  for (let at = fieldsStart; at < end - 2; ) {
    const next = text.indexOf('\n', at) + 1
    const rules = byInitial[text.charCodeAt(at)]
    const rule = rules?.find((each) => isAbout(text, at, each))
    if (rule !== undefined) {
      const colon = text.indexOf(':', at)
      const line = fieldLine(text, FIELD.other, at, colon + 1, next - 2)
      if (!rule.isPattern || mayBeTaken(text, at, colon)) found.push({ line, effect: rule.effect })
    }
    at = next
  }
  return found
}

function isAbout(text: string, start: number, { name, isPattern }: Rule): boolean {
  return (isPattern || text.charCodeAt(start + name.length) === COLON) && beginsWith(text, start, name)
}

/** What the gateway answers for itself, and what carries keys, no pattern takes away. (A rule with such a name is refused.) */
function mayBeTaken(text: string, start: number, colon: number): boolean {
  const field = fieldOf(text, start, colon)
  return !isCredentialField(field) && !isOwnBusiness(field, text.slice(start, colon).toLowerCase())
}
