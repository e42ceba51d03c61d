/** `proxy` of an upstream → where it is and what it is told of us. */
import type { ProxyDocument } from '../schema/document.ts'
import type { UpstreamProxy } from '../snapshot.ts'
import type { Path } from '../text/problem.ts'
import type { Scope } from './scope.ts'
import { emptyFault, readFieldSecret } from './secret.ts'
import { parseAuthority } from './target-url.ts'

const DEFAULT_PORT = 80

/** Undefined where something is wrong, which has been reported. */
export function compileProxy(document: ProxyDocument, path: Path, scope: Scope): UpstreamProxy | undefined {
  const place = document.url === undefined ? undefined : compileUrl(document.url, [...path, 'url'], scope)
  const authorization = compileLogin(document, path, scope)
  return place && { ...place, authorization }
}

function compileUrl(url: string, path: Path, scope: Scope): Pick<UpstreamProxy, 'host' | 'port'> | undefined {
  const authority = /^http:\/\/([^/?#]*)\/?$/i.exec(url)?.[1]
  if (authority?.includes('@') || /^http:\/\/[^/?#]*@/i.test(url)) {
    scope.problem(path, 'must not hold a user or password; they belong into user and password beside it')
  } else if (authority === undefined) {
    scope.problem(path, 'must end with its port: a proxy has no path, query (?) or fragment (#)')
  } else {
    const place = parseAuthority(authority, DEFAULT_PORT)
    if (!('wrong' in place)) return { host: place.host, port: place.port }
    scope.problem(path, place.wrong)
  }
  return undefined
}

/** RFC 7617 section 2. What is told of a problem names no value. */
function compileLogin(document: ProxyDocument, path: Path, scope: Scope): string | undefined {
  const hasUser = scope.isGiven([...path, 'user'])
  if (hasUser !== scope.isGiven([...path, 'password'])) {
    const [there, absent] = hasUser ? ['user', 'password'] : ['password', 'user']
    scope.problem([...path, there], `needs ${absent} beside it`)
  }
  const { user, password } = document
  if (user !== undefined && /[:\x00-\x1f\x7f]/.test(user)) {
    scope.problem([...path, 'user'], 'must hold neither a colon nor control characters')
  }
  if (password === undefined) return undefined
  const secret = readFieldSecret(password, scope)
  if ('wrong' in secret) scope.problem([...path, 'password'], secret.wrong)
  else if (secret.text === '') scope.problem([...path, 'password'], emptyFault(password))
  else if (user !== undefined) return `Basic ${Buffer.from(`${user}:${secret.text}`).toString('base64')}`
  return undefined
}
