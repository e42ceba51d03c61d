/**
 * Where the roots of the machine stand. Node looks as soon as anything imports `node:tls`, and writes a line of its own, in the
 * format of no log, where nothing is there: in an image without any roots, that is every time.
 */
import { accessSync, constants } from 'node:fs'

/** What OpenSSL was built with. */
const DEFAULT_FOLDER = '/etc/ssl/certs'

/** Of a file, read by Node before any of this: a process has to begin without it. */
export const EXTRA_ROOTS = 'NODE_EXTRA_CA_CERTS'

export interface MissingRoots {
  /** The variable of the environment. */
  readonly name: string
  readonly path: string
}

let missing: readonly MissingRoots[] = []

/** What somebody has named and is not there, for the log. */
export function missingRoots(): readonly MissingRoots[] {
  return missing
}

export function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** Keeps Node from looking where nothing is. Before anything imports `node:tls`. `extra`: where EXTRA_ROOTS pointed in vain. */
export function skipMissingRoots(env: NodeJS.ProcessEnv, extra?: string, isThere = isReadable): void {
  const { SSL_CERT_DIR: folder, SSL_CERT_FILE: file } = env
  const named = { SSL_CERT_DIR: folder, SSL_CERT_FILE: file }
  missing = [
    ...(extra === undefined ? [] : [{ name: EXTRA_ROOTS, path: extra }]),
    ...Object.entries(named).flatMap(([name, path]) => (path && !isThere(path) ? [{ name, path }] : [])),
  ]
  // Empty: no folder.
  if (!isThere(folder || DEFAULT_FOLDER)) env.SSL_CERT_DIR = ''
}
