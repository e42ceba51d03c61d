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

/** Stands at the end of a value that was cut. No sender can write it: what comes from outside has one character per byte. */
const CUT = '…'
const CUT_BYTES = 3
/** What a character grows to at most: `\u001b`. */
const MAX_GROWTH = 6

/** The value, or so much of it that it takes no more than `maxBytes` of a line once it is escaped, quotes not counted. */
export function cutToFit(value: string, maxBytes: number): string {
  if (value.length * MAX_GROWTH <= maxBytes) return value
  let bytes = 0
  let end = 0
  for (let i = 0; i < value.length; i++) {
    bytes += writtenBytes(value.charCodeAt(i))
    if (bytes > maxBytes) return value.slice(0, end) + CUT
    if (bytes <= maxBytes - CUT_BYTES) end = i + 1
  }
  return value
}

/** In UTF-8, escaped or not; beyond latin-1 never less than it is. */
function writtenBytes(unit: number): number {
  if (unit === 0x22 || unit === 0x5c || unit === 0x09 || unit === 0x0a || unit === 0x0d) return 2
  if (unit >= 0x20 && unit < 0x7f) return 1
  return unit < 0xa0 || unit === 0xad || unit > 0xff ? MAX_GROWTH : 2
}
