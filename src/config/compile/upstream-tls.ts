/** `tls` of an upstream: its PEM files are read and checked, so that a bad one is found now and not by the first request. */

import { withoutFinalDot } from '../../http/host.ts'
import type { TlsDocument } from '../schema/document.ts'
import type { UpstreamTls } from '../snapshot.ts'
import type { Path } from '../text/problem.ts'
import type { Scope } from './scope.ts'
import { isHostName } from './target-url.ts'

/** The system's bundle of roots has some 220 KiB. */
export const MAX_PEM_BYTES = 1024 * 1024

export const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** Undefined where nothing is set, or something is wrong. */
export function compileUpstreamTls(document: TlsDocument, path: Path, scope: Scope): UpstreamTls | undefined {
  const pem = (key: 'ca' | 'cert' | 'key') => {
    const file = document[key]
    if (file === undefined) return undefined
    const { bytes, wrong } = scope.read(file, MAX_PEM_BYTES)
    if (wrong === undefined) return Buffer.from(bytes).toString('latin1')
    scope.problem([...path, key], `names a file that ${wrong} (relative paths start at the configuration's folder)`)
    return undefined
  }
  const tls = {
    ca: pem('ca'),
    serverName: document.server_name && withoutFinalDot(document.server_name),
    cert: pem('cert'),
    key: pem('key'),
  }
  if (tls.serverName !== undefined && !isHostName(tls.serverName)) {
    scope.problem([...path, 'server_name'], 'must be a host name (TLS has no server name for an IP address)')
  }
  if (tls.ca !== undefined) checkCertificates(tls.ca, [...path, 'ca'], scope)
  checkPair(tls, path, scope)
  return Object.values(tls).every((value) => value === undefined) ? undefined : tls
}

function checkCertificates(pem: string, path: Path, scope: Scope): boolean {
  const { X509Certificate } = process.getBuiltinModule('node:crypto')
  const certificates = pem.match(CERTIFICATE) ?? []
  const isGood = certificates.length > 0 && certificates.every((text) => succeeds(() => new X509Certificate(text)))
  if (!isGood) scope.problem(path, 'must name a PEM file of certificates; this one holds none, or a broken one')
  return isGood
}

function checkPair(tls: UpstreamTls, path: Path, scope: Scope): void {
  const hasCert = scope.isGiven([...path, 'cert'])
  if (hasCert !== scope.isGiven([...path, 'key'])) {
    const [there, absent] = hasCert ? ['cert', 'key'] : ['key', 'cert']
    scope.problem([...path, there], `needs ${absent} beside it`)
  }
  const { createPrivateKey, X509Certificate } = process.getBuiltinModule('node:crypto')
  const { cert, key } = tls
  const isCertGood = cert !== undefined && checkCertificates(cert, [...path, 'cert'], scope)
  const isKeyGood = key !== undefined && succeeds(() => createPrivateKey(key))
  if (key !== undefined && !isKeyGood) {
    scope.problem([...path, 'key'], 'must name a PEM file of a private key without a passphrase')
  }
  if (!isCertGood || !isKeyGood) return
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    scope.problem([...path, 'key'], 'is not the private key of cert')
  } else if (!succeeds(() => process.getBuiltinModule('node:tls').createSecureContext({ cert, key }))) {
    scope.problem([...path, 'cert'], 'is refused by OpenSSL together with its key; perhaps the key is too short')
  }
}

export function succeeds(attempt: () => unknown): boolean {
  try {
    attempt()
    return true
  } catch {
    return false
  }
}
