import type { FieldChanges } from '../../http/field-rules.ts'
import { fieldOf, isCredentialField, isOwnBusiness } from '../../http/fields.ts'
import { isToken } from '../../http/octets.ts'
import type { UpstreamDocument } from '../schema/document.ts'
import type { CredentialPlace } from '../snapshot.ts'
import type { Path } from '../text/problem.ts'
import type { Scope } from './scope.ts'
import { readFieldSecret } from './secret.ts'

/** Fields that an operator names: which may be removed, set and kept, and which may carry keys. */

const NO_NAME = 'must be the name of a field, such as X-Request-Source'
const OWN_BUSINESS =
  'names a field that the gateway answers for itself (framing, Host, connection fields, x-fluxgate-key)'
const CREDENTIAL = 'names a field that carries keys; see credential and keep_fields'

/** Undefined where there is nothing to do. */
export function compileFieldChanges(
  document: UpstreamDocument,
  credential: CredentialPlace,
  path: Path,
  scope: Scope,
): FieldChanges | undefined {
  const remove = lowerCaseNames(document.remove_fields, [...path, 'remove_fields'], scope, (name) =>
    wrongToRemove(name, credential),
  )
  const keep = lowerCaseNames(document.keep_fields, [...path, 'keep_fields'], scope, wrongToKeep)
  if (keep.length > 0 && credential === 'pass') {
    scope.problem([...path, 'keep_fields'], 'has no meaning beside credential: pass, which keeps them all')
  }
  const set = compileSetFields(document, credential, [...path, 'set_fields'], scope)
  return remove.length + keep.length + set.length === 0 ? undefined : { remove, keep, set }
}

function lowerCaseNames(
  names: readonly (string | undefined)[] | undefined,
  path: Path,
  scope: Scope,
  wrongWith: (lowerCaseName: string) => string | undefined,
): readonly string[] {
  const valid: string[] = []
  for (const [index, name] of (names ?? []).entries()) {
    if (name === undefined) continue
    const lowerCase = name.toLowerCase()
    const wrong = wrongWith(lowerCase)
    if (wrong === undefined) valid.push(lowerCase)
    else scope.problem([...path, index], wrong)
  }
  return valid
}

function wrongToRemove(name: string, credential: CredentialPlace): string | undefined {
  const isPattern = name.endsWith('*')
  const rest = isPattern ? name.slice(0, -1) : name
  if (rest.includes('*') || !isToken(rest)) {
    return `${NO_NAME}; a * may stand at its end, for any rest`
  }
  return isPattern ? undefined : wrongToTouch(name, credential)
}

function wrongToTouch(name: string, credential: CredentialPlace): string | undefined {
  const field = fieldOf(name, 0, name.length)
  if (isOwnBusiness(field, name)) return OWN_BUSINESS
  const carriesKeys = isCredentialField(field) || (typeof credential === 'object' && credential.name === name)
  return carriesKeys ? CREDENTIAL : undefined
}

function wrongToKeep(name: string): string | undefined {
  return isKeepable(name)
    ? undefined
    : 'must be a field that carries keys and would be removed: Authorization, x-api-key, api-key or x-goog-api-key'
}

function isKeepable(name: string): boolean {
  return name !== 'x-fluxgate-key' && isCredentialField(fieldOf(name, 0, name.length))
}

function compileSetFields(
  document: UpstreamDocument,
  credential: CredentialPlace,
  path: Path,
  scope: Scope,
): FieldChanges['set'] {
  const set: { name: string; value: string }[] = []
  const seen = new Set<string>()
  for (const [name, source] of Object.entries(document.set_fields ?? {})) {
    const place = [...path, name]
    const lowerCase = name.toLowerCase()
    const wrong = isToken(name) ? wrongToTouch(lowerCase, credential) : NO_NAME
    if (wrong !== undefined) scope.problem(place, wrong)
    else if (seen.has(lowerCase)) scope.problem(place, 'stands here twice; the case of a name does not count')
    seen.add(lowerCase)
    if (source === undefined) continue
    const value = readFieldSecret(source, scope)
    if ('wrong' in value) scope.problem(place, value.wrong)
    else set.push({ name, value: Buffer.from(value.text).toString('latin1') })
  }
  return set
}

/** Where the provider's key goes, and which field of its own carries it. */
export function compileCredential(document: UpstreamDocument['credential'], path: Path, scope: Scope): CredentialPlace {
  if (document === undefined) return 'swap'
  if (typeof document !== 'object') return document
  const { field, scheme } = document
  const name = field.toLowerCase()
  const isAuthorization = name === 'authorization'
  if (!isToken(field)) scope.problem([...path, 'field'], NO_NAME)
  else if (isOwnBusiness(fieldOf(name, 0, name.length), name)) scope.problem([...path, 'field'], OWN_BUSINESS)
  if (scheme !== undefined && scheme !== '' && !isToken(scheme)) {
    scope.problem([...path, 'scheme'], 'must be one word, such as Token, or empty')
  }
  return { field, name, scheme: scheme ?? (isAuthorization ? 'Bearer' : '') }
}
