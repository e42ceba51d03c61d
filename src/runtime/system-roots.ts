/**
 * Where the roots of the machine stand. Node looks when the first connection over TLS is made, and writes a line of its own, in the
 * format of no log, where the folder is not there: in an image without any, that is every time.
 */
import { existsSync } from 'node:fs'

/** What OpenSSL was built with. */
const DEFAULT_FOLDER = '/etc/ssl/certs'

export interface MissingRoots {
  readonly name: 'SSL_CERT_DIR' | 'SSL_CERT_FILE'
  readonly path: string
}

/** Keeps Node from looking where nothing is, and returns what somebody has named and is not there. Before any use of TLS. */
export function skipMissingRoots(env: NodeJS.ProcessEnv, isThere = existsSync): readonly MissingRoots[] {
  const missing: MissingRoots[] = []
  const { SSL_CERT_DIR: folder, SSL_CERT_FILE: file } = env
  if (folder && !isThere(folder)) missing.push({ name: 'SSL_CERT_DIR', path: folder })
  if (file && !isThere(file)) missing.push({ name: 'SSL_CERT_FILE', path: file })
  // Empty: no folder.
  if (!isThere(folder || DEFAULT_FOLDER)) env.SSL_CERT_DIR = ''
  return missing
}
