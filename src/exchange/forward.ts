import { linesWithGatewayKeys } from '../access/disguised-keys.ts'
import { queryPairs, queryText, withoutPairs } from '../access/query-keys.ts'
import { type FieldRules, REMOVE, type RuledLine, ruledLines } from '../http/field-rules.ts'
import { FIELD, isCredentialField } from '../http/fields.ts'
import { linesNamed, mergeLines } from '../http/lines.ts'
import type { FieldLine, LineEdit, RequestHead } from '../http/message.ts'
import { connectionSpecificEdit, encodeHead, withValue } from '../http1/encoder.ts'
import { upgradeEdit } from '../http1/upgrade.ts'
import { clearanceOf } from './clearance.ts'
import type { Exchange } from './exchange.ts'
import { editOffers, offerLines } from './offers.ts'
import { isQuerySwapped, placeCredential } from './place-credential.ts'

/** Makes the request head that the upstream sees: another target, another Host, another credential; the rest as it came. */
export function forward(exchange: Exchange): void {
  exchange.upstreamTarget = upstreamTarget(exchange)
  const upstream = exchange.upstream!
  const ruled = upstream.fields === undefined ? NONE : ruledLines(exchange.head!, upstream.fields)
  const own = typeof upstream.credential === 'string' ? NO_LINES : linesNamed(exchange.head!, upstream.credential.name)
  const head = exchange.head!
  const offers = offerLines(exchange)
  const lines = linesOfInterest(exchange, own, ruled, offers)
  const disguised = disguisedIn(exchange, head)
  const edits: LineEdit[] = []
  for (const line of lines) {
    if (line.field === FIELD.host) edits.push(withValue(head.text, line, line.valueStart, upstream.target.authority))
    else if (isKeptBack(exchange, head.text, line, own, disguised)) edits.push(REMOVED)
    else if (head.isWebSocketUpgrade && isOfUpgrade(line)) edits.push(upgradeEdit(head.text, line))
    else edits.push(connectionSpecificEdit(head.text, line))
  }
  if (offers.length > 0) editOffers(exchange, offers, lines, edits)
  let appended = upstream.fields === undefined ? '' : applyRules(upstream.fields, ruled, lines, edits)
  if (upstream.credential !== 'pass') appended += placeCredential(exchange, lines, own[0], edits)
  const edited = { startLine: `${head.method} ${exchange.upstreamTarget} HTTP/1.1\r\n`, lines, edits, appended }
  exchange.upstreamHead = encodeHead(head, edited)
  head.clearance = clearanceOf(exchange, edited)
}

const REMOVED = ''
const NO_LINES: readonly FieldLine[] = []
const NONE: readonly RuledLine[] = []

/** Those of the head, and those that are of interest for this request only. */
function linesOfInterest(
  exchange: Exchange,
  own: readonly FieldLine[],
  ruled: readonly RuledLine[],
  offers: readonly FieldLine[],
): readonly FieldLine[] {
  let { lines } = exchange.head!
  if (exchange.strays.length > 0) lines = mergeLines(lines, exchange.strays)
  if (own.length > 0) lines = mergeLines(lines, own)
  if (ruled.length > 0)
    lines = mergeLines(
      lines,
      ruled.map(({ line }) => line),
    )
  return offers.length === 0 ? lines : mergeLines(lines, offers)
}

function isOfUpgrade({ field }: FieldLine): boolean {
  return field === FIELD.connection || field === FIELD.upgrade
}

/**
 * One credential goes to a provider. Where it is ours, none of the client's does, but for those that `keep_fields` names;
 * under `pass` it is the client's own, and what goes are fields with a gateway key, and the field that is for gateway keys only.
 */
function isKeptBack(
  exchange: Exchange,
  text: string,
  line: FieldLine,
  own: readonly FieldLine[],
  disguised: readonly FieldLine[] | undefined,
): boolean {
  if (exchange.strays.length > 0 && isAmong(exchange.strays, line)) return true
  if (own.length > 0 && isAmong(own, line)) return true
  if (!isCredentialField(line.field)) return false
  // It opened the door. (A token may have expired since, and would not be found again.)
  if (line.start === exchange.credentialLine?.start && exchange.snapshot.anonymous === undefined) return true
  if (disguised === undefined || line.field === FIELD.xFluxgateKey || disguised.includes(line)) return true
  const { credential, fields } = exchange.upstream!
  return credential !== 'pass' && fields?.keep.has(nameOf(text, line)) !== true
}

/** The fields in which a gateway key may hide, where credentials of the client's may go on; undefined: none may. */
function disguisedIn(exchange: Exchange, head: RequestHead): readonly FieldLine[] | undefined {
  const { credential, fields } = exchange.upstream!
  const mayGoOn = credential === 'pass' || (fields !== undefined && fields.keep.size > 0)
  return mayGoOn ? linesWithGatewayKeys(head, exchange.snapshot.keys) : undefined
}

function isAmong(lines: readonly FieldLine[], line: FieldLine): boolean {
  return lines.some(({ start }) => start === line.start)
}

function nameOf(text: string, line: FieldLine): string {
  return text.slice(line.start, text.indexOf(':', line.start)).toLowerCase()
}

/** What the operator wants removed and set. Returns what goes to the end of the head. */
function applyRules(
  rules: FieldRules,
  ruled: readonly RuledLine[],
  lines: readonly FieldLine[],
  edits: LineEdit[],
): string {
  const isSet: boolean[] = []
  let at = 0
  for (const { line, effect } of ruled) {
    while (lines[at]!.start < line.start) at++
    // What holds a key, or belongs to one connection, is gone already.
    if (edits[at] === REMOVED) continue
    edits[at] = effect === REMOVE || isSet[effect] === true ? REMOVED : rules.set[effect]
    if (effect !== REMOVE) isSet[effect] = true
  }
  let appended = ''
  for (let index = 0; index < rules.set.length; index++) if (isSet[index] !== true) appended += rules.set[index]
  return appended
}

/** Plain text: no decoding, no merging of slashes, no dot segments. Scheme, host and port have no part in it. */
function upstreamTarget(exchange: Exchange): string {
  const { prefix, target } = exchange.upstream!
  const rest = targetWithKey(exchange).slice(prefix.length)
  const joined = target.basePath + rest
  return joined.charCodeAt(0) === 0x2f ? joined : `/${joined}`
}

/**
 * Path and query, with the provider's key in the place of the client's where that is in the query, and else without that. Where the
 * operator has said that keys stand there, every such pair is a credential, and where ours goes on, no other one does.
 */
function targetWithKey(exchange: Exchange): string {
  const head = exchange.head!
  const { queryKeys, snapshot } = exchange
  const { apiKey, credential, takesQueryKeys } = exchange.upstream!
  if (credential === 'pass' && snapshot.anonymous !== undefined) return head.pathAndQuery
  const pairs = takesQueryKeys && credential !== 'pass' ? queryPairs(head).map(({ at }) => at) : queryKeys
  if (pairs.length === 0) return head.pathAndQuery
  const filled = isQuerySwapped(exchange) ? { at: queryKeys[0]!, value: queryText(apiKey!) } : undefined
  return withoutPairs(head.pathAndQuery, head, pairs, filled)
}
