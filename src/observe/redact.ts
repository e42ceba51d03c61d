import { hash } from 'node:crypto'
import type { KeyRing } from '../config/snapshot.ts'

/**
 * Request targets as they may be logged: without the credentials that some clients put into the query.
 * A target that was refused is logged too, so this is text of any shape, one character per byte.
 */

const MASK = '***'
const SECRET_NAMES = new Set(['key', 'api-key', 'api_key', 'apikey', 'access_token', 'token'])
/** The longest of them with every byte percent-encoded. */
const LONGEST_NAME = 'access_token'.length * 3

/**
 * Parameters that are looked at, per query; what comes after them is masked as a whole. A digest is 0.4 µs and a target of
 * 32 KiB has room for 16 000 parameters: without this bound one refused request could buy 10 ms of our time.
 */
const MAX_PARAMETERS = 64

/**
 * Bytes of values that are compared with keys, per query. Values overlap (`;` may end one or not), so that a refused request
 * could otherwise have its 32 KiB hashed once for each parameter, which is 70 ms.
 */
const MAX_COMPARED_BYTES = 65_536

/** Where a parameter begins. `;` as some servers have it; `?` and `#` because targets put together by hand repeat them. */
const SEPARATOR = /[?&;#]/
const ESCAPE = /%([0-9a-f]{2})/gi

/** Byte by byte and without an error for what is no escape: the value is only compared. */
function percentDecode(text: string): string {
  return text.includes('%')
    ? text.replace(ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text
}

function isSecretName(name: string): boolean {
  return name.length <= LONGEST_NAME && SECRET_NAMES.has(percentDecode(name).toLowerCase())
}

function isDigestOfKey(bytes: string, keys: KeyRing): boolean {
  return keys.staticKeys.has(hash('sha256', Buffer.from(bytes, 'latin1'), 'hex'))
}

/** As sent, percent-decoded, or followed by another separator than the ampersand that ended the value. */
function isClientKey(value: string, keys: KeyRing): boolean {
  if (keys.staticKeys.size === 0) return false
  if (isDigestOfKey(value, keys)) return true
  const decoded = percentDecode(value)
  if (decoded !== value && isDigestOfKey(decoded, keys)) return true
  const separator = value.search(SEPARATOR)
  return separator > 0 && isClientKey(value.slice(0, separator), keys)
}

function redactQuery(query: string, keys: KeyRing): string {
  let redacted = ''
  let copied = 0
  let budget = MAX_PARAMETERS
  let bytesLeft = MAX_COMPARED_BYTES
  const starts = new RegExp(SEPARATOR, 'g')
  for (let start = starts.exec(query); start !== null; start = starts.exec(query)) {
    const from = start.index + 1
    if (budget-- === 0 || bytesLeft <= 0) return `${redacted}${query.slice(copied, from)}${MASK}`
    const ampersand = query.indexOf('&', from)
    const end = ampersand < 0 ? query.length : ampersand
    const equals = query.slice(from, end).indexOf('=')
    const name = query.slice(from, from + Math.max(equals, 0))
    const valueFrom = from + equals + 1
    const value = query.slice(valueFrom, end)
    bytesLeft -= value.length
    if (value === '' || !(isSecretName(name) || isClientKey(value, keys))) continue
    redacted += query.slice(copied, valueFrom) + MASK
    copied = starts.lastIndex = end
  }
  return redacted + query.slice(copied)
}

/** What is compared with keys, per path; what comes after that is masked as a whole. */
const MAX_PIECES = 64
const MAX_COMPARISONS = 128
/** A key may have the marks in itself that part a path: base64 has slashes. So neighbours are looked at together, unless that is short. */
const MAX_TOGETHER = 4
const LEAST_TOGETHER_BYTES = 16
const MARK = /[/;&]/g

/**
 * For a request that was refused before its key was looked at: a target as `redactTarget` leaves it, with `***` also for what in its
 * path is a static key, a segment or a parameter.
 */
export function redactUnchecked(target: string, keys: KeyRing): string {
  const redacted = redactTarget(target, keys)
  if (keys.staticKeys.size === 0) return redacted
  const end = redacted.search(/[?#]/)
  return end < 0 ? redactPath(redacted, keys) : redactPath(redacted.slice(0, end), keys) + redacted.slice(end)
}

function redactPath(path: string, keys: KeyRing): string {
  const ends: number[] = []
  for (const { index } of path.matchAll(MARK)) if (ends.push(index) > MAX_PIECES) break
  ends.push(path.length)
  let shown = ''
  let left = MAX_COMPARISONS
  let bytesLeft = MAX_COMPARED_BYTES
  for (let at = 0, from = 0; at < ends.length; at++) {
    if (at === MAX_PIECES || left <= 0 || bytesLeft <= 0) return shown + MASK
    let end = ends[at]!
    let piece = path.slice(from, end)
    for (let next = at; next < Math.min(at + MAX_TOGETHER, ends.length); next++) {
      const length = ends[next]! - from
      if (length === 0 || (next > at && length < LEAST_TOGETHER_BYTES)) continue
      left--
      bytesLeft -= length
      if (!isClientKey(path.slice(from, ends[next]), keys)) continue
      piece = MASK
      end = ends[next]!
      at = next
      break
    }
    shown += piece + path.slice(end, end + 1)
    from = end + 1
  }
  return shown
}

/** Who forgets the method sends the key as one. */
export function redactMethod(method: string, keys: KeyRing): string {
  return isClientKey(method, keys) ? MASK : method
}

/** Answers given lately: there are few models, and each digest takes time. */
const models: { keys: KeyRing | undefined; readonly shown: Map<string, string> } = { keys: undefined, shown: new Map() }
const MAX_MODELS = 1_000

/** The name of a model, which a client may have mistaken for the place of its key. */
export function redactModel(model: string, keys: KeyRing): string {
  if (keys !== models.keys || models.shown.size >= MAX_MODELS) {
    models.keys = keys
    models.shown.clear()
  }
  let shown = models.shown.get(model)
  if (shown === undefined) models.shown.set(model, (shown = isClientKey(model, keys) ? MASK : model))
  return shown
}

/** The answer given last. `request_url` and `target_url` have the same query, and so have most requests of one client. */
let last: { query: string; keys: KeyRing | undefined; redacted: string } = { query: '', keys: undefined, redacted: '' }

/** Of an absolute-form target: it is refused, but logged. */
const USERINFO = /^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i
const SLASH = 0x2f

/** The target with `***` in place of every credential in its query, its fragment and its authority. */
export function redactTarget(target: string, keys: KeyRing): string {
  const shown = target.charCodeAt(0) === SLASH ? target : target.replace(USERINFO, `$1${MASK}@`)
  const start = queryStart(shown)
  if (start < 0) return shown
  const query = shown.slice(start)
  if (query !== last.query || keys !== last.keys) last = { query, keys, redacted: redactQuery(query, keys) }
  return shown.slice(0, start) + last.redacted
}

/** What stands in a fragment, in the parameters of a path or behind an ampersand in it is no query, and may hold what was meant for one. */
const QUERY_START = /[?#;&]/

function queryStart(target: string): number {
  return target.search(QUERY_START)
}
