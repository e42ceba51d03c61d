import { offeredKey, withOfferedKey } from '../access/offered-keys.ts'
import type { ResponseHead } from '../http/message.ts'
import { type Change, changedHead } from './changed-head.ts'
import type { Exchange } from './exchange.ts'
import { swappedOffer } from './offers.ts'
import { isQuerySwapped } from './place-credential.ts'

/**
 * Servers repeat what they were asked for: a redirect has the query of its request, an upload has a URL of its own, a 101 names a
 * protocol that was offered. Where the provider's key has taken the place of the client's in there, the client hears of its own.
 */

/** Whether the provider's key may stand where it is repeated. Said quickly, since everybody asks. */
export function mayEcho({ head, queryKeys }: Exchange): boolean {
  return queryKeys.length > 0 || head!.isWebSocketUpgrade
}

/** A response's head as its client may see it. */
export function withoutEchoes(exchange: Exchange, head: ResponseHead): ResponseHead {
  const echo = echoOf(exchange)
  if (echo === undefined) return head
  const changes: Change[] = []
  // No place in the status line moves.
  echo.spelled.lastIndex = head.fieldsStart
  for (const { 0: found, 1: before = '', index } of head.text.slice(0, head.end).matchAll(echo.spelled)) {
    changes.push({ from: index + before.length, to: index + found.length, text: echo.own })
  }
  return changedHead(head, changes)
}

/** What was sent, in every spelling in which it may come back, and the key of the client's that stood there. */
function echoOf(exchange: Exchange): { readonly spelled: RegExp; readonly own: string } | undefined {
  const { apiKey } = exchange.upstream!
  const offer = swappedOffer(exchange)
  if (offer !== undefined) {
    const sent = withOfferedKey(offer, apiKey!).trim()
    return { spelled: spelling(sent.slice(0, -apiKey!.length), apiKey!), own: offeredKey(offer)! }
  }
  if (!isQuerySwapped(exchange)) return undefined
  const { pathAndQuery, pathLength } = exchange.head!
  const pair = pathAndQuery.slice(pathLength + 1).split('&')[exchange.queryKeys[0]!]!
  const valueStart = pair.indexOf('=') + 1
  return { spelled: spelling(pair.slice(0, valueStart), apiKey!), own: pair.slice(valueStart) }
}

function spelling(before: string, key: string): RegExp {
  return new RegExp(`(${spelled(before)})${spelled(key)}`, 'gi')
}

/** Each octet as it is or escaped, and in a URL within a URL escaped twice. */
function spelled(text: string): string {
  return text.replace(/./gs, (octet) => {
    const hex = octet.charCodeAt(0).toString(16).padStart(2, '0')
    return `(?:\\x${hex}|%(?:25)?${hex})`
  })
}
