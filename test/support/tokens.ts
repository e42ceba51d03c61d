import { createHmac } from 'node:crypto'
import { createRouteTable } from '../../src/config/route-table.ts'
import type { Identity, JwtKey } from '../../src/config/snapshot.ts'

/** An identity that opens nothing. */
export function identityOf(name: string): Identity {
  return { name, routes: createRouteTable([]) }
}

/** A key that wants nothing of claims, but for the rules that are given. */
export function jwtKey(secret: Uint8Array, identity: Identity, rules: Partial<JwtKey> = {}): JwtKey {
  return { secret, identity, audiences: [], issuers: [], requiresExpiry: false, leewaySeconds: 5, ...rules }
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token with these claims, signed by this key. `header` replaces or adds members. */
export function signToken(kid: string, secret: string | Uint8Array, claims: object, header: object = {}): string {
  const signed = `${encode({ alg: 'HS256', typ: 'JWT', kid, ...header })}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
