import type { Cause } from '../cause.ts'
import type { Identity, Snapshot } from '../config/snapshot.ts'
import { FIELD, isCredentialField } from '../http/fields.ts'
import { fieldValue, linesNamed } from '../http/lines.ts'
import type { FieldLine, RequestHead } from '../http/message.ts'
import { endsSegment } from '../http/target.ts'
import { credentialBehind, credentialOf, credentialStart } from './credential.ts'
import { identityOf } from './key-ring.ts'
import { offeredKey, PROTOCOL_FIELD } from './offered-keys.ts'
import { queryPairs, withoutPairs } from './query-keys.ts'
import { findStrays } from './strays.ts'

/** What a head says of who has sent it. */
export interface Access {
  readonly identity: Identity
  /**
   * The line with the key that opened the door, or with what an anonymous client used for a credential; undefined where that stands in
   * the query or among the protocols of a WebSocket.
   */
  readonly credentialLine: FieldLine | undefined
  /** Further lines, of any field, that hold the same key. They must not go on. Or it stands where no line can go. */
  readonly strays: readonly FieldLine[] | 'key_in_target'
  /** The key, if it is the only one now and later, and stands in a field; empty for an anonymous client. */
  readonly soleKey: string | undefined
  /** The key that opened the door, wherever it stands; empty for an anonymous client. */
  readonly key: string
  /** Further ones of the same owner. */
  readonly otherKeys: readonly string[] | undefined
  /** Pairs of the query that hold them: see `queryPairs`. */
  readonly queryKeys: readonly number[]
}

const NONE: readonly FieldLine[] = []
const NO_PAIRS: readonly number[] = []

/** Tokens may differ and have one signer. Each is looked for in all of the head, and nobody sends as many. */
const MAX_KEYS = 4

/** So many different credentials are looked at. A token costs some 20 µs, and a head of 64 KiB has room for hundreds. */
const MAX_CREDENTIALS = 16

type Verdict = Identity | Cause

/** What has been found so far. */
interface Found {
  /** What was looked at last, and what that is; most requests have no other. */
  credential: string
  verdict: Verdict
  /** All of them, where there are several. */
  verdicts: Map<string, Verdict> | undefined
  identity: Identity | undefined
  line: FieldLine | undefined
  key: string
  otherKeys: string[] | undefined
  queryKeys: number[] | undefined
  /** Pairs with a token whose time is still to come. */
  laterPairs: number[] | undefined
  /** There is a token beside it whose time is still to come. */
  hasLaterKey: boolean
  /** Why there is none. */
  cause: Cause
}

/** Of several credentials that are no key, the one that came furthest tells most. The order is that of the checks in `jwt.ts`. */
const NEARNESS: readonly Cause[] = [
  'no_key',
  'unknown_key',
  'too_long',
  'malformed',
  'algorithm',
  'typ',
  'critical',
  'kid',
  'signature',
  'bad_claims',
  'issuer',
  'audience',
  'no_expiry',
  'not_yet',
  'expired',
]

/** From a head to an identity, or to why there is none: for the log, the client learns nothing of it. */
export function identify(head: RequestHead, snapshot: Snapshot): Access | Cause {
  if (snapshot.anonymous !== undefined) {
    const queryKeys = anonymousPairs(head, snapshot)
    const soleKey = queryKeys === NO_PAIRS ? '' : undefined
    return {
      identity: snapshot.anonymous,
      credentialLine: anonymousLine(head),
      strays: NONE,
      soleKey,
      key: '',
      otherKeys: undefined,
      queryKeys,
    }
  }
  const found: Found = {
    credential: '',
    verdict: 'no_key',
    verdicts: undefined,
    identity: undefined,
    line: undefined,
    key: '',
    otherKeys: undefined,
    queryKeys: undefined,
    laterPairs: undefined,
    hasLaterKey: false,
    cause: 'no_key',
  }
  const wrong = lookIntoKnownFields(found, head, snapshot)
  if (wrong !== undefined) return wrong
  if (snapshot.withOwnField.length > 0 && !lookIntoOwnFields(found, head, snapshot)) return 'two_keys'
  if (snapshot.withQueryKeys.length > 0 && !lookIntoQuery(found, head, snapshot)) return 'two_keys'
  if (head.isWebSocketUpgrade && !lookIntoOffers(found, head, snapshot)) return 'two_keys'
  const { identity, line, key, otherKeys, hasLaterKey } = found
  if (identity === undefined) return found.cause
  if (identity.routes.isEmpty) return 'no_upstreams'
  const queryKeys = pairsOf(found, identity, head)
  const target = queryKeys.length === 0 ? head.target : withoutPairs(head.target, head, queryKeys, undefined)
  const strays = findStrays(head, key, line, otherKeys, target)
  // What is repeated is compared in a time that tells nothing of a key in a field: one in the target is looked up each time.
  const isSole = line !== undefined && otherKeys === undefined && !hasLaterKey && queryKeys.length === 0
  return { identity, credentialLine: line, strays, soleKey: isSole ? key : undefined, key, otherKeys, queryKeys }
}

function lookIntoKnownFields(found: Found, head: RequestHead, snapshot: Snapshot): Cause | undefined {
  let hasAuthorization = false
  for (const line of head.lines) {
    if (!isCredentialField(line.field)) continue
    if (line.field === FIELD.authorization) {
      if (hasAuthorization) return 'two_authorizations'
      hasAuthorization = true
    }
    const credential = credentialOf(head.text, line)
    const identity = verdictOn(credential, found, snapshot)
    if (identity === 'two_keys') return identity
    if (typeof identity === 'string') note(found, identity)
    else if (!add(found, identity, line, credential)) return 'two_keys'
  }
  return undefined
}

/**
 * The fields that upstreams have named, each for requests to that upstream alone: what stands there for another one is none of
 * ours. False: keys of two identities, or too many.
 */
function lookIntoOwnFields(found: Found, head: RequestHead, snapshot: Snapshot): boolean {
  const path = head.pathAndQuery.slice(0, head.pathLength)
  for (const upstream of snapshot.withOwnField) {
    if (!path.startsWith(upstream.prefix) || !endsSegment(path, upstream.prefix.length)) continue
    for (const line of linesNamed(head, upstream.credential.name)) {
      const credential = credentialBehind(head.text, line, upstream.credential.scheme)
      const identity = verdictOn(credential, found, snapshot)
      if (identity === 'two_keys') return false
      if (typeof identity === 'string') note(found, identity)
      else if (identity.routes.find(path) !== upstream) note(found, 'unknown_key')
      else if (!add(found, identity, line, credential)) return false
    }
  }
  return true
}

/** Pairs of the query, for requests to the upstreams that take keys there. False: keys of two identities, or too many. */
function lookIntoQuery(found: Found, head: RequestHead, snapshot: Snapshot): boolean {
  const path = head.pathAndQuery.slice(0, head.pathLength)
  if (!mayTakeQueryKeys(path, snapshot)) return true
  for (const { at, key } of queryPairs(head)) {
    const identity = verdictOn(key, found, snapshot)
    if (identity === 'two_keys') return false
    if (identity === 'not_yet') (found.laterPairs ??= []).push(at)
    if (typeof identity === 'string') note(found, identity)
    else if (identity.routes.find(path)?.takesQueryKeys !== true) note(found, 'unknown_key')
    else if (add(found, identity, undefined, key)) (found.queryKeys ??= []).push(at)
    else return false
  }
  return true
}

/** Those with a key, and where its upstream takes keys there, with what will be one. */
function pairsOf({ queryKeys, laterPairs }: Found, { routes }: Identity, head: RequestHead): readonly number[] {
  if (laterPairs === undefined) return queryKeys ?? NO_PAIRS
  const takesThem = routes.find(head.pathAndQuery.slice(0, head.pathLength))?.takesQueryKeys === true
  return [...(queryKeys ?? NO_PAIRS), ...(takesThem ? laterPairs : NO_PAIRS)].sort((a, b) => a - b)
}

function mayTakeQueryKeys(path: string, { withQueryKeys }: Snapshot): boolean {
  return withQueryKeys.some(({ prefix }) => path.startsWith(prefix) && endsSegment(path, prefix.length))
}

/** Among the protocols that a WebSocket client offers. False: keys of two identities, or too many. */
function lookIntoOffers(found: Found, head: RequestHead, snapshot: Snapshot): boolean {
  for (const line of linesNamed(head, PROTOCOL_FIELD)) {
    for (const protocol of fieldValue(head.text, line).split(',')) {
      const key = offeredKey(protocol)
      if (key === undefined) continue
      const identity = verdictOn(key, found, snapshot)
      if (identity === 'two_keys') return false
      if (typeof identity === 'string') note(found, identity)
      else if (!add(found, identity, undefined, key)) return false
    }
  }
  return true
}

/** Each is looked at once, however many lines and upstreams it comes up in. `two_keys`: it is one too many. */
function verdictOn(credential: string, found: Found, { keys }: Snapshot): Verdict {
  if (credential === found.credential) return found.verdict
  let verdict = found.verdicts?.get(credential)
  if (verdict === undefined) {
    if (found.credential !== '') found.verdicts ??= new Map([[found.credential, found.verdict]])
    if (found.verdicts !== undefined && found.verdicts.size >= MAX_CREDENTIALS) return 'two_keys'
    verdict = identityOf(credential, keys)
    found.verdicts?.set(credential, verdict)
  }
  found.credential = credential
  found.verdict = verdict
  return verdict
}

function note(found: Found, cause: Cause): void {
  if (cause === 'not_yet') found.hasLaterKey = true
  if (NEARNESS.indexOf(cause) > NEARNESS.indexOf(found.cause)) found.cause = cause
}

/** `line`: undefined where it stands in none, and then it counts after those that do. False: it is one too many. */
function add(found: Found, identity: Identity, line: FieldLine | undefined, key: string): boolean {
  const isNew = found.identity === undefined
  if (found.identity !== undefined && ownerOf(found.identity) !== ownerOf(identity)) return false
  const isFirst = isNew || (line !== undefined && line.field < found.line!.field)
  if (!isNew && key !== found.key) {
    found.otherKeys ??= []
    if (found.otherKeys.push(isFirst ? found.key : key) === MAX_KEYS) return false
  }
  if (isFirst) {
    found.identity = identity
    found.line = line
    found.key = key
  }
  return true
}

/** Tokens of one signer are one owner's, whatever their subjects are. */
function ownerOf(identity: Identity): Identity {
  return identity.signer ?? identity
}

/** Whatever stands there is the client's credential. */
function anonymousPairs(head: RequestHead, snapshot: Snapshot): readonly number[] {
  if (snapshot.withQueryKeys.length === 0) return NO_PAIRS
  const path = head.pathAndQuery.slice(0, head.pathLength)
  if (snapshot.anonymous?.routes.find(path)?.takesQueryKeys !== true) return NO_PAIRS
  const pairs = queryPairs(head)
  return pairs.length === 0 ? NO_PAIRS : pairs.map(({ at }) => at)
}

/** Its own scheme in Authorization is none of ours. */
function anonymousLine(head: RequestHead): FieldLine | undefined {
  let used: FieldLine | undefined
  for (const line of head.lines) {
    if (!isCredentialField(line.field) || credentialStart(head.text, line) === -1) continue
    if (used === undefined || line.field < used.field) used = line
  }
  return used
}
