/** TLS of one thread towards clients: what a handshake needs of `server.tls`, and how one ends. */
import type { Socket } from 'node:net'
import type tls from 'node:tls'
import type { ServerCertificate, ServerTls } from '../config/snapshot.ts'
import { TicketKeys, useTicketKeys } from '../runtime/session-tickets.ts'
import { acceptedUnder, enterServerTls, loadTls } from '../runtime/sockets.ts'
import { ALPN_PROTOCOLS } from './protocol.ts'

/** A session is resumed for so long; then a handshake looks at everything again, a client's certificate as well. */
const SESSION_SECONDS = 7_200
/** Node's own clock runs anew with every byte; ours does not (`Arrival`). */
const NODES_HANDSHAKE_TIMEOUT_MS = 120_000

export interface HandshakeEvents {
  /** Nothing has been read. The client's certificate, if one is asked for, has been checked. */
  secured(socket: tls.TLSSocket): void
  /** The connection is closed, or about to be. */
  failed(cause: string | undefined): void
}

type TellContext = (error: Error | null, context?: tls.SecureContext) => void

/** For handshakes that begin while these settings are in force. */
export class TlsTerms {
  readonly settings: ServerTls
  readonly #server: tls.Server
  readonly #tickets: TicketKeys
  readonly #now: () => number
  /** By the connections under them. */
  readonly #handshakes = new WeakMap<Socket, HandshakeEvents>()
  readonly #exact = new Map<string, ServerCertificate>()
  /** By what follows the `*.`. */
  readonly #wild = new Map<string, ServerCertificate>()
  /** Of certificates that have been asked for: each costs a millisecond, and there may be hundreds. */
  readonly #contexts = new Map<ServerCertificate, tls.SecureContext>()

  constructor(settings: ServerTls, now: () => number = Date.now) {
    this.settings = settings
    this.#now = now
    this.#tickets = new TicketKeys(Buffer.from(settings.ticketSecret, 'base64'))
    for (const certificate of settings.certificates) this.#index(certificate)
    const [first, ...others] = settings.certificates
    this.#server = loadTls().createServer({
      ca: [],
      ALPNProtocols: ALPN_PROTOCOLS,
      handshakeTimeout: NODES_HANDSHAKE_TIMEOUT_MS,
      requestCert: settings.ca !== undefined,
      rejectUnauthorized: settings.ca !== undefined,
      ...(others.length > 0 && { SNICallback: (name: string, tell: TellContext) => this.#tellContext(name, tell) }),
    })
    // Its own would lack what a server takes no option for: `allowPartialTrustChain`.
    Object.assign(this.#server, { _sharedCreds: this.#contextOf(first!) })
    this.#server.on('secureConnection', (socket) => this.#secured(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
  }

  /** Of a connection of which `first` has been read; see `enterServerTls`. */
  shakeHands(accepted: Socket, first: Buffer, events: HandshakeEvents): void {
    this.#handshakes.set(accepted, events)
    enterServerTls(accepted, first, this.#server)
  }

  #eventsOf(socket: tls.TLSSocket): HandshakeEvents | undefined {
    const accepted = acceptedUnder(socket)
    const events = accepted && this.#handshakes.get(accepted)
    if (accepted !== undefined) this.#handshakes.delete(accepted)
    return events
  }

  #secured(socket: tls.TLSSocket): void {
    // TLS 1.2 alone has it, and nobody who asks for a completion needs it.
    socket.disableRenegotiation()
    const isResumed = socket.isSessionReused()
    const checksClients = this.settings.ca !== undefined
    if (socket.getProtocol() === 'TLSv1.3') {
      if (!isResumed) this.#tickets.leaveOutSecond()
      else if (checksClients) this.#tickets.leaveOutNext()
    }
    const events = this.#eventsOf(socket)
    const hasExpired = checksClients && isResumed && this.#hasExpired(socket)
    if (events === undefined || hasExpired) {
      // First this one: OpenSSL is in the middle of its handshake, and would be freed at once if the socket below it were gone.
      socket.destroy()
      events?.failed('CERT_HAS_EXPIRED')
    } else events.secured(socket)
  }

  /** Of the client's certificate. A session that is resumed says that it was good when the session began. */
  #hasExpired(socket: tls.TLSSocket): boolean {
    return !(Date.parse(socket.getPeerX509Certificate()?.validTo ?? '') > this.#now())
  }

  #failed(error: NodeJS.ErrnoException, socket: tls.TLSSocket): void {
    const refusal = socket.authorizationError as unknown
    this.#eventsOf(socket)?.failed(typeof refusal === 'string' ? refusal : error.code)
    socket.destroy()
  }

  #index(certificate: ServerCertificate): void {
    for (const name of certificate.names) {
      const [map, key] = name.startsWith('*.') ? [this.#wild, name.slice(2)] : [this.#exact, name]
      if (!map.has(key)) map.set(key, certificate)
    }
  }

  /** A wildcard stands for one label (RFC 9525 section 6.3). */
  #certificateFor(name: string): ServerCertificate | undefined {
    const asked = name.toLowerCase()
    const dot = asked.indexOf('.')
    return this.#exact.get(asked) ?? (dot > 0 ? this.#wild.get(asked.slice(dot + 1)) : undefined)
  }

  /** Undefined: that of the first one. */
  #tellContext(name: string, tell: TellContext): void {
    let context: tls.SecureContext | undefined
    try {
      const certificate = this.#certificateFor(name)
      if (certificate !== undefined && certificate !== this.settings.certificates[0])
        context = this.#contextOf(certificate)
    } catch (error) {
      tell(error as Error)
      return
    }
    tell(null, context)
  }

  #contextOf(certificate: ServerCertificate): tls.SecureContext {
    const known = this.#contexts.get(certificate)
    if (known !== undefined) return known
    const context = loadTls().createSecureContext(contextOptions(certificate, this.settings))
    useTicketKeys(context, this.#tickets)
    this.#contexts.set(certificate, context)
    return context
  }
}

/** The most of a subject that is kept: who signs it may put anything into it. */
const MAX_SUBJECT_LENGTH = 256

/** Of the client's certificate, as RFC 4514 writes it; undefined if it has none. */
export function subjectOf(socket: tls.TLSSocket): string | undefined {
  // Node escapes as RFC 4514 does, but writes a line for each part, the widest first.
  const subject = socket.getPeerX509Certificate()?.subject?.split('\n').reverse().join(',')
  return subject !== undefined && subject.length > MAX_SUBJECT_LENGTH
    ? `${subject.slice(0, MAX_SUBJECT_LENGTH)}…`
    : subject
}

/** What is there already, if it was made of the same files. */
export function termsOf(settings: ServerTls, present: TlsTerms | undefined): TlsTerms {
  return settings.digest === present?.settings.digest ? present : new TlsTerms(settings)
}

/** With every certificate the same are asked of a client: without `ca`, Node would trust the machine's roots for one of them. */
function contextOptions({ cert, key }: ServerCertificate, { ca, minVersion }: ServerTls): tls.SecureContextOptions {
  return {
    cert,
    key,
    minVersion,
    // None: the roots of the machine would be read for nothing.
    ca: ca === undefined ? [] : ca.pem,
    // Whoever is named is trusted, also an authority below the root.
    allowPartialTrustChain: true,
    honorCipherOrder: true,
    sessionIdContext: 'fluxgate',
    sessionTimeout: SESSION_SECONDS,
  }
}
