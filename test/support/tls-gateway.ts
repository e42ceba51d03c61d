/** A gateway that speaks TLS to its clients, and clients that speak it. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { CA, NAMED_CERTIFICATE, NAMED_KEY, SERVER_CERTIFICATE, SERVER_KEY } from './certificates.ts'
import { within } from './deadline.ts'
import { type ClientOptions, RawClient } from './raw-client.ts'

const PEMS: Readonly<Record<string, string>> = {
  'cert.pem': SERVER_CERTIFICATE,
  'key.pem': SERVER_KEY,
  'named.pem': NAMED_CERTIFICATE,
  'named-key.pem': NAMED_KEY,
  'ca.pem': CA,
}

/** A folder of PEM files, which goes with the test. */
export class PemFolder implements Disposable {
  readonly path: string = mkdtempSync(path.join(tmpdir(), 'fluxgate-pem-'))

  constructor(files: Readonly<Record<string, string>> = PEMS) {
    for (const [name, pem] of Object.entries(files)) this.write(name, pem)
  }

  file(name: string): string {
    return path.join(this.path, name)
  }

  /** In one step, as those who renew certificates do. */
  write(name: string, pem: string): void {
    writeFileSync(this.file('new'), pem)
    renameSync(this.file('new'), this.file(name))
  }

  /** `server.tls` with the pair for 127.0.0.1. */
  get pair(): { readonly cert: string; readonly key: string } {
    return { cert: this.file('cert.pem'), key: this.file('key.pem') }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

export interface Secured {
  readonly client: RawClient
  readonly socket: tls.TLSSocket
  /** Of the certificate that the gateway has shown. */
  readonly commonName: string
}

/** A client that has come to terms with the gateway, or the error that its handshake ended with. */
export async function connectTls(
  port: number,
  options: tls.ConnectionOptions & Omit<ClientOptions, 'host'> = {},
): Promise<Secured & Disposable> {
  const { methods, paused, keepBytes, ...rest } = options
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    ca: CA,
    allowHalfOpen: true,
    noDelay: true,
    ...rest,
  } as tls.ConnectionOptions)
  await within(
    new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    }),
    'a TLS handshake',
  )
  const client = new RawClient(socket, {
    ...(methods && { methods }),
    ...(paused && { paused }),
    ...(keepBytes && { keepBytes }),
  })
  const commonName = String(socket.getPeerCertificate().subject?.CN)
  return { client, socket, commonName, [Symbol.dispose]: () => client[Symbol.dispose]() }
}
