import type { Cause } from '../cause.ts'
import type { Identity, Snapshot } from '../config/snapshot.ts'
import { FIELD, isCredentialField } from '../http/fields.ts'
import type { FieldLine, RequestHead } from '../http/message.ts'
import { credentialOf, credentialStart } from './credential.ts'
import { identityOf } from './key-ring.ts'
import { findStrays } from './strays.ts'

/** What a head says of who has sent it. */
export interface Access {
  readonly identity: Identity
  /** The line with the key that opened the door, or with what an anonymous client used for a credential. */
  readonly credentialLine: FieldLine | undefined
  /** Further lines, of any field, that hold the same key. They must not go on. Or it stands where no line can go. */
  readonly strays: readonly FieldLine[] | 'key_in_target'
}

const NONE: readonly FieldLine[] = []

/** Tokens may differ and have one signer. Each is looked for in all of the head, and nobody sends as many. */
const MAX_KEYS = 4

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
    return { identity: snapshot.anonymous, credentialLine: anonymousLine(head), strays: NONE }
  }
  let identity: Identity | undefined
  let credentialLine: FieldLine | undefined
  let key = ''
  let otherKeys: string[] | undefined
  let hasAuthorization = false
  let cause: Cause = 'no_key'
  for (const line of head.lines) {
    if (!isCredentialField(line.field)) continue
    if (line.field === FIELD.authorization) {
      if (hasAuthorization) return 'two_authorizations'
      hasAuthorization = true
    }
    const credential = credentialOf(head.text, line)
    const found = identityOf(credential, snapshot.keys)
    if (typeof found === 'string') {
      if (NEARNESS.indexOf(found) > NEARNESS.indexOf(cause)) cause = found
      continue
    }
    if (identity !== undefined && ownerOf(identity) !== ownerOf(found)) return 'two_keys'
    const isFirst = credentialLine === undefined || line.field < credentialLine.field
    if (credentialLine !== undefined && credential !== key) {
      otherKeys ??= []
      if (otherKeys.push(isFirst ? key : credential) === MAX_KEYS) return 'two_keys'
    }
    if (isFirst) {
      credentialLine = line
      key = credential
      identity = found
    }
  }
  if (identity === undefined) return cause
  if (identity.routes.isEmpty) return 'no_upstreams'
  return { identity, credentialLine, strays: findStrays(head, key, credentialLine!, otherKeys) }
}

/** Tokens of one signer are one owner's, whatever their subjects are. */
function ownerOf(identity: Identity): Identity {
  return identity.signer ?? identity
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
