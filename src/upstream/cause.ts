import { isCause } from '../cause.ts'
import type { FailureCode } from '../failure.ts'

/** OpenSSL's and Node's codes for a certificate that does not hold. */
const CERTIFICATE_ERROR = /CERT|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|CRL/

/** Of an error while connecting, and shaking hands where there is TLS. */
export function classify(error: NodeJS.ErrnoException, isInHandshake: boolean): FailureCode {
  const code = error.code ?? ''
  if (code === 'ECONNREFUSED') return 'connect_refused'
  if (isOutOfDescriptors(error)) return 'emfile'
  // An alert about ours, not about theirs.
  if (CERTIFICATE_ERROR.test(code) && !code.startsWith('ERR_SSL')) return 'tls_verify'
  return isInHandshake || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') ? 'tls' : 'connect_failed'
}

export function isOutOfDescriptors({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EMFILE' || code === 'ENFILE'
}

/** A code of the system, of Node or of OpenSSL, all of which have their own fixed lists. No text of an error is one. */
export function causeOf(error: Error | null): string | undefined {
  const code = (error as NodeJS.ErrnoException | null)?.code
  return typeof code === 'string' && isCause(code) ? code : undefined
}
