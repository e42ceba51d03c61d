/** A certificate for this machine and a few days, which nobody trusts but whoever is told to. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface ThrowAwayCertificate {
  readonly cert: string
  readonly key: string
  /** Takes its files away. */
  discard(): void
}

const DAYS = 7

/**
 * Node makes keys but no certificates, so that is left to `openssl`, which is nearly everywhere; a library for a demo alone would be
 * one more thing to trust.
 *
 * @returns where its files are, or what is wrong, for a person
 */
export function makeThrowAwayCertificate(): ThrowAwayCertificate | { readonly wrong: string } {
  // For its owner alone.
  const folder = mkdtempSync(join(tmpdir(), 'fluxgate-demo-'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const discard = (): void => rmSync(folder, { recursive: true, force: true })
  const request = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    `${DAYS}`,
  ]
  const subject = ['-subj', '/CN=fluxgate demo', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1']
  const { status, error, stderr } = spawnSync('openssl', [...request, ...subject, '-out', cert, '-keyout', key], {
    encoding: 'utf8',
  })
  if (status === 0) return { cert, key, discard }
  discard()
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    return {
      wrong: "the demo makes its certificate with openssl, which is not there; install it, or leave '--tls' out",
    }
  return {
    wrong: `openssl made no certificate: ${stderr?.trim().split('\n').at(-1) || (error?.message ?? `exit code ${status}`)}`,
  }
}
