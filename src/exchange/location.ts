import type { Upstream } from '../config/snapshot.ts'

/**
 * Where a redirect of an upstream's leads as the client has to ask for it: the path below the gateway's prefix if it leads to
 * the target itself, else undefined, and it stays as it came. The result has no authority: only the client knows the one
 * under which it reaches the gateway, and RFC 9110 section 10.2.2 resolves a reference against the URI that was asked for.
 */
export function locationAtGateway(reference: string, { target, prefix }: Upstream): string | undefined {
  const path = pathAtTarget(reference, target)
  if (path === undefined || DOT_SEGMENT.test(path) || READ_DIFFERENTLY.test(path)) return undefined
  if (!path.startsWith(target.basePath)) return undefined
  const rest = path.slice(target.basePath.length)
  if (rest !== '' && !/^[/?#]/.test(rest)) return undefined
  // Two slashes at the beginning would be an authority.
  if (prefix === '' && rest.startsWith('//')) return undefined
  return prefix + rest === '' || /^[?#]/.test(prefix + rest) ? `/${prefix}${rest}` : prefix + rest
}

/**
 * A URL whose path a client asks its base URL for, whatever its authority is: the same with the gateway's prefix before that path, in
 * the place of the target's base path. Undefined where that would lead nowhere: it stays as it came.
 */
export function uploadUrlAtGateway(url: string, { target, prefix }: Upstream): string | undefined {
  const [, before = '', path] = /^(https?:\/\/[^/?#]*)?(\/.*)$/i.exec(url) ?? []
  if (path === undefined || !path.startsWith(target.basePath)) return undefined
  const rest = path.slice(target.basePath.length)
  return rest === '' || /^[/?#]/.test(rest) ? `${before}${prefix}${rest}` : undefined
}

/** It could lead out of the base path, or out of the prefix. */
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?:[/?#]|$)/i

/** Browsers take the one for a slash, and no notice of the other: there is no telling where it leads. */
const READ_DIFFERENTLY = /[\\\t]/

/** The path, query and fragment of a reference with an authority or an absolute path, if the authority is the target's. */
function pathAtTarget(reference: string, { scheme, host, port }: Upstream['target']): string | undefined {
  if (/^\/(?!\/)/.test(reference)) return reference
  const [, itsScheme = scheme, authority, path] = /^(?:(https?):)?\/\/([^/?#]*)(.*)$/i.exec(reference) ?? []
  if (authority === undefined || itsScheme.toLowerCase() !== scheme) return undefined
  const [, itsHost = '', itsPort] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority) ?? []
  const isItsHost = plain(itsHost) === plain(host)
  const isItsPort = Number(itsPort || (scheme === 'https' ? 443 : 80)) === port
  return isItsHost && isItsPort ? path : undefined
}

function plain(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$|\.$/g, '')
}
