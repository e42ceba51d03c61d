import { credentialStart } from '../access/credential.ts'
import { linesWithGatewayKeys } from '../access/disguised-keys.ts'
import { mergeLines } from '../access/strays.ts'
import type { CredentialPlace, Upstream } from '../config/snapshot.ts'
import { FIELD, type Field, isCredentialField } from '../http/fields.ts'
import type { FieldLine, RequestHead } from '../http/message.ts'
import { connectionSpecificEdit, encodeRequestHead, type LineEdit, withValue } from '../http1/encoder.ts'
import type { Exchange } from './exchange.ts'

/** Makes the request head that the upstream sees: another target, another Host, another credential; the rest as it came. */
export function forward(exchange: Exchange): void {
  exchange.upstreamTarget = upstreamTarget(exchange)
  const head = headOf(exchange)
  const { target, credential } = exchange.upstream!
  const disguised = credential === 'pass' ? linesWithGatewayKeys(head, exchange.snapshot.keys) : undefined
  const edits: LineEdit[] = []
  for (const line of head.lines) {
    if (line.field === FIELD.host) edits.push(withValue(head.text, line, line.valueStart, target.authority))
    else if (isKeptBack(exchange, line, disguised)) edits.push(REMOVED)
    else edits.push(connectionSpecificEdit(head.text, line))
  }
  const appended = credential === 'pass' ? '' : placeCredential(exchange, head, edits)
  exchange.upstreamHead = encodeRequestHead(head, exchange.upstreamTarget, edits, appended)
}

/** The head, with those lines that are of interest only because the key stands in them. */
function headOf(exchange: Exchange): RequestHead {
  const head = exchange.head!
  return exchange.strays.length === 0 ? head : { ...head, lines: mergeLines(head.lines, exchange.strays) }
}

/**
 * One credential goes to a provider. Where it is ours (`disguised` is undefined), none of the client's does; under `pass`
 * it is the client's own, and what goes are fields with a gateway key, and the field that is for gateway keys only.
 */
function isKeptBack(exchange: Exchange, line: FieldLine, disguised: readonly FieldLine[] | undefined): boolean {
  if (exchange.strays.length > 0 && exchange.strays.includes(line)) return true
  if (!isCredentialField(line.field)) return false
  // It opened the door. (A token may have expired since, and would not be found again.)
  if (line === exchange.credentialLine && exchange.snapshot.anonymous === undefined) return true
  return disguised === undefined || line.field === FIELD.xFluxgateKey || disguised.includes(line)
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
 * Puts the provider's key in. Returns what goes to the end of the head.
 *
 * The slot is the line that the client's key stood in; a key in `x-fluxgate-key` leaves it to the client's own
 * Authorization, whose login must not reach a provider that gets another one. Without a slot the end of the head is used.
 */
function placeCredential(exchange: Exchange, head: RequestHead, edits: LineEdit[]): string {
  const { credential, apiKey } = exchange.upstream! as Upstream & { credential: Exclude<CredentialPlace, 'pass'> }
  // Only an anonymous gateway has none: then no credential at all goes on.
  if (apiKey === undefined || apiKey === '') return ''
  let slot = slotOf(exchange, head)
  const field = credential === 'swap' ? (slot?.field ?? FIELD.authorization) : CANONICAL_LINE[credential].field
  // A fixed field that the client has sent already is filled where it stands.
  if (slot?.field !== field) slot = head.lines.find((line) => line.field === field) ?? slot
  if (slot === undefined) return `${canonicalBefore(field)}${apiKey}\r\n`
  edits[head.lines.indexOf(slot)] = credentialLine(head, slot, field, apiKey)
  return ''
}

function slotOf(exchange: Exchange, head: RequestHead): FieldLine | undefined {
  const carrier = exchange.credentialLine
  if (carrier !== undefined && carrier.field !== FIELD.xFluxgateKey) return carrier
  return head.lines.find((line) => line.field === FIELD.authorization)
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
