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
      cause = narrower(cause, found)
      continue
    }
    if (identity !== undefined && identity !== found) return 'two_keys'
    identity = found
    const isFirst = credentialLine === undefined || line.field < credentialLine.field
    if (credentialLine !== undefined && credential !== key) {
      otherKeys ??= []
      if (otherKeys.push(isFirst ? key : credential) === MAX_KEYS) return 'two_keys'
    }
    if (isFirst) {
      credentialLine = line
      key = credential
    }
  }
  if (identity === undefined) return cause
  if (identity.routes.isEmpty) return 'no_upstreams'
  return { identity, credentialLine, strays: findStrays(head, key, credentialLine!, otherKeys) }
}

/** Of several credentials that are no key, one that was nearly a token tells most. */
function narrower(known: Cause, found: Cause): Cause {
  if (known === 'no_key') return found
  return known === 'unknown_key' && found !== 'no_key' ? found : known
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
