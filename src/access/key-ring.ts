import { hash } from 'node:crypto'
import type { Cause } from '../cause.ts'
import type { Identity, KeyRing } from '../config/snapshot.ts'
import { verifyJwt } from './jwt.ts'

/** Whose credential it is, or why nobody's. Static keys by their digest: looking up a digest tells an attacker's clock nothing about any key. */
export function identityOf(credential: string, { staticKeys, jwtKeys }: KeyRing): Identity | Cause {
  if (credential === '') return 'no_key'
  if (staticKeys.size > 0) {
    const found = staticKeys.get(digest(credential))
    if (found !== undefined) return found
  }
  return jwtKeys.size > 0 ? verifyJwt(credential, jwtKeys, Date.now() / 1000) : 'unknown_key'
}

/** Whether it opens the door, or will: a token whose time is still to come is a key as well. */
export function isGatewayKey(credential: string, keys: KeyRing): boolean {
  const found = identityOf(credential, keys)
  return typeof found !== 'string' || found === 'not_yet'
}

/** SHA-256 over the bytes as they came; configured keys are UTF-8. */
function digest(credential: string): string {
  for (let i = 0; i < credential.length; i++) {
    if (credential.charCodeAt(i) > 0x7f) return hash('sha256', Buffer.from(credential, 'latin1'), 'hex')
  }
  return hash('sha256', credential, 'hex')
}
