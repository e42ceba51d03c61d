/** `admin` → where the operations door is, and what it asks for. */
import { randomUUID } from 'node:crypto'
import type { AdminDocument } from '../schema/document.ts'
import type { AdminSettings, BindAddress } from '../snapshot.ts'
import { parseBindAddress } from './bind-address.ts'
import { placeholderFault, weaknessOf } from './placeholder.ts'
import type { Scope } from './scope.ts'
import { emptyFault, readFieldSecret } from './secret.ts'

const ADDRESS = ['admin', 'bind_address']
const TOKEN = ['admin', 'token']

/**
 * Undefined: there is no door. Its address is worth something also where the rest of the file is not.
 *
 * @param clients where clients connect; undefined where that is not to be told from the file
 */
export function compileAdmin(
  document: AdminDocument | undefined,
  clients: BindAddress | undefined,
  scope: Scope,
): AdminSettings | undefined {
  if (document === undefined) return undefined
  const token = compileToken(document, scope)
  if (document.bind_address === undefined) {
    if (!scope.isGiven(ADDRESS)) {
      scope.warning(
        ['admin'],
        'has no bind_address, so that there is no operations door; add one, such as "127.0.0.1:9090"',
      )
    }
    return undefined
  }
  const bindAddress = parseBindAddress(document.bind_address, scope.folder)
  if ('wrong' in bindAddress) {
    scope.problem(ADDRESS, bindAddress.wrong)
    return undefined
  }
  // The command line may name another address for clients: then this is none of them.
  if (clients !== undefined && isSamePlace(bindAddress, clients)) {
    scope.warning(ADDRESS, 'is where clients connect (server.bind_address); it needs an address or a port of its own')
  }
  return { bindAddress, token }
}

function compileToken({ token }: AdminDocument, scope: Scope): string | undefined {
  if (token === undefined) return scope.isGiven(TOKEN) ? unknownToken() : undefined
  const secret = readFieldSecret(token, scope)
  if ('wrong' in secret) scope.problem(TOKEN, secret.wrong)
  else if (secret.text === '') scope.problem(TOKEN, emptyFault(token))
  else {
    const fault = placeholderFault(secret.text)
    if (fault === undefined) {
      const weakness = weaknessOf(secret.text)
      if (weakness !== undefined) scope.warning(TOKEN, weakness)
      return secret.text
    }
    scope.problem(TOKEN, fault)
  }
  return unknownToken()
}

/** A door whose token cannot be read is still there for probes, and must not be open for that to anybody. */
function unknownToken(): string {
  return randomUUID()
}

function isSamePlace(a: BindAddress, b: BindAddress): boolean {
  if (a.path !== undefined || b.path !== undefined) return a.path === b.path
  const isEither = (host: string): boolean => host === a.host || host === b.host
  return a.port === b.port && a.port !== 0 && (a.host === b.host || isEither('0.0.0.0') || isEither('::'))
}
