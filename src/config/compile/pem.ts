/** What PEM files hold, as far as TLS needs to know before it uses them. */

/** The system's bundle of roots has some 220 KiB. */
export const MAX_PEM_BYTES: number = 1024 * 1024

export const FOLDER = "(relative paths start at the configuration's folder)"
export const NO_CERTIFICATES = 'must name a PEM file of certificates; this one holds none, or a broken one'
export const NO_KEY = 'must name a PEM file of a private key without a passphrase'
export const NOT_ITS_KEY = 'is not the private key of cert'
export const REFUSED_PAIR = 'is refused by OpenSSL together with its key; perhaps the key is too short'

type X509 = InstanceType<typeof import('node:crypto').X509Certificate>

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
const BEGIN = /-----BEGIN CERTIFICATE-----/g

/** Undefined where there is none, or a broken one: also one that has begun and not ended, as of a file that is being written. */
export function certificatesOf(pem: string): readonly X509[] | undefined {
  const { X509Certificate } = process.getBuiltinModule('node:crypto')
  const texts = pem.match(CERTIFICATE) ?? []
  if (texts.length === 0 || texts.length !== pem.match(BEGIN)?.length) return undefined
  try {
    return texts.map((text) => new X509Certificate(text))
  } catch {
    return undefined
  }
}

/** Of a key without a passphrase. */
export function isPrivateKey(pem: string): boolean {
  return succeeds(() => process.getBuiltinModule('node:crypto').createPrivateKey(pem))
}

/** A certificate, its issuers behind it, and its key, as OpenSSL takes them. */
export function isUsablePair(cert: string, key: string): boolean {
  return succeeds(() => process.getBuiltinModule('node:tls').createSecureContext({ cert, key }))
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt()
    return true
  } catch {
    return false
  }
}
