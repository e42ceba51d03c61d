/** What the scanners of JSON have in common: octets with a meaning, strings, and the values of what they have found. */
import { BACKSLASH, DQUOTE } from '../http/octets.ts'

export const COMMA = 0x2c
export const OPEN_ARRAY = 0x5b
export const CLOSE_ARRAY = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d

/** `bytes[from..to)`. */
export interface Span {
  readonly from: number
  readonly to: number
}

export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** The first octet from `at` on that is no white space; `to` if all are. */
export function skipSpace(bytes: Uint8Array, at: number, to: number): number {
  let next = at
  while (next < to && isSpace(bytes[next]!)) next++
  return next
}

/** Behind the closing quote of the string whose opening quote is before `at`; -1 if it ends behind `to`. */
export function endOfString(bytes: Buffer, at: number, to: number): number {
  let from = at
  for (;;) {
    const quote = bytes.indexOf(DQUOTE, from)
    if (quote === -1 || quote >= to) return -1
    if (backslashesBefore(bytes, quote, at) % 2 === 0) return quote + 1
    from = quote + 1
  }
}

/**
 * The opening quote of the string whose closing quote is at `at`; -1 if it is before `from`. An octet at `from` itself is not
 * believed: a backslash may stand before it.
 */
export function startOfString(bytes: Buffer, at: number, from: number): number {
  let before = at - 1
  for (;;) {
    const quote = before < from ? -1 : bytes.lastIndexOf(DQUOTE, before)
    if (quote <= from) return quote === from && from === 0 ? 0 : -1
    const slashes = backslashesBefore(bytes, quote, from)
    if (quote - slashes === from) return -1
    if (slashes % 2 === 0) return quote
    before = quote - 1
  }
}

function backslashesBefore(bytes: Uint8Array, at: number, from: number): number {
  let first = at
  while (first > from && bytes[first - 1] === BACKSLASH) first--
  return at - first
}

/** The text of a string that stands between its quotes; undefined if it is none. */
export function nameIn(bytes: Buffer, from: number, to: number): string | undefined {
  const raw = bytes.toString('utf8', from, to)
  if (!raw.includes('\\')) return raw
  const value = parsed(`"${raw}"`)
  return typeof value === 'string' ? value : undefined
}

export function valueIn(bytes: Buffer, { from, to }: Span): unknown {
  return parsed(bytes.toString('utf8', from, to))
}

/** What JSON says; undefined where it is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
