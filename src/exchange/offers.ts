import { isGatewayKey } from '../access/key-ring.ts'
import { offeredKey, PROTOCOL_FIELD, withOfferedKey } from '../access/offered-keys.ts'
import { holdsKey } from '../access/strays.ts'
import { FIELD } from '../http/fields.ts'
import { fieldValue, linesNamed } from '../http/lines.ts'
import type { FieldLine, LineEdit } from '../http/message.ts'
import { isToken } from '../http/octets.ts'
import { withValue } from '../http1/encoder.ts'
import type { Exchange } from './exchange.ts'

/** What becomes of the protocols that a WebSocket client offers: one may carry its key, and the others go on as they are. */

const REMOVED = ''
const NO_LINES: readonly FieldLine[] = []

/** The lines that may have to be edited: of those that belong to one connection, as the client says, nothing goes on. */
export function offerLines({ head }: Exchange): readonly FieldLine[] {
  if (!head!.isWebSocketUpgrade) return NO_LINES
  const nominated = head!.lines.filter(({ field }) => field === FIELD.nominated)
  return linesNamed(head!, PROTOCOL_FIELD).filter(({ start }) => nominated.every((line) => line.start !== start))
}

/**
 * The protocol in which the provider's key takes the place of the one that opened the door; of an anonymous client, the first one with
 * any. Undefined where it goes elsewhere: a field and the query come first, and what is no token would break the list.
 */
export function swappedOffer(exchange: Exchange): string | undefined {
  const { apiKey, credential } = exchange.upstream!
  if (credential !== 'swap' || exchange.credentialLine !== undefined || exchange.queryKeys.length > 0) return undefined
  if (apiKey === undefined || !isToken(apiKey)) return undefined
  const isAnonymous = exchange.snapshot.anonymous !== undefined
  for (const line of offerLines(exchange)) {
    for (const protocol of fieldValue(exchange.head!.text, line).split(',')) {
      const key = offeredKey(protocol)
      if (key !== undefined && (isAnonymous || key === exchange.key)) return protocol
    }
  }
  return undefined
}

/** Edits these lines (see `offerLines`), which are among those of the head. */
export function editOffers(
  exchange: Exchange,
  offers: readonly FieldLine[],
  lines: readonly FieldLine[],
  edits: LineEdit[],
): void {
  const { text } = exchange.head!
  let swapped = swappedOffer(exchange)
  for (const line of offers) {
    const index = lines.findIndex(({ start }) => start === line.start)
    const protocols = fieldValue(text, line).split(',')
    const kept: string[] = []
    for (const protocol of protocols) {
      if (protocol === swapped) {
        kept.push(withOfferedKey(protocol, exchange.upstream!.apiKey!))
        swapped = undefined
      } else if (mayGoOn(exchange, protocol)) kept.push(protocol)
    }
    const value = kept.join(',').trim()
    edits[index] = value === '' ? REMOVED : withValue(text, line, line.valueStart, value)
  }
}

/** No gateway key goes on, whoever's it is; and beside the provider's key no other, but under `pass`. */
function mayGoOn(exchange: Exchange, protocol: string): boolean {
  const { key, otherKeys, snapshot } = exchange
  if (key !== '' && holdsKey(protocol, [key, ...(otherKeys ?? [])])) return false
  const offered = offeredKey(protocol)
  if (offered === undefined) return true
  return exchange.upstream!.credential === 'pass' && !isGatewayKey(offered, snapshot.keys)
}
