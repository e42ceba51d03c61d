import { FIELD, type Field } from '../http/fields.ts'
import type { FieldLine, RequestHead } from '../http/message.ts'
import { basicLogins, type LoginBudget, percentDecode } from './encodings.ts'

/**
 * Where the key that opened the door stands once more: in a cookie, in a field of another product, in the query. It is known
 * at that moment, so it is looked for as text and in all of the head; no other word of the head costs a digest.
 */

const NONE: readonly FieldLine[] = []

/** What the disguises begin with: an escape, or the name of a scheme. */
const DISGUISE = /%|basic/i
const DISGUISES = /%|basic/gi

/**
 * The lines beside `own`, its line, that hold the key: none in the usual head, which costs three passes over its text.
 * A key that cannot be taken out is a reason to refuse: nothing may be rewritten in a target.
 *
 * @param own undefined where the key opened the door from another place than a line
 * @param target the request's target, without pairs of the query that are taken out
 */
export function findStrays(
  head: RequestHead,
  key: string,
  own: FieldLine | undefined,
  otherKeys: readonly string[] | undefined,
  target: string,
): readonly FieldLine[] | 'key_in_target' {
  // The text may go on beyond the head: a view, no copy.
  const text = head.text.slice(0, head.end)
  if (own !== undefined && otherKeys === undefined && standsOnce(text, head.start, key, own) && !DISGUISE.test(text)) {
    return NONE
  }
  // All keys at once: what is decoded is decoded once.
  const keys = [key, ...(otherKeys ?? [])]
  const budget = { left: MAX_LOGINS }
  if (containsAny(head.method, keys) || holds(target, keys, budget)) return 'key_in_target'
  const found: FieldLine[] = []
  for (const start of suspects(text, head.fieldsStart, keys)) {
    if (start === own?.start) continue
    const line = heldIn(head, start, keys, budget)
    if (line === 'key_in_target') return line
    if (line !== undefined) found.push(line)
  }
  return found.sort((a, b) => a.start - b.start)
}

/** Whether a line that nobody has looked at neither shows the key, which may have a colon in it, nor may hold it in disguise. */
export function isInnocent(line: string, key: string): boolean {
  return !line.includes(key) && !DISGUISE.test(line)
}

/** Its text ends where the line's value ends. */
function standsOnce(text: string, start: number, key: string, own: FieldLine): boolean {
  return text.indexOf(key, start) === own.valueEnd - key.length && text.indexOf(key, own.valueEnd) === -1
}

/** Where the lines begin that show a key or a disguise. */
function suspects(text: string, from: number, keys: readonly string[]): ReadonlySet<number> {
  const starts = new Set<number>()
  for (const key of keys) {
    for (let at = text.indexOf(key, from); at !== -1; at = text.indexOf(key, text.indexOf('\n', at))) {
      starts.add(text.lastIndexOf('\n', at) + 1)
    }
  }
  DISGUISES.lastIndex = from
  while (DISGUISES.test(text)) {
    starts.add(text.lastIndexOf('\n', DISGUISES.lastIndex) + 1)
    DISGUISES.lastIndex = text.indexOf('\n', DISGUISES.lastIndex)
  }
  return starts
}

/** The line that begins there, if it holds a key and would be sent on with it. */
function heldIn(
  head: RequestHead,
  start: number,
  keys: readonly string[],
  budget: LoginBudget,
): FieldLine | 'key_in_target' | undefined {
  const next = head.text.indexOf('\n', start) + 1
  const line = head.lines.find((each) => each.start === start)
  // The names of fields that we know are no secret. Others are looked at whole: who forgets the name sends the key as one.
  if (!holds(head.text.slice(line?.valueStart ?? start, line?.valueEnd ?? next), keys, budget)) return undefined
  if (line === undefined) return { field: FIELD.other, start, valueStart: start, valueEnd: next - 2, next }
  return isNeeded(line.field) ? 'key_in_target' : line
}

/** A link within a link is encoded twice, and the field that it stands in perhaps once more. */
const DECODINGS = 2

/** Per head, those in decoded text included. Nobody sends as many. */
const MAX_LOGINS = 256

/** Whether a part of a head shows one of these keys, or hides it. */
export function holdsKey(text: string, keys: readonly string[]): boolean {
  return holds(text, keys, { left: MAX_LOGINS })
}

/** As it is and decoded, each time also within the logins that stand there. */
function holds(text: string, keys: readonly string[], budget: LoginBudget): boolean {
  let each = text
  for (let left = DECODINGS; ; left--) {
    // More logins than anybody sends are not looked through: then the line has one too many.
    if (containsAny(each, keys)) return true
    const logins = basicLogins(each, budget)
    if (logins === undefined || containsAny(logins, keys)) return true
    const decoded = percentDecode(each)
    if (decoded === each || left === 0) return false
    each = decoded
  }
}

function containsAny(text: string, keys: readonly string[]): boolean {
  return keys.some((key) => text.includes(key))
}

/** Without it the message would be another one. */
function isNeeded(field: Field): boolean {
  return field === FIELD.contentLength || field === FIELD.transferEncoding || field === FIELD.expect
}
