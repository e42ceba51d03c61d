/**
 * `server.tls`: the files are read and each pair is tried, so that what cannot serve is found now and not by a client. What was in
 * force stays where its files hold nothing of use any more: a renewal that goes wrong costs no client its connection.
 */
import { resolve } from 'node:path'
import type { PairDocument, SecretSource, ServerTlsDocument } from '../schema/document.ts'
import type { ServerCertificate, ServerTls, TlsMaterial } from '../snapshot.ts'
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
import { readSecret } from './secret.ts'

/** What is wrong with a pair, and with which half of it. */
interface Fault {
  readonly key: 'cert' | 'key'
  readonly text: string
}

/** Undefined where something is wrong and nothing is in force in its place: that has been reported. */
export function compileServerTls(document: ServerTlsDocument, scope: Scope): ServerTls | undefined {
  const path: Path = ['server', 'tls']
  const pairs = pairsOf(document, path, scope)
  const certificates = pairs.map((pair) => compilePair(pair.document, pair.path, scope))
  const ca = document.ca === undefined ? undefined : compileAuthority(document.ca, [...path, 'ca'], scope)
  if (scope.isGiven([...path, 'ca']) && ca === undefined) return undefined
  const whole = certificates.filter((certificate) => certificate !== undefined)
  if (whole.length === 0 || whole.length < certificates.length) return undefined
  const minVersion = Number(document.min_version ?? 1.2) === 1.3 ? 'TLSv1.3' : 'TLSv1.2'
  const content = [minVersion, ca?.pem ?? '', ...whole.flatMap(({ cert, key }) => [cert, key])]
  return {
    certificates: whole,
    ca,
    minVersion,
    ticketSecret: ticketSecretOf(whole[0]!.key, ca?.pem ?? ''),
    digest: digestOf(JSON.stringify(content)),
  }
}

interface PairAt {
  readonly document: PairDocument
  readonly path: Path
}

/** What is wrong with one of them has been reported, and it is left out. */
function pairsOf(document: ServerTlsDocument, path: Path, scope: Scope): PairAt[] {
  const isGiven = (key: string): boolean => scope.isGiven([...path, key])
  if (!isGiven('certificates')) {
    if (!isGiven('cert') && !isGiven('key')) scope.problem(path, 'needs cert and key, or certificates: a list of pairs')
    for (const [there, absent] of [
      ['cert', 'key'],
      ['key', 'cert'],
    ] as const) {
      if (isGiven(there) && !isGiven(absent)) scope.problem([...path, there], `needs ${absent} beside it`)
    }
    return isGiven('cert') && isGiven('key') ? [{ document, path }] : []
  }
  for (const key of ['cert', 'key']) {
    if (isGiven(key))
      scope.problem([...path, key], 'stands beside certificates; move the pair to the head of that list')
  }
  if (document.certificates?.length === 0) scope.problem([...path, 'certificates'], 'must hold a pair at least')
  return (document.certificates ?? []).map((pair, index) => ({
    document: pair ?? {},
    path: [...path, 'certificates', index],
  }))
}

function compilePair(document: PairDocument, path: Path, scope: Scope): ServerCertificate | undefined {
  const { cert: certPath, key: keySource } = document
  // What is there and undefined has been reported.
  if (certPath === undefined || keySource === undefined) return undefined
  const cert = readPem(certPath, scope)
  const key = readKey(keySource, scope)
  const file = resolve(scope.folder, certPath)
  const keyFile = fileOf(keySource)
  const place = digestOf(JSON.stringify([file, keyFile === undefined ? keySource : resolve(scope.folder, keyFile)]))
  const files = keyFile === undefined ? [file] : [file, resolve(scope.folder, keyFile)]
  const faults = judgePair(cert, key)
  if (faults.length === 0) {
    const pair = { cert: cert.text, key: key.text }
    const { names, warnings } = inspect(pair.cert)
    for (const warning of warnings) scope.warning([...path, 'cert'], warning)
    return { path: file, files, kept: undefined, place, ...pair, names }
  }
  const before = scope.inForce?.certificates.find((pair) => pair.place === place)
  if (before === undefined) {
    for (const fault of faults) scope.problem([...path, fault.key], fault.text)
    return undefined
  }
  const error = faults.map((fault) => `${fault.key}: ${fault.text}`).join('; ')
  const digest = digestOf(JSON.stringify([cert.text, key.text]))
  return { ...before, files, kept: { error, digest } }
}

function compileAuthority(file: string, path: Path, scope: Scope): ServerTls['ca'] {
  const read = readPem(file, scope)
  const absolute = resolve(scope.folder, file)
  const material: TlsMaterial = { path: absolute, files: [absolute], kept: undefined, place: absolute }
  const wrong = read.wrong ?? (certificatesOf(read.text) === undefined ? NO_CERTIFICATES : undefined)
  if (wrong === undefined) return { ...material, pem: read.text }
  const before = scope.inForce?.ca
  if (before?.place === absolute) return { ...before, kept: { error: wrong, digest: digestOf(read.text) } }
  scope.problem(path, wrong)
  return undefined
}

/** What was read, as far as anything was, and what is wrong with that. */
interface Read {
  readonly text: string
  readonly wrong: string | undefined
}

function readPem(file: string, scope: Scope): Read {
  const { bytes, wrong } = scope.read(file, MAX_PEM_BYTES)
  if (wrong !== undefined) return { text: '', wrong: `names a file that ${wrong} ${FOLDER}` }
  return { text: Buffer.from(bytes).toString('latin1'), wrong: undefined }
}

function readKey(source: SecretSource, scope: Scope): Read {
  if (typeof source === 'string' && !isPem(source)) return readPem(source, scope)
  const secret = readSecret(source, scope)
  return 'wrong' in secret
    ? { text: '', wrong: secret.wrong }
    : { text: secret.bytes.toString('latin1'), wrong: undefined }
}

function fileOf(source: SecretSource): string | undefined {
  if (typeof source === 'string') return isPem(source) ? undefined : source
  return 'file' in source ? source.file : undefined
}

/** A block of the configuration file instead of a path. */
function isPem(text: string): boolean {
  return text.trimStart().startsWith('-----BEGIN ')
}

/** Everything that is wrong with them; whether they belong together only if each of them is right. */
function judgePair(cert: Read, key: Read): Fault[] {
  const { createPrivateKey } = process.getBuiltinModule('node:crypto')
  const certificates = cert.wrong === undefined ? certificatesOf(cert.text) : undefined
  const isKey = key.wrong === undefined && isPrivateKey(key.text)
  const faults: Fault[] = []
  if (certificates === undefined) faults.push({ key: 'cert', text: cert.wrong ?? NO_CERTIFICATES })
  if (!isKey) faults.push({ key: 'key', text: key.wrong ?? NO_KEY })
  if (certificates === undefined || !isKey) return faults
  const privateKey = createPrivateKey(key.text)
  if (!certificates[0]!.checkPrivateKey(privateKey)) {
    const isBehind = certificates.some((certificate) => certificate.checkPrivateKey(privateKey))
    return isBehind
      ? [{ key: 'cert', text: 'must begin with the certificate of key; its issuers stand behind it' }]
      : [{ key: 'key', text: NOT_ITS_KEY }]
  }
  if (isUsablePair(cert.text, key.text)) return []
  return [{ key: 'cert', text: REFUSED_PAIR }]
}

function inspect(pem: string): { readonly names: readonly string[]; readonly warnings: readonly string[] } {
  const certificates = certificatesOf(pem)!
  const warnings: string[] = []
  const [own] = certificates
  const now = new Date()
  if (own!.validToDate < now) warnings.push(`expired on ${day(own!.validToDate)}; clients refuse it`)
  else if (own!.validFromDate > now)
    warnings.push(`is valid only from ${day(own!.validFromDate)} on; clients refuse it until then`)
  const isInOrder = certificates.every((certificate, index) => {
    const issuer = certificates[index + 1]
    return issuer === undefined || certificate.checkIssued(issuer)
  })
  if (!isInOrder)
    warnings.push('holds a chain in which a certificate is not followed by its issuer; some clients refuse that')
  return { names: namesOf(own!), warnings }
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10)
}

/** A certificate without such names is still served to whoever gets the first one. */
function namesOf({ subjectAltName }: { readonly subjectAltName: string | undefined }): string[] {
  // What has a comma or a quote in it is quoted by Node, and is the name of no host.
  const names = (subjectAltName ?? '').split(', ').flatMap((name) => /^DNS:([A-Za-z0-9*._-]+)$/.exec(name)?.[1] ?? [])
  return names.map((name) => name.toLowerCase())
}

/**
 * Every thread, a restarted process and a second gateway with the same files understand each other's tickets. Other certificates
 * of clients make it another secret: a ticket is good for those whose client was checked against them.
 */
function ticketSecretOf(key: string, ca: string): string {
  const { createPrivateKey, hkdfSync } = process.getBuiltinModule('node:crypto')
  const secret = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' })
  return Buffer.from(hkdfSync('sha256', secret, digestOf(ca), 'fluxgate session tickets', 32)).toString('base64')
}

function digestOf(text: string): string {
  return process.getBuiltinModule('node:crypto').hash('sha256', text, 'hex')
}
