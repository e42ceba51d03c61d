import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { Cause } from '../cause.ts'
import type { Identity, JwtKey, KeyRing } from '../config/snapshot.ts'
import { memberNames, nestingDepth } from './json-members.ts'

/**
 * JSON Web Tokens (RFC 7515, 7519) in one strict profile, after RFC 8725: HS256 and nothing else, `typ` JWT or none, the key chosen by
 * an exact `kid` before any cryptography, nothing critical, nothing compressed, nothing said twice.
 */

export const MAX_TOKEN_BYTES = 16_384
const MAX_DEPTH = 32
/** OpenID Connect Core 1.0 section 2 gives a subject 255 ASCII characters at most. */
const MAX_SUBJECT_LENGTH = 256
/** `{"` in base64url: what begins so was meant as a token, and all else is more likely a static key. */
const OPENING = 'eyJ'
const SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

type JwtKeys = KeyRing['jwtKeys']

/** What a token says whose signature is right. Times are in seconds since 1970, and infinite where it says none. */
export interface Claims {
  readonly key: JwtKey
  readonly issuer: unknown
  readonly subject: unknown
  readonly audience: unknown
  readonly notBefore: number
  readonly expires: number
}

interface Verified {
  readonly identity: Identity
  readonly notBefore: number
  readonly expires: number
  readonly leeway: number
}

/** Tokens that have been verified, by digest, for as long as their keys are in force (they are one snapshot's). */
const verified = new WeakMap<JwtKeys, Map<string, Verified>>()
const MAX_REMEMBERED = 4_096

/** Who a token lets in, or why it is refused. `nowSeconds` is wall-clock time since 1970. */
export function verifyJwt(token: string, keys: JwtKeys, nowSeconds: number): Identity | Cause {
  if (token.length > MAX_TOKEN_BYTES || !SHAPE.test(token)) return faultOfShape(token)
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
  if (nowSeconds < found.notBefore - found.leeway) return 'not_yet'
  return nowSeconds < found.expires + found.leeway ? found.identity : 'expired'
}

function faultOfShape(token: string): Cause {
  if (!token.startsWith(OPENING)) return 'unknown_key'
  return token.length > MAX_TOKEN_BYTES ? 'too_long' : 'malformed'
}

function verify(token: string, keys: JwtKeys): Verified | Cause {
  const claims = readToken(token, keys)
  if (typeof claims === 'string') return claims
  for (const [cause, isKept] of CLAIM_RULES) if (!isKept(claims)) return cause
  const { key, notBefore, expires } = claims
  return { identity: bearerOf(claims), notBefore, expires, leeway: key.leewaySeconds }
}

/** A token that says neither whose it is nor when it ends says no more than its key. */
function bearerOf({ key, subject: claimed, expires }: Claims): Identity {
  const subject = shownSubject(claimed)
  const hasEnd = expires !== Number.POSITIVE_INFINITY
  if (subject === undefined && !hasEnd) return key.identity
  return Object.freeze({
    ...key.identity,
    signer: key.identity,
    ...(hasEnd ? { untilMs: (expires + key.leewaySeconds) * 1_000 } : {}),
    ...(subject === undefined ? {} : { subject }),
  })
}

/** What a token says, if its form and its signature are right, whatever it is that it says; else what is wrong first. */
export function readToken(token: string, keys: JwtKeys): Claims | Cause {
  if (token.length > MAX_TOKEN_BYTES || !SHAPE.test(token)) return faultOfShape(token)
  const [headerPart, claimsPart, signaturePart] = token.split('.') as [string, string, string]
  const header = decodeObject(headerPart)
  if (header === undefined) return faultOfShape(token)
  if (header.value['alg'] !== 'HS256') return 'algorithm'
  if ('typ' in header.value && header.value['typ'] !== 'JWT') return 'typ'
  const kid = header.value['kid']
  if ('crit' in header.value || 'zip' in header.value) return 'critical'
  const key = typeof kid === 'string' ? keys.get(kid) : undefined
  if (key === undefined) return 'kid'
  if (!hasSignature(`${headerPart}.${claimsPart}`, signaturePart, key.secret)) return 'signature'
  // From here on the text is its signer's.
  const claims = decodeObject(claimsPart)
  if (claims === undefined || repeatsAName(header.text) || repeatsAName(claims.text)) return 'bad_claims'
  const { iss: issuer, sub: subject, aud: audience, exp, nbf } = claims.value
  const expires = exp === undefined ? Number.POSITIVE_INFINITY : exp
  const notBefore = nbf === undefined ? Number.NEGATIVE_INFINITY : nbf
  if (typeof expires !== 'number' || typeof notBefore !== 'number') return 'bad_claims'
  // A number too big for a double reads as Infinity: no NumericDate.
  if (('exp' in claims.value && !Number.isFinite(expires)) || ('nbf' in claims.value && !Number.isFinite(notBefore))) {
    return 'bad_claims'
  }
  return { key, issuer, subject, audience, expires, notBefore }
}

/** What a key wants of the claims, apart from the time, in the order in which it is looked at. */
export const CLAIM_RULES: readonly (readonly [cause: Cause, isKept: (claims: Claims) => boolean])[] = [
  ['issuer', ({ key, issuer }) => key.issuers.length === 0 || isOneOf(issuer, key.issuers)],
  [
    'audience',
    // RFC 7519 section 4.1.3: one text, or a list of them.
    ({ key: { audiences }, audience }) =>
      audiences.length === 0 ||
      (Array.isArray(audience) ? audience.some((each) => isOneOf(each, audiences)) : isOneOf(audience, audiences)),
  ],
  ['no_expiry', ({ key, expires }) => !key.requiresExpiry || expires !== Number.POSITIVE_INFINITY],
]

function isOneOf(value: unknown, wanted: readonly string[]): boolean {
  return typeof value === 'string' && wanted.includes(value)
}

/** As records show it. What was cut is copied: as a part of a longer text it would keep all of that. */
function shownSubject(subject: unknown): string | undefined {
  if (typeof subject !== 'string') return undefined
  if (subject.length <= MAX_SUBJECT_LENGTH) return subject
  return Buffer.from(`${subject.slice(0, MAX_SUBJECT_LENGTH).replace(/[\ud800-\udbff]$/, '')}…`).toString()
}

/** The header of a token, right or wrong, for those who explain one; undefined if it cannot be read. */
export function readHeader(token: string): Readonly<Record<string, unknown>> | undefined {
  return decodeObject(token.slice(0, Math.max(0, token.indexOf('.'))))?.value
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
