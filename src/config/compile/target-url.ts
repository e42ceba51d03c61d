/**
 * `target_url` → its parts, or what is wrong with it. Taken apart by hand: `new URL` would remove dot segments, merge
 * spellings and encode characters anew, and the provider must see the base path as it is written.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { withoutFinalDot } from '../../http/host.ts'
import type { Target } from '../snapshot.ts'

const DEFAULT_PORTS = { http: 80, https: 443 } as const

/** The shell's, Helm's and documentation's; in a path, `$` and `<` may be meant. */
const PLACEHOLDER = /\$\{|\{\{|^https?:\/\/[^/]*</i

export function parseTargetUrl(text: string): Target | { readonly wrong: string } {
  if (PLACEHOLDER.test(text)) return { wrong: 'holds a placeholder that nothing fills in; write the URL itself' }
  const match = /^(https?):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/is.exec(text)
  if (match === null) return { wrong: 'must be an absolute URL that starts with https:// or http://' }
  const [, schemeText, authority = '', path = '', query, fragment] = match
  if (query !== undefined || fragment !== undefined) return { wrong: 'must not hold a query (?) or a fragment (#)' }
  if (authority.includes('@')) {
    return { wrong: 'must not hold a user or password; the credential belongs into api_key' }
  }
  const scheme = schemeText!.toLowerCase() === 'https' ? 'https' : 'http'
  const place = parseAuthority(authority, DEFAULT_PORTS[scheme])
  if ('wrong' in place) return place
  if (/[^\x21-\x7e]/.test(path)) {
    return { wrong: 'must be visible ASCII, as in a request line; write other characters percent-encoded' }
  }
  if (hasDotSegment(path)) return { wrong: 'must not hold . or .. segments' }
  return { scheme, ...place, basePath: path.replace(/\/+$/, '') }
}

type Place = Pick<Target, 'host' | 'port' | 'authority'>

export function parseAuthority(authority: string, defaultPort: number): Place | { readonly wrong: string } {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(authority)
  if (match === null) return { wrong: 'must have a host, and a number as port if there is one' }
  const [, v6, name = '', digits = ''] = match
  const port = digits === '' ? defaultPort : Number(digits)
  if (port < 1 || port > 65_535) return { wrong: 'must have a port from 1 to 65535' }
  const suffix = port === defaultPort ? '' : `:${port}`
  if (v6 !== undefined) {
    if (!isIPv6(v6) || v6.includes('%')) return { wrong: 'must have a valid IPv6 address in its brackets' }
    return { host: v6.toLowerCase(), port, authority: `[${v6}]${suffix}` }
  }
  if (!isHostName(name) && !isIPv4(name)) {
    return { wrong: 'must have a host name (ASCII, punycode for others) or an IP address as its host' }
  }
  return { host: name.toLowerCase(), port, authority: `${withoutFinalDot(name)}${suffix}` }
}

/** A DNS name; underscores occur in container networks. One that ends in a number would be taken for an odd IPv4 address. */
export function isHostName(name: string): boolean {
  const labels = withoutFinalDot(name).split('.')
  const last = labels.at(-1)!
  return name.length <= 254 && labels.every((label) => LABEL.test(label)) && !/^(?:\d+|0[xX][0-9A-Fa-f]*)$/.test(last)
}

const LABEL = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/

/** Whether a `.` or `..` segment shows once escapes are decoded: a server that decodes early would leave the path. */
export function hasDotSegment(path: string): boolean {
  const decoded = path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return decoded.split(/[/\\]/).some((segment) => segment === '.' || segment === '..')
}
