import { FIELD, type Field } from './fields.ts'
import { fieldLine, type Lines } from './lines.ts'
import type { FieldLine } from './message.ts'

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
  /** By lower-case name: REMOVE, or the index of the line in `set`. */
  readonly exact: ReadonlyMap<string, number>
  readonly prefixes: readonly string[]
  /** Characters that a name of interest begins with: one look tells most lines apart. */
  readonly initials: ReadonlySet<number>
}

export const REMOVE = -1

export function createFieldRules({ remove, set, keep }: FieldChanges): FieldRules {
  const exact = new Map<string, number>()
  const prefixes: string[] = []
  for (const name of remove) {
    if (name.endsWith('*')) prefixes.push(name.slice(0, -1))
    else exact.set(name, REMOVE)
  }
  // What is removed and set is set.
  set.forEach(({ name }, index) => void exact.set(name.toLowerCase(), index))
  const initials = [...exact.keys(), ...prefixes].flatMap((name) => [name, name.toUpperCase()])
  return {
    remove,
    keep: new Set(keep),
    set: set.map(({ name, value }) => `${name}: ${value}\r\n`),
    exact,
    prefixes,
    initials: new Set(initials.map((name) => name.charCodeAt(0))),
  }
}

/** A line that a rule is about. */
export interface RuledLine {
  readonly line: FieldLine
  readonly rule: number
}

/** Those of the head, in order. */
export function ruledLines({ text, fieldsStart, end }: Lines, rules: FieldRules): readonly RuledLine[] {
  const found: RuledLine[] = []
  for (let at = fieldsStart; at < end - 2; ) {
    const lineEnd = text.indexOf('\r\n', at)
    if (rules.initials.has(text.charCodeAt(at))) {
      const colon = text.indexOf(':', at)
      const rule = ruleOf(text.slice(at, colon).toLowerCase(), rules)
      if (rule !== undefined) found.push({ line: fieldLine(text, FIELD.other, at, colon + 1, lineEnd), rule })
    }
    at = lineEnd + 2
  }
  return found
}

function ruleOf(name: string, { exact, prefixes }: FieldRules): number | undefined {
  const rule = exact.get(name)
  if (rule !== undefined) return rule
  return prefixes.some((prefix) => name.startsWith(prefix)) ? REMOVE : undefined
}

/** Whether a rule may be about a line: what the gateway looks at itself it answers for. */
export function isRulable(field: Field): boolean {
  return field === FIELD.other || field === FIELD.wwwAuthenticate
}
