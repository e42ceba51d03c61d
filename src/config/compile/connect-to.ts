/** `connect_to` of an upstream → addresses: what a look-up of the target's name would have found. */
import { isIPv4, isIPv6 } from 'node:net'
import type { Address } from '../snapshot.ts'
import type { Path } from '../text/problem.ts'
import type { Scope } from './scope.ts'

/** sockaddr_un of Linux has 108 bytes for a path and the zero behind it; other systems have 104. */
const MAX_SOCKET_PATH_BYTES = 103

const UNIX = 'unix:'

/** `targetPort`: what holds where an address has none; undefined where target_url is wrong, which has been reported. */
export function compileConnectTo(
  texts: readonly (string | undefined)[],
  targetPort: number | undefined,
  path: Path,
  scope: Scope,
): readonly Address[] | undefined {
  if (texts.length === 0) {
    scope.problem(path, 'must name at least one address; without connect_to, the host of target_url is looked up')
  }
  const addresses: Address[] = []
  for (const [index, text] of texts.entries()) {
    if (text === undefined) continue
    const parsed = text.startsWith(UNIX)
      ? parseSocketPath(text.slice(UNIX.length))
      : parseAddress(text, targetPort ?? 1)
    if ('wrong' in parsed) scope.problem([...path, index], parsed.wrong)
    else if (addresses.some((other) => other.text === parsed.text)) {
      scope.problem([...path, index], 'repeats an address of this list')
    } else addresses.push(parsed)
  }
  return addresses.length === 0 ? undefined : addresses
}

function parseSocketPath(path: string): Address | { readonly wrong: string } {
  if (!path.startsWith('/')) return { wrong: 'must have an absolute path after unix:, as in unix:/run/model.sock' }
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES || path.includes('\0')) {
    return { wrong: `must have a path of at most ${MAX_SOCKET_PATH_BYTES} bytes after unix:` }
  }
  return { host: '', port: 0, path, text: UNIX + path }
}

function parseAddress(text: string, defaultPort: number): Address | { readonly wrong: string } {
  const match = isIPv6(text) ? [text, text] : /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text)
  const [, v6, v4 = '', digits] = match ?? []
  const port = digits === undefined ? defaultPort : Number(digits)
  const isAddress = v6 === undefined ? isIPv4(v4) : isIPv6(v6) && !v6.includes('%')
  if (!isAddress) {
    return {
      wrong:
        'must be an IPv4 address or an IPv6 address, with a port if it is not that of target_url (10.0.0.7, 10.0.0.7:8443, [2001:db8::7]:8443), or unix:PATH; names are not looked up here',
    }
  }
  if (port < 1 || port > 65_535) return { wrong: 'must have a port from 1 to 65535' }
  return ipAddress(v6?.toLowerCase() ?? v4, port)
}

function ipAddress(host: string, port: number): Address {
  return { host, port, path: '', text: `${host.includes(':') ? `[${host}]` : host}:${port}` }
}
