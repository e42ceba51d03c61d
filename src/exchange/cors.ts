import type { OwnAnswer } from '../http/downstream.ts'
import { fieldValue, linesNamed } from '../http/lines.ts'
import type { RequestHead, ResponseHead } from '../http/message.ts'
import { isToken } from '../http/octets.ts'
import { changedHead } from './changed-head.ts'
import type { Exchange } from './exchange.ts'

/**
 * Pages of other origins (https://fetch.spec.whatwg.org/#http-cors-protocol), where the operator lets them in. A preflight never
 * has credentials, so it is answered before a key is asked for; it opens nothing, since the request itself comes with its key.
 */

const MAX_AGE_SECONDS = 600

/** `Access-Control-Allow-Origin` for this request; undefined: it gets none. */
function allowedOrigin(exchange: Exchange): string | undefined {
  const { cors } = exchange.snapshot.server
  if (cors === undefined || exchange.head === undefined) return undefined
  const origin = soleValue(exchange.head, 'origin')
  if (origin === undefined) return undefined
  if (cors.allowOrigins[0] === '*') return '*'
  return cors.allowOrigins.includes(origin) ? origin : undefined
}

/** Of a field that must stand once. */
function soleValue(head: RequestHead, name: string): string | undefined {
  const lines = linesNamed(head, name)
  return lines.length === 1 ? fieldValue(head.text, lines[0]!) : undefined
}

/** What a page wants to send, as far as it can be repeated in an answer: names of fields, and commas. */
const FIELD_NAMES = /^[!#$%&'*+.^_`|~0-9A-Za-z\t ,-]*$/

/** The answer to a preflight of an origin that is let in; undefined: the request is none, and goes its way. */
export function preflightAnswer(exchange: Exchange): OwnAnswer | undefined {
  const { head } = exchange
  if (exchange.snapshot.server.cors === undefined || head?.method !== 'OPTIONS') return undefined
  const origin = allowedOrigin(exchange)
  const method = soleValue(head, 'access-control-request-method')
  if (origin === undefined || method === undefined || !isToken(method)) return undefined
  const fields: [string, string][] = [
    ['Access-Control-Allow-Origin', origin],
    ['Access-Control-Allow-Methods', method],
  ]
  for (const line of linesNamed(head, 'access-control-request-headers')) {
    const names = fieldValue(head.text, line)
    if (!FIELD_NAMES.test(names)) return undefined
    fields.push(['Access-Control-Allow-Headers', names])
  }
  fields.push(['Access-Control-Max-Age', `${MAX_AGE_SECONDS}`], ['Vary', 'Origin'])
  return { status: 204, reason: 'No Content', fields, content: '' }
}

/** An answer of our own as a page can read it. */
export function readableAnswer(exchange: Exchange, answer: OwnAnswer): OwnAnswer {
  const origin = allowedOrigin(exchange)
  if (origin === undefined) return answer
  const { fields } = answer
  const more: OwnAnswer['fields'] = [
    ['Access-Control-Allow-Origin', origin],
    ['Access-Control-Expose-Headers', 'x-fluxgate-error'],
    ['Vary', 'Origin'],
  ]
  return { ...answer, fields: [...fields, ...more] }
}

/** A provider's answer as a page can read it: what the provider says of origins itself stands. */
export function readableHead(exchange: Exchange, received: ResponseHead): ResponseHead {
  const origin = allowedOrigin(exchange)
  if (origin === undefined || linesNamed(received, 'access-control-allow-origin').length > 0) return received
  const head = withoutCredentials(received)
  const lines = `Access-Control-Allow-Origin: ${origin}\r\nVary: Origin\r\n`
  return { ...head, text: `${head.text.slice(0, head.end - 2)}${lines}\r\n`, end: head.end + lines.length }
}

/** Some servers say it to every origin, and mean those that they let in: beside ours it would let cookies through to a page. */
function withoutCredentials(head: ResponseHead): ResponseHead {
  const lines = linesNamed(head, 'access-control-allow-credentials')
  return changedHead(
    head,
    lines.map(({ start, next }) => ({ from: start, to: next, text: '' })),
  )
}
