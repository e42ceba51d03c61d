/** `tls` of an upstream: its PEM files are read and checked, so that a bad one is found now and not by the first request. */

import { withoutFinalDot } from '../../http/host.ts'
import type { TlsDocument } from '../schema/document.ts'
import type { UpstreamTls } from '../snapshot.ts'
import type { Path } from '../text/problem.ts'
import {
  certificatesOf,
  FOLDER,
  isPrivateKey,
  isUsablePair,
  MAX_PEM_BYTES,
  NO_CERTIFICATES,
  NO_KEY,
  NOT_ITS_KEY,
  REFUSED_PAIR,
} from './pem.ts'
import type { Scope } from './scope.ts'
import { isHostName } from './target-url.ts'

/** Undefined where nothing is set, or something is wrong. */
export function compileUpstreamTls(document: TlsDocument, path: Path, scope: Scope): UpstreamTls | undefined {
  const pem = (key: 'ca' | 'cert' | 'key') => {
    const file = document[key]
    if (file === undefined) return undefined
    const { bytes, wrong } = scope.read(file, MAX_PEM_BYTES)
    if (wrong === undefined) return Buffer.from(bytes).toString('latin1')
    scope.problem([...path, key], `names a file that ${wrong} ${FOLDER}`)
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
  const isGood = certificatesOf(pem) !== undefined
  if (!isGood) scope.problem(path, NO_CERTIFICATES)
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
  const isKeyGood = key !== undefined && isPrivateKey(key)
  if (key !== undefined && !isKeyGood) scope.problem([...path, 'key'], NO_KEY)
  if (!isCertGood || !isKeyGood) return
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) scope.problem([...path, 'key'], NOT_ITS_KEY)
  else if (!isUsablePair(cert, key)) scope.problem([...path, 'cert'], REFUSED_PAIR)
}
