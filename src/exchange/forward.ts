import type { CredentialPlace } from '../config/snapshot.ts'
import { FIELD, type Field, isCredentialField } from '../http/fields.ts'
import type { FieldLine, RequestHead } from '../http/message.ts'
import { connectionSpecificEdit, encodeRequestHead, type LineEdit, withValue } from '../http1/encoder.ts'
import { credentialStart } from './authenticate.ts'
import type { Exchange } from './exchange.ts'

/** Makes the request head that the upstream sees: another target, another Host, another credential; the rest as it came. */
export function forward(exchange: Exchange): void {
  const head = exchange.head!
  const { target } = exchange.upstream!
  exchange.upstreamTarget = upstreamTarget(exchange)
  const edits: LineEdit[] = []
  for (const line of head.lines) {
    edits.push(
      line.field === FIELD.host
        ? withValue(head.text, line, line.valueStart, target.authority)
        : connectionSpecificEdit(head.text, line),
    )
  }
  const appended = placeCredential(exchange, edits)
  exchange.upstreamHead = encodeRequestHead(head, exchange.upstreamTarget, edits, appended)
}

/** Plain text: no decoding, no merging of slashes, no dot segments. Scheme, host and port have no part in it. */
function upstreamTarget(exchange: Exchange): string {
  const { pathAndQuery } = exchange.head!
  const { prefix, target } = exchange.upstream!
  const rest = pathAndQuery.slice(prefix.length)
  const joined = target.basePath + rest
  return joined.charCodeAt(0) === 0x2f ? joined : `/${joined}`
}

const REMOVED = ''

const CANONICAL_LINE: Record<Exclude<CredentialPlace, 'swap' | 'pass'>, { field: Field; before: string }> = {
  bearer: { field: FIELD.authorization, before: 'Authorization: Bearer ' },
  'x-api-key': { field: FIELD.xApiKey, before: 'x-api-key: ' },
  'api-key': { field: FIELD.apiKey, before: 'api-key: ' },
  'x-goog-api-key': { field: FIELD.xGoogApiKey, before: 'x-goog-api-key: ' },
}

/**
 * Takes every gateway key out and puts the provider's in. Returns what goes to the end of the head.
 *
 * The slot is the line that the client's key stood in; a key in `x-fluxgate-key` leaves it to the client's own
 * Authorization, whose login must not reach a provider that gets another one. Without a slot the end of the head is used.
 */
function placeCredential(exchange: Exchange, edits: LineEdit[]): string {
  const { lines } = exchange.head!
  const { credential, apiKey } = exchange.upstream!
  for (const i of exchange.gatewayKeyLines) edits[i] = REMOVED
  if (credential === 'pass') return ''
  if (apiKey === undefined || apiKey === '') {
    // Only an anonymous gateway has none: then no credential at all goes on.
    for (let i = 0; i < lines.length; i++) if (isCredentialField(lines[i]!.field)) edits[i] = REMOVED
    return ''
  }
  let slot = slotOf(exchange)
  const field = credential === 'swap' ? swapField(lines, slot) : CANONICAL_LINE[credential].field
  if (slot === -1 || lines[slot]!.field !== field) {
    // A fixed field that the client has sent already is filled instead, so that there are never two of it.
    const standing = lines.findIndex((line) => line.field === field)
    if (standing !== -1) {
      if (slot !== -1) edits[slot] = REMOVED
      slot = standing
    }
  }
  if (slot === -1) return `${canonicalBefore(field)}${apiKey}\r\n`
  edits[slot] = credentialLine(exchange.head!, lines[slot]!, field, apiKey)
  return ''
}

function slotOf(exchange: Exchange): number {
  const { lines } = exchange.head!
  const carrier = exchange.credentialLine
  if (carrier !== -1 && lines[carrier]!.field !== FIELD.xFluxgateKey) return carrier
  return lines.findIndex((line) => line.field === FIELD.authorization)
}

function swapField(lines: readonly FieldLine[], slot: number): Field {
  return slot === -1 ? FIELD.authorization : lines[slot]!.field
}

function canonicalBefore(field: Field): string {
  for (const place of Object.values(CANONICAL_LINE)) if (place.field === field) return place.before
  return CANONICAL_LINE.bearer.before
}

/** The slot's line with the provider's key: the client's spelling where it is the same field, else a line of ours. */
function credentialLine(head: RequestHead, line: FieldLine, field: Field, apiKey: string): string {
  if (line.field !== field) return `${canonicalBefore(field)}${apiKey}\r\n`
  const start = credentialStart(head.text, line)
  return start === -1
    ? withValue(head.text, line, line.valueStart, `Bearer ${apiKey}`)
    : withValue(head.text, line, start, apiKey)
}
