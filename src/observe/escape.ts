/**
 * Values on their way into a line of the log. Nothing that a client, an upstream or a file says may begin a second line,
 * end a quoted value early, steer a terminal, or reorder what a person reads.
 */

/** Visible ASCII without quotes and backslash: written as it is. The only test that a usual value ever sees. */
const NOT_PLAIN = /[^!#-&(-[\]-~]/

/**
 * C0 and C1 controls (CR, LF, ESC, NEL), the line separators of Unicode, its direction marks ("Trojan Source"), zero-width
 * characters and halves of surrogate pairs.
 */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
const UNSAFE_OR_QUOTED = new RegExp(`[\\s"'\\\\]|${UNSAFE.source}`)
const UNSAFE_IN_STRING = new RegExp(`["\\\\]|${UNSAFE.source}`, 'g')

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' }

function escapeUnit(unit: string): string {
  return SHORT[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** A JSON string, which is also how the text format quotes: one grammar to unescape for both. */
export function quote(value: string): string {
  return NOT_PLAIN.test(value) ? `"${value.replace(UNSAFE_IN_STRING, escapeUnit)}"` : `"${value}"`
}

/** A value of the text format: quoted only where it has to be. */
export function textValue(value: string): string {
  if (value !== '' && !NOT_PLAIN.test(value)) return value
  return value === '' || UNSAFE_OR_QUOTED.test(value) ? quote(value) : value
}

/** A message of the text format: blanks and quotes may stand in it, line ends and escape sequences may not. */
export function textMessage(message: string): string {
  return NOT_PLAIN.test(message) ? message.replace(UNSAFE, escapeUnit) : message
}
