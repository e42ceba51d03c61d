import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { FailureCode } from '../failure.ts'
import type { ClientConnection } from '../http1/client-connection.ts'
import { Deadline } from '../runtime/deadline.ts'
import { connectTcp, connectTls } from '../runtime/sockets.ts'

/** An attempt that has not come through after this long is joined by one to the next address (RFC 8305 section 5). */
const STAGGER_MS = 250
/** Before the one more attempt after every address has failed: a restarting upstream gets a moment. */
const ONCE_MORE_AFTER_MS = 50

export interface Dial<E> {
  readonly port: number
  /** Name for SNI and for checking the certificate. */
  readonly serverName: string
  /** Undefined: in the clear. */
  readonly secureContext: SecureContext | undefined
  readonly timeoutMs: number
  newConnection(address: string): ClientConnection<E>
  /** Exactly one of these is called, unless the dial is cancelled. */
  connected(connection: ClientConnection<E>): void
  failed(failure: FailureCode): void
}

/**
 * Connects to one of several addresses, none of which sees a byte of the request: the next one as soon as one fails or dawdles,
 * and when all have failed one more attempt. Returns how to cancel.
 */
export function connectToAny<E>(addresses: readonly string[], dial: Dial<E>): () => void {
  const open = new Set<Socket>()
  let next = 0
  let hasTriedOnceMore = false
  let isOver = false
  let stagger: NodeJS.Timeout | undefined
  const deadline = new Deadline(() => end(() => dial.failed('connect_timeout')))
  deadline.arm(dial.timeoutMs)

  const end = (tell: () => void): void => {
    if (isOver) return
    isOver = true
    deadline.close()
    clearTimeout(stagger)
    for (const socket of open) socket.destroy()
    tell()
  }

  const attempt = (address: string): void => {
    const connection = dial.newConnection(address)
    const socket = openSocket(address, dial, connection)
    let failure: FailureCode = 'connect_failed'
    let isInHandshake = false
    open.add(socket)
    const onError = (error: NodeJS.ErrnoException): void => {
      failure = classify(error, isInHandshake)
    }
    const onClose = (): void => {
      open.delete(socket)
      if (!isOver) tryNext(failure)
    }
    if (dial.secureContext !== undefined) {
      socket.once('connect', () => {
        isInHandshake = true
        failure = 'tls'
      })
    }
    socket.on('error', onError)
    socket.once('close', onClose)
    socket.once(dial.secureContext === undefined ? 'connect' : 'secureConnect', () => {
      open.delete(socket)
      if (isOver) return
      connection.attach(socket)
      socket.off('error', onError)
      socket.off('close', onClose)
      end(() => dial.connected(connection))
    })
    clearTimeout(stagger)
    if (next < addresses.length) stagger = setTimeout(() => attempt(addresses[next++]!), STAGGER_MS)
  }

  const tryNext = (failure: FailureCode): void => {
    if (next < addresses.length) attempt(addresses[next++]!)
    else if (open.size > 0) return
    else if (hasTriedOnceMore) end(() => dial.failed(failure))
    else {
      hasTriedOnceMore = true
      stagger = setTimeout(() => attempt(addresses[0]!), ONCE_MORE_AFTER_MS)
    }
  }

  attempt(addresses[next++]!)
  return () => end(() => {})
}

function openSocket<E>(address: string, dial: Dial<E>, connection: ClientConnection<E>): Socket {
  if (dial.secureContext === undefined) return connectTcp(address, dial.port, connection)
  return connectTls(address, dial.port, dial.serverName, dial.secureContext, connection)
}

/** OpenSSL's and Node's codes for a certificate that does not hold. */
const CERTIFICATE_ERROR = /CERT|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|CRL/

function classify(error: NodeJS.ErrnoException, isInHandshake: boolean): FailureCode {
  const code = error.code ?? ''
  if (code === 'ECONNREFUSED') return 'connect_refused'
  if (code === 'EMFILE' || code === 'ENFILE') return 'emfile'
  if (CERTIFICATE_ERROR.test(code)) return 'tls_verify'
  return isInHandshake || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') ? 'tls' : 'connect_failed'
}
