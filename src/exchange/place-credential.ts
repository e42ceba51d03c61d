import { credentialStart, startBehind } from '../access/credential.ts'
import type { CredentialPlace, OwnField } from '../config/snapshot.ts'
import { FIELD, type Field } from '../http/fields.ts'
import type { FieldLine, LineEdit } from '../http/message.ts'
import { withValue } from '../http1/encoder.ts'
import type { Exchange } from './exchange.ts'
import { swappedOffer } from './offers.ts'

const CANONICAL_LINE: Record<Exclude<CredentialPlace, 'swap' | 'pass' | OwnField>, { field: Field; before: string }> = {
  bearer: { field: FIELD.authorization, before: 'Authorization: Bearer ' },
  'x-api-key': { field: FIELD.xApiKey, before: 'x-api-key: ' },
  'api-key': { field: FIELD.apiKey, before: 'api-key: ' },
  'x-goog-api-key': { field: FIELD.xGoogApiKey, before: 'x-goog-api-key: ' },
}

const REMOVED = ''

/**
 * Puts the provider's key in, into the edits of the head's lines. Returns what goes to the end of the head.
 *
 * The slot is the line that the client's key stood in; a key in `x-fluxgate-key` leaves it to the client's own
 * Authorization, whose login must not reach a provider that gets another one. Without a slot the end of the head is used.
 *
 * @param own the client's first line of the field that the operator has chosen
 */
export function placeCredential(
  exchange: Exchange,
  lines: readonly FieldLine[],
  own: FieldLine | undefined,
  edits: LineEdit[],
): string {
  const { apiKey } = exchange.upstream!
  const credential = exchange.upstream!.credential as Exclude<CredentialPlace, 'pass'>
  // Only an anonymous gateway has none: then no credential at all goes on.
  if (apiKey === undefined || apiKey === '') return ''
  // It stands there already.
  if (isQuerySwapped(exchange) || swappedOffer(exchange) !== undefined) return ''
  const { text } = exchange.head!
  let slot = slotOf(exchange, lines)
  let filled: string
  if (typeof credential === 'object') {
    slot = own ?? free(slot, lines, edits)
    filled = own === undefined ? ownLine(credential, apiKey) : filledLine(text, own, credential, apiKey)
  } else {
    const field = credential === 'swap' ? (slot?.field ?? FIELD.authorization) : CANONICAL_LINE[credential].field
    // A fixed field that the client has sent already is filled where it stands.
    if (slot?.field !== field) slot = lines.find((line) => line.field === field) ?? free(slot, lines, edits)
    filled = slot === undefined ? `${canonicalBefore(field)}${apiKey}\r\n` : credentialLine(text, slot, field, apiKey)
    // And it is the only one of its name, also where the operator has some kept.
    for (let i = 0; i < lines.length; i++) if (lines[i]!.field === field) edits[i] = REMOVED
  }
  if (slot === undefined) return filled
  edits[indexOf(slot, lines)] = filled
  return ''
}

/** Whether the provider's key takes the place of the client's in the query. A field that has one goes first, and one that is named. */
export function isQuerySwapped({ credentialLine, queryKeys, upstream }: Exchange): boolean {
  const { apiKey, credential } = upstream!
  return (
    queryKeys.length > 0 &&
    credentialLine === undefined &&
    credential === 'swap' &&
    apiKey !== undefined &&
    apiKey !== ''
  )
}

/** A line that goes on as it is (`keep_fields`) is no place for another one. */
function free(
  slot: FieldLine | undefined,
  lines: readonly FieldLine[],
  edits: readonly LineEdit[],
): FieldLine | undefined {
  return slot !== undefined && edits[indexOf(slot, lines)] === undefined ? undefined : slot
}

function indexOf({ start }: FieldLine, lines: readonly FieldLine[]): number {
  return lines.findIndex((line) => line.start === start)
}

function slotOf(exchange: Exchange, lines: readonly FieldLine[]): FieldLine | undefined {
  const carrier = exchange.credentialLine
  if (carrier !== undefined && carrier.field !== FIELD.xFluxgateKey) return carrier
  return lines.find((line) => line.field === FIELD.authorization)
}

function canonicalBefore(field: Field): string {
  for (const place of Object.values(CANONICAL_LINE)) if (place.field === field) return place.before
  return CANONICAL_LINE.bearer.before
}

/** The slot's line with the provider's key: the client's spelling where it is the same field, else a line of ours. */
function credentialLine(text: string, line: FieldLine, field: Field, apiKey: string): string {
  if (line.field !== field) return `${canonicalBefore(field)}${apiKey}\r\n`
  const start = credentialStart(text, line)
  return start === -1
    ? withValue(text, line, line.valueStart, `Bearer ${apiKey}`)
    : withValue(text, line, start, apiKey)
}

function ownLine({ field, scheme }: OwnField, apiKey: string): string {
  return `${field}: ${scheme === '' ? '' : `${scheme} `}${apiKey}\r\n`
}

/** The client's spelling, but for a scheme that is not the one. */
function filledLine(text: string, line: FieldLine, { scheme }: OwnField, apiKey: string): string {
  const start = startBehind(text, line, scheme)
  return start === -1
    ? withValue(text, line, line.valueStart, `${scheme} ${apiKey}`)
    : withValue(text, line, start, apiKey)
}
