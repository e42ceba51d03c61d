import type { RequestHead } from '../http/message.ts'
import { percentDecode } from './encodings.ts'

/**
 * Keys in the query, for upstreams whose clients can send them nowhere else (Gemini Live, Azure's realtime API in a browser). Nothing
 * is parsed beyond the marks between pairs, and what is not such a pair stays as it is, octet by octet.
 */

/** As they are: a name that is spelled otherwise or escaped is another parameter. */
const NAMES = ['key=', 'api-key=']

/** A pair that may carry a key. */
export interface QueryPair {
  /** Its place among the pairs of the query, from 0. */
  readonly at: number
  /** Its value, percent-decoded: one character per octet. */
  readonly key: string
}

/** In their order; a pair without a value carries none. */
export function queryPairs({ pathAndQuery, pathLength }: RequestHead): readonly QueryPair[] {
  const found: QueryPair[] = []
  if (pathLength === pathAndQuery.length) return found
  for (const [at, pair] of pathAndQuery
    .slice(pathLength + 1)
    .split('&')
    .entries()) {
    const name = NAMES.find((each) => pair.startsWith(each))
    if (name !== undefined && pair.length > name.length) found.push({ at, key: percentDecode(pair.slice(name.length)) })
  }
  return found
}

/**
 * A path with its query in which one of these pairs has another value (`filled`), and the others are gone with their mark; without
 * `filled` all of them are. They are in rising order. `text` ends with the head's path and query: it is that, or the target.
 */
export function withoutPairs(
  text: string,
  { pathAndQuery, pathLength }: RequestHead,
  pairs: readonly number[],
  filled: { readonly at: number; readonly value: string } | undefined,
): string {
  const queryStart = text.length - pathAndQuery.length + pathLength
  const kept: string[] = []
  let next = 0
  for (const [at, pair] of text
    .slice(queryStart + 1)
    .split('&')
    .entries()) {
    if (at !== pairs[next]) kept.push(pair)
    else {
      next++
      if (at === filled?.at) kept.push(`${pair.slice(0, pair.indexOf('=') + 1)}${filled.value}`)
    }
  }
  return text.slice(0, queryStart) + (kept.length === 0 ? '' : `?${kept.join('&')}`)
}

/** What a query takes as it is (RFC 3986 section 2.3), and the marks of keys that mean nothing in it. */
const UNTOUCHED = /[A-Za-z0-9._~:/@-]/

/** A key, one character per octet, as the value of a pair. */
export function queryText(key: string): string {
  let text = ''
  for (const octet of key) {
    const hex = octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')
    text += UNTOUCHED.test(octet) ? octet : `%${hex}`
  }
  return text
}
