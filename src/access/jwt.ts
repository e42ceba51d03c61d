import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { Cause } from '../cause.ts'
import type { Identity, KeyRing } from '../config/snapshot.ts'
import { memberNames, nestingDepth } from './json-members.ts'

/**
 * JSON Web Tokens (RFC 7515, 7519) in one strict profile, after RFC 8725: HS256 and nothing else, `typ` JWT or none, the key chosen by
 * an exact `kid` before any cryptography, nothing critical, nothing compressed, nothing said twice.
 */

const MAX_TOKEN_BYTES = 16_384
const MAX_DEPTH = 32
/** Clocks differ: for so long a token is taken before its time and after it (RFC 7519 section 4.1.4). */
const LEEWAY_SECONDS = 5
const SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

type JwtKeys = KeyRing['jwtKeys']

interface Verified {
  readonly identity: Identity
  readonly notBefore: number
  readonly expires: number
}

/** Tokens that have been verified, by digest, for as long as their keys are in force (they are one snapshot's). */
const verified = new WeakMap<JwtKeys, Map<string, Verified>>()
const MAX_REMEMBERED = 4_096

/** The identity of a token's key, or why it is refused. `nowSeconds` is wall-clock time since 1970. */
export function verifyJwt(token: string, keys: JwtKeys, nowSeconds: number): Identity | Cause {
  // Somebody's static key, or anything else.
  if (!SHAPE.test(token)) return 'unknown_key'
  if (token.length > MAX_TOKEN_BYTES) return 'malformed'
  let remembered = verified.get(keys)
  if (remembered === undefined) {
    remembered = new Map()
    verified.set(keys, remembered)
  }
  const digest = hash('sha256', token, 'base64')
  let found = remembered.get(digest)
  if (found === undefined) {
    const result = verify(token, keys)
    if (typeof result === 'string') return result
    found = result
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    remembered.set(digest, found)
  }
  if (nowSeconds >= found.expires + LEEWAY_SECONDS) return 'expired'
  return nowSeconds < found.notBefore - LEEWAY_SECONDS ? 'not_yet' : found.identity
}

function verify(token: string, keys: JwtKeys): Verified | Cause {
  const [headerPart, claimsPart, signaturePart] = token.split('.') as [string, string, string]
  const header = decodeObject(headerPart)
  if (header === undefined) return 'malformed'
  if (header.value['alg'] !== 'HS256') return 'algorithm'
  if ('typ' in header.value && header.value['typ'] !== 'JWT') return 'type'
  const kid = header.value['kid']
  if ('crit' in header.value || 'zip' in header.value) return 'critical'
  const key = typeof kid === 'string' ? keys.get(kid) : undefined
  if (key === undefined) return 'kid'
  if (!hasSignature(`${headerPart}.${claimsPart}`, signaturePart, key.secret)) return 'signature'
  // From here on the text is its signer's.
  const claims = decodeObject(claimsPart)
  if (claims === undefined || repeatsAName(header.text) || repeatsAName(claims.text)) return 'malformed'
  const expires = claims.value['exp'] === undefined ? Number.POSITIVE_INFINITY : claims.value['exp']
  const notBefore = claims.value['nbf'] === undefined ? Number.NEGATIVE_INFINITY : claims.value['nbf']
  if (typeof expires !== 'number' || typeof notBefore !== 'number') return 'malformed'
  // A number too big for a double reads as Infinity: no NumericDate.
  if (('exp' in claims.value && !Number.isFinite(expires)) || ('nbf' in claims.value && !Number.isFinite(notBefore))) {
    return 'malformed'
  }
  return { identity: key.identity, expires, notBefore }
}

function hasSignature(signed: string, signaturePart: string, secret: Uint8Array): boolean {
  const given = decodeBase64url(signaturePart)
  const right = createHmac('sha256', secret).update(signed, 'latin1').digest()
  return given !== undefined && given.length === right.length && timingSafeEqual(given, right)
}

/** Undefined if the text is not the one way to write its octets: no padding, no stray low bits. */
function decodeBase64url(text: string): Buffer | undefined {
  const octets = Buffer.from(text, 'base64url')
  return octets.toString('base64url') === text ? octets : undefined
}

interface JsonObject {
  readonly text: string
  readonly value: Record<string, unknown>
}

/** Refuses what is no object, not UTF-8 (a BOM is no JSON either), or nests deeper than any claims do. */
function decodeObject(part: string): JsonObject | undefined {
  const octets = decodeBase64url(part)
  if (octets === undefined) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets)
    if (nestingDepth(text) > MAX_DEPTH) return undefined
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    // Own members only: a token must not speak through `__proto__`.
    return { text, value: Object.assign(Object.create(null), value) as Record<string, unknown> }
  } catch {
    return undefined
  }
}

function repeatsAName(json: string): boolean {
  const names = memberNames(json)
  return new Set(names).size !== names.length
}
