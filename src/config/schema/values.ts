/** The kinds of values that a configuration is made of. Every text says what would be right. */
import * as v from 'valibot'

/** The longest delay that a timer of Node can wait; more than this would fire at once. */
const MAX_TIMEOUT_MS = 2_147_483_647

const QUOTES = 'in quotes if it looks like a number'

/** Text that is neither empty nor blank. */
export function text(description: string) {
  return v.pipe(
    v.string(`must be text (${QUOTES})`),
    v.regex(/\S/, 'must be neither empty nor blank'),
    v.description(description),
  )
}

/** Text that is taken apart when it is compiled; the pattern is what an editor can check meanwhile. */
export function patterned(pattern: RegExp, message: string, description: string) {
  return v.pipe(v.string(message), v.regex(pattern, message), v.description(description))
}

const ONE_OR_MORE = `must be text (${QUOTES}), or a list of texts with one in it at least`

/** A text or a list of texts. What takes anything is left out, so an empty list would be a mistake. */
export function oneOrMore(description: string) {
  const one = v.pipe(v.string(ONE_OR_MORE), v.regex(/\S/, ONE_OR_MORE))
  const more = v.pipe(v.array(one, ONE_OR_MORE), v.minLength(1, ONE_OR_MORE))
  return v.pipe(v.union([one, more], ONE_OR_MORE), v.description(description))
}

export function timeout(description: string, least: 0 | 1 = 1) {
  const message = `must be an integer of milliseconds from ${least} to ${MAX_TIMEOUT_MS}`
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(least, message),
    v.maxValue(MAX_TIMEOUT_MS, message),
    v.description(description),
  )
}

/** A count from 1, or the word for leaving it to the machine. */
export function autoOr(most: number, description: string) {
  const message = `must be auto, or an integer from 1 to ${most}`
  const count = v.pipe(v.number(message), v.integer(message), v.minValue(1, message), v.maxValue(most, message))
  return v.pipe(v.union([v.literal('auto'), count], message), v.description(description))
}

export function flag(description: string) {
  return v.pipe(v.boolean('must be true or false'), v.description(description))
}

export function offByDefault(description: string) {
  return v.optional(flag(description), false)
}

const SECRET = `must be text (${QUOTES}), { env: NAME } or { file: PATH }`

/** Where a secret may come from, if it is not in the file itself. */
const SOURCES = [
  v.strictObject({
    env: v.pipe(v.string(), v.regex(/^[^=\s\0]+$/, 'must name an environment variable after env')),
  }),
  v.strictObject({ file: v.pipe(v.string(), v.regex(/\S/, 'must name a file after file')) }),
] as const

export function secret(description: string) {
  return v.pipe(v.union([v.string(), ...SOURCES], SECRET), v.description(description))
}

/** A PEM text is too long for a line of a file, so text alone is the path of one. */
export function secretOrPath(description: string) {
  const message = 'must be the path of a file, { env: NAME } or { file: PATH }'
  return v.pipe(v.union([v.pipe(v.string(), v.regex(/\S/, message)), ...SOURCES], message), v.description(description))
}
