import { CLAIM_RULES, type Claims, MAX_TOKEN_BYTES, readHeader, readToken, verifyJwt } from '../access/jwt.ts'
import { identityOf } from '../access/key-ring.ts'
import { CAUSES, type Cause } from '../cause.ts'
import type { LoadSuccess } from '../config/load.ts'
import type { Identity, JwtKey, KeyRing } from '../config/snapshot.ts'
import { cutToFit, quote, textMessage } from '../observe/escape.ts'

/** What `fluxgate token --check` says. Whether a token is taken is decided by the gateway's own code, and only explained here. */

export interface TokenReport {
  readonly isTaken: boolean
  readonly lines: readonly string[]
}

const OK = 'ok    '
const WRONG = 'WRONG '
const ASIDE = '      '

const MAX_SHOWN_BYTES = 512
const MAX_UPSTREAMS_TOLD = 20

/** `nowSeconds` is wall-clock time since 1970; `token` has one character for each byte, as in a head. */
export function reportToken(token: string, loaded: LoadSuccess, nowSeconds: number): TokenReport {
  const { keys, anonymous } = loaded.configuration
  if (anonymous !== undefined) {
    return { isTaken: true, lines: ['The gateway lets everybody in (server.allow_anonymous) and looks at no token.'] }
  }
  const found = verifyJwt(token, keys.jwtKeys, nowSeconds)
  if (found === 'unknown_key') {
    const owner = identityOf(token, keys)
    if (typeof owner !== 'string') return reportStaticKey(owner)
  }
  const refusal = refusalOf(found, keys)
  const claims = readToken(token, keys.jwtKeys)
  const lines =
    typeof claims === 'string'
      ? [...formLines(token, claims, [...keys.jwtKeys.keys()]), `${ASIDE}what it claims was not looked at`]
      : [...formLines(token, undefined, []), ...claimLines(claims, nowSeconds), ...openLines(claims.key, loaded)]
  lines.push(
    refusal === undefined
      ? 'The gateway takes this token.'
      : `The gateway refuses this token, and its log says cause=${refusal}.`,
  )
  return { isTaken: refusal === undefined, lines }
}

function reportStaticKey({ name, routes }: Identity): TokenReport {
  const what = `This is no token, but the static key ${quote(name)}`
  return {
    isTaken: !routes.isEmpty,
    lines: [routes.isEmpty ? `${what}, and no upstream is configured.` : `${what}, which the gateway takes.`],
  }
}

/** What the log says of it; undefined: nothing, for it is taken. */
function refusalOf(found: Identity | Cause, { jwtKeys }: KeyRing): Cause | undefined {
  // Without a key that verifies tokens, nothing is taken for one.
  if (jwtKeys.size === 0) return 'unknown_key'
  if (typeof found === 'string') return found
  return found.routes.isEmpty ? 'no_upstreams' : undefined
}

/** The checks up to the signature, in their order: one of them is the fault, and the rest was not reached; or all are passed. */
function formLines(token: string, fault: Cause | undefined, ids: readonly string[]): string[] {
  const header = readHeader(token) ?? {}
  const typ = 'typ' in header ? shown(header['typ']) : 'none, which is fine'
  const checks: readonly (readonly [faults: readonly Cause[], right: string, wrong: string])[] = [
    [['no_key', 'unknown_key', 'malformed', 'too_long'], `form: ${sizeOf(token)}`, formFault(token)],
    [['algorithm'], 'alg: HS256', `alg: ${shown(header['alg'])}; only HS256 is taken`],
    [['typ'], `typ: ${typ}`, `typ: ${typ}; it must be JWT, or absent`],
    [['critical'], 'crit, zip: none', 'crit or zip stands in the header, and neither is understood'],
    [['kid'], `kid: ${shown(header['kid'])}, an id under api_keys.jwt`, kidFault(header['kid'], ids)],
    [['signature'], 'signature: right', `signature: wrong; it was not made with the key of ${shown(header['kid'])}`],
    [['bad_claims'], 'claims: well-formed', `claims: ${CAUSES.bad_claims}`],
  ]
  const lines: string[] = []
  for (const [faults, right, wrong] of checks) {
    if (fault !== undefined && faults.includes(fault)) return [...lines, `${WRONG}${wrong}`]
    lines.push(`${OK}${right}`)
  }
  return lines
}

function sizeOf(token: string): string {
  return `three parts of base64url, ${token.length} of at most ${MAX_TOKEN_BYTES} bytes`
}

function formFault(token: string): string {
  if (token === '') return 'form: there is no token'
  if (token.length > MAX_TOKEN_BYTES) return `form: ${token.length} bytes, and ${MAX_TOKEN_BYTES} are the most`
  const parts = token.split('.').length
  if (parts === 5) return 'form: five parts, an encrypted token (JWE); only signed ones are taken'
  if (parts !== 3) return `form: no JWT, for that has three parts between dots, and this has ${parts}`
  return 'form: its parts are not base64url without padding, or its header is no JSON object'
}

function kidFault(kid: unknown, ids: readonly string[]): string {
  if (ids.length === 0) return 'kid: the configuration has no key under api_keys.jwt'
  const known = listed(ids.map(quote))
  return kid === undefined
    ? `kid: none; known are ${known}`
    : `kid: ${shown(kid)} is no id under api_keys.jwt: ${known}`
}

function claimLines(claims: Claims, now: number): string[] {
  const { key, issuer, audience, subject } = claims
  const broken = new Set(CLAIM_RULES.filter(([, isKept]) => !isKept(claims)).map(([cause]) => cause))
  const wanted = (name: string, value: unknown, all: readonly string[], cause: Cause): string => {
    const asked = all.length === 0 ? 'any is taken' : `asked for: ${all.map(quote).join(' or ')}`
    return `${broken.has(cause) ? WRONG : OK}${name}: ${value === undefined ? 'none' : shown(value)}; ${asked}`
  }
  return [
    wanted('iss', issuer, key.issuers, 'issuer'),
    wanted('aud', audience, key.audiences, 'audience'),
    startLine(claims, now),
    endLine(claims, now, broken.has('no_expiry')),
    `${ASIDE}now: ${timeText(now)}, by the clock of this machine`,
    `${ASIDE}sub: ${subjectText(subject)}`,
  ]
}

function subjectText(subject: unknown): string {
  if (subject === undefined) return 'none'
  return typeof subject === 'string' ? shown(subject) : `${shown(subject)}, which is no text; the log shows none`
}

function startLine({ notBefore, key }: Claims, now: number): string {
  if (!Number.isFinite(notBefore)) return `${OK}nbf: none`
  const time = `nbf: ${timeText(notBefore)}`
  if (now >= notBefore) return `${OK}${time}, ${spanText(now - notBefore)} ago`
  const isNear = now >= notBefore - key.leewaySeconds
  return `${isNear ? OK : WRONG}${time}, in ${spanText(Math.ceil(notBefore - now))}; ${leewayText(key, isNear)}`
}

function endLine({ expires, key }: Claims, now: number, isWanted: boolean): string {
  if (isWanted) return `${WRONG}exp: none; require_exp asks for one`
  if (!Number.isFinite(expires)) return `${OK}exp: none, it never ends`
  const time = `exp: ${timeText(expires)}`
  if (now < expires) return `${OK}${time}, in ${spanText(Math.ceil(expires - now))}`
  const isNear = now < expires + key.leewaySeconds
  return `${isNear ? OK : WRONG}${time}, over for ${spanText(now - expires)}; ${leewayText(key, isNear)}`
}

function leewayText({ leewaySeconds }: JwtKey, isNear: boolean): string {
  return `${isNear ? 'within' : 'outside'} the leeway of ${leewaySeconds} s`
}

function openLines(key: JwtKey, { settings }: LoadSuccess): string[] {
  const entry = settings.jwtKeys.find(({ id }) => id === key.identity.name)
  const open = (entry?.upstreams ?? []).map((index) => settings.upstreams[index]!)
  const all = open.length === 0 ? settings.upstreams : open
  if (all.length === 0) return [`${WRONG}opens: nothing, for no upstream is configured`]
  const names = listed(all.map(({ name, prefix }) => `${quote(name)} (${prefix === '' ? '/' : prefix})`))
  return [`${OK}opens: ${open.length === 0 ? 'all upstreams, ' : ''}${names}`]
}

function listed(texts: readonly string[]): string {
  const rest = texts.length - MAX_UPSTREAMS_TOLD
  return `${texts.slice(0, MAX_UPSTREAMS_TOLD).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** Of a token, so it may be anything, and steers no terminal. */
function shown(value: unknown): string {
  if (value === undefined) return 'none'
  if (typeof value === 'string') return quote(cutToFit(value, MAX_SHOWN_BYTES))
  return textMessage(cutToFit(JSON.stringify(value), MAX_SHOWN_BYTES))
}

/** Years with four digits. Whoever writes milliseconds is far beyond them. */
const LAST_SECOND = 253_402_300_799
const MANY_SECONDS = 1e11

function timeText(seconds: number): string {
  if (Math.abs(seconds) > LAST_SECOND) return `${seconds} seconds since 1970 (are these milliseconds?)`
  return `${new Date(Math.floor(seconds) * 1000).toISOString().slice(0, -5).replace('T', ' ')} UTC`
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const

/** The two largest units of a span: `7 hours 59 minutes`. */
function spanText(seconds: number): string {
  if (seconds < 1) return 'less than a second'
  if (seconds > MANY_SECONDS) return 'more than 3000 years'
  const at = UNITS.findIndex(([, length]) => seconds >= length)
  let rest = seconds
  const parts: string[] = []
  for (const [name, length] of UNITS.slice(at, at + 2)) {
    const count = Math.floor(rest / length)
    rest -= count * length
    if (count > 0) parts.push(`${count} ${name}${count === 1 ? '' : 's'}`)
  }
  return parts.join(' ')
}
