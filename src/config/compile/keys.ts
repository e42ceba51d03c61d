import { hash } from 'node:crypto'
import { type KeyToPack, type PackedKeys, packKeys } from '../key-table.ts'
import { DEFAULTS } from '../schema/defaults.ts'
import type { ConfigurationDocument, JwtKeyDocument, StaticKeyDocument } from '../schema/document.ts'
import type { JwtKeySettings } from '../settings.ts'
import { formatPath, type Path } from '../text/problem.ts'
import { nearest } from '../text/suggest.ts'
import { exampleDigestFault, placeholderFault, weaknessOf } from './placeholder.ts'
import type { Scope } from './scope.ts'
import { emptyFault, readFieldSecret, readSecret } from './secret.ts'
import { UniquePlaces } from './unique.ts'

type KeysDocument = NonNullable<ConfigurationDocument['api_keys']>

/** RFC 7518 §3.2: a key of the hash's size or more. */
const MIN_JWT_KEY_BYTES = 32

const DIGEST_OF_NOTHING = hash('sha256', '', 'hex')

/** `upstreamNames`: undefined where they cannot be told, which has been reported. */
export function compileStaticKeys(
  document: KeysDocument,
  upstreamNames: readonly string[] | undefined,
  scope: Scope,
): PackedKeys {
  const upstreamsByName = new UpstreamNames(upstreamNames)
  const digests = new UniquePlaces(scope)
  const ids = new UniquePlaces(scope)
  const keys: KeyToPack[] = []
  for (const [index, entry] of (document.static ?? []).entries()) {
    if (entry === undefined) continue
    const path = ['api_keys', 'static', index]
    const digest = compileDigest(entry, path, digests, scope)
    if (entry.id !== undefined) ids.claim(entry.id, [...path, 'id'])
    const upstreams = compileNames(entry, path, upstreamsByName, scope)
    if (digest !== undefined) keys.push({ digest, name: entry.id ?? formatPath(path.slice(1)), upstreams })
  }
  return packKeys(keys)
}

function compileDigest(entry: StaticKeyDocument, path: Path, digests: UniquePlaces, scope: Scope): string | undefined {
  const hasKey = scope.isGiven([...path, 'key'])
  const hasDigest = scope.isGiven([...path, 'key_sha256'])
  if (hasKey && hasDigest) scope.problem([...path, 'key_sha256'], 'stands beside key; one of them must go')
  if (!hasKey && !hasDigest) scope.problem([...path, 'key'], 'is missing; a key needs key or key_sha256')
  if (entry.key !== undefined) {
    const secret = readFieldSecret(entry.key, scope)
    if ('wrong' in secret) scope.problem([...path, 'key'], secret.wrong)
    else if (secret.text === '') scope.problem([...path, 'key'], emptyFault(entry.key))
    else if (isKey(secret.text, [...path, 'key'], scope)) {
      return claimed(hash('sha256', secret.text, 'hex'), [...path, 'key'], digests)
    }
  } else if (entry.key_sha256 !== undefined) {
    const digest = entry.key_sha256.toLowerCase()
    const fault = digest === DIGEST_OF_NOTHING ? 'is the digest of an empty key' : exampleDigestFault(digest)
    if (fault !== undefined) scope.problem([...path, 'key_sha256'], fault)
    else return claimed(digest, [...path, 'key_sha256'], digests)
  }
  return undefined
}

function isKey(text: string, path: Path, scope: Scope): boolean {
  const fault = placeholderFault(text)
  if (fault !== undefined) {
    scope.problem(path, fault)
    return false
  }
  const weakness = weaknessOf(text)
  if (weakness !== undefined) scope.warning(path, weakness)
  return true
}

function claimed(digest: string, path: Path, digests: UniquePlaces): string | undefined {
  return digests.claim(digest, path) ? digest : undefined
}

/** Comparing a misspelt name with each that there is takes its time: a file of thousands of them gets no more hints than this. */
const MAX_HINTS = 100

class UpstreamNames {
  readonly #names: readonly string[]
  readonly #indexes: ReadonlyMap<string, number>
  #hints = 0
  /** That there is none at all. */
  #isTold: boolean

  constructor(names: readonly string[] | undefined) {
    this.#isTold = names === undefined
    this.#names = names ?? []
    this.#indexes = new Map(this.#names.map((name, index) => [name, index]))
  }

  indexOf(name: string): number | undefined {
    return this.#indexes.get(name)
  }

  /** Where there are no upstreams, every name is wrong for the same reason, which is told once. */
  isWorthTelling(): boolean {
    if (this.#names.length > 0) return true
    const wasTold = this.#isTold
    this.#isTold = true
    return !wasTold
  }

  hint(name: string): string {
    const near = this.#hints++ < MAX_HINTS ? nearest(name, this.#names) : undefined
    return near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`
  }
}

/** Indexes of the upstreams, in rising order. Where every upstream is as it should be, these are also their places in the settings. */
function compileNames(
  entry: StaticKeyDocument | JwtKeyDocument,
  path: Path,
  known: UpstreamNames,
  scope: Scope,
): readonly number[] {
  const indexes = new Set<number>()
  if (entry.upstreams?.length === 0) {
    scope.warning([...path, 'upstreams'], 'is empty, so that the key opens every upstream; name some, or remove it')
  }
  for (const [at, name] of (entry.upstreams ?? []).entries()) {
    if (name === undefined) continue
    const index = known.indexOf(name)
    if (index !== undefined) indexes.add(index)
    else if (known.isWorthTelling())
      scope.problem([...path, 'upstreams', at], `is not the name of a configured upstream${known.hint(name)}`)
  }
  return [...indexes].sort((a, b) => a - b)
}

/** `upstreamNames`: see `compileStaticKeys`. */
export function compileJwtKeys(
  document: KeysDocument,
  upstreamNames: readonly string[] | undefined,
  scope: Scope,
): readonly JwtKeySettings[] {
  const upstreamsByName = new UpstreamNames(upstreamNames)
  const ids = new UniquePlaces(scope)
  const keys: JwtKeySettings[] = []
  for (const [index, entry] of (document.jwt ?? []).entries()) {
    if (entry === undefined) continue
    const path = ['api_keys', 'jwt', index]
    const isNew = entry.id !== undefined && ids.claim(entry.id, [...path, 'id'])
    const secret = compileJwtSecret(entry, [...path, 'key'], scope)
    const upstreams = compileNames(entry, path, upstreamsByName, scope)
    if (isNew && secret !== undefined) {
      keys.push({ id: entry.id, secret: secret.toString('base64'), ...compileClaims(entry), upstreams })
    }
  }
  return keys
}

function compileClaims(
  entry: JwtKeyDocument,
): Pick<JwtKeySettings, 'audiences' | 'issuers' | 'requiresExpiry' | 'leewayMs'> {
  return {
    audiences: listOf(entry.audience),
    issuers: listOf(entry.issuer),
    requiresExpiry: entry.require_exp ?? DEFAULTS.require_exp,
    leewayMs: entry.leeway_ms ?? DEFAULTS.leeway_ms,
  }
}

function listOf(texts: JwtKeyDocument['audience']): readonly string[] {
  if (typeof texts === 'string') return [texts]
  return (texts ?? []).filter((text) => text !== undefined)
}

/** It never travels in a field, so its bytes may be any. */
function compileJwtSecret(entry: JwtKeyDocument, path: Path, scope: Scope): Buffer | undefined {
  if (entry.key === undefined) return undefined
  const secret = readSecret(entry.key, scope)
  if ('wrong' in secret) {
    scope.problem(path, secret.wrong)
    return undefined
  }
  const text = secret.bytes.toString().trim()
  const fault = placeholderFault(text)
  if (fault !== undefined) scope.problem(path, fault)
  else if (text === '') scope.problem(path, emptyFault(entry.key))
  else if (secret.bytes.length < MIN_JWT_KEY_BYTES) {
    scope.problem(path, `must have at least ${MIN_JWT_KEY_BYTES} bytes, which is what HS256 is safe with`)
  } else return secret.bytes
  return undefined
}
