import { isIPv4, isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import type { BindAddress } from '../snapshot.ts'

const UNIX = 'unix:'

/** What fits into `sun_path` with the zero that ends it, in bytes: longer paths cannot be bound, or would be cut. */
const MAX_SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103

const EXPECTED =
  'must be an IPv4 address or an IPv6 address in brackets, and a port: 127.0.0.1:8080 or [::1]:8080; or a Unix socket: unix:/run/fluxgate/fluxgate.sock; names are not resolved'

/**
 * `127.0.0.1:8080`, `[::1]:8080`, or `unix:` and a path, which starts at `folder` if it is relative; else what would be right.
 * Names are not looked up: which address would be bound must be plain from the file.
 */
export function parseBindAddress(text: string, folder: string): BindAddress | { readonly wrong: string } {
  if (text.startsWith(UNIX)) return parseSocketPath(text, folder)
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (match === null) return { wrong: EXPECTED }
  const [, v6, v4, digits] = match
  const port = Number(digits)
  if (port > 65_535) return { wrong: EXPECTED }
  if (v6 !== undefined && isIPv6(v6)) return { host: v6, port, text }
  if (v4 !== undefined && isIPv4(v4)) return { host: v4, port, text }
  return { wrong: EXPECTED }
}

function parseSocketPath(text: string, folder: string): BindAddress | { readonly wrong: string } {
  const written = text.slice(UNIX.length)
  if (written === '' || written.endsWith('/') || /[\0-\x1f\x7f]/.test(written) || !written.isWellFormed()) {
    return { wrong: 'must name the file of a socket after unix:, such as unix:/run/fluxgate/fluxgate.sock' }
  }
  const path = resolve(folder, written)
  const length = Buffer.byteLength(path)
  if (length > MAX_SOCKET_PATH_BYTES) {
    return {
      wrong: `names a path of ${length} bytes, and a socket takes ${MAX_SOCKET_PATH_BYTES} at most; choose a shorter one`,
    }
  }
  return { path, text }
}
