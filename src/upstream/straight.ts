import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { FailureCode } from '../failure.ts'
import { connectTcp, connectTls, type Peer, type Reader } from '../runtime/sockets.ts'
import { causeOf, classify } from './cause.ts'
import type { Sessions } from './sessions.ts'

/** What becomes of one attempt: nothing more is told after `ready` or `failed`. */
export interface AttemptEvents {
  /** Only of a proxy: it has been connected to. */
  reachedProxy(): void
  /** The socket reads into the reader. `rest`: what a tunnel has brought already. */
  ready(socket: Socket, rest: Buffer | undefined): void
  /** `isFinal`: trying again would change nothing. */
  failed(failure: FailureCode, cause: string | undefined, isFinal: boolean): void
}

/** Undefined context: in the clear. */
export interface Security {
  readonly serverName: string
  readonly secureContext: SecureContext | undefined
  readonly alpn: readonly string[]
  readonly sessions: Sessions
}

/** One attempt to connect, with TLS if there is a context for it. Returns how to give it up. */
export function openStraight(peer: Peer, security: Security, reader: Reader, events: AttemptEvents): () => void {
  const { serverName, secureContext, alpn, sessions } = security
  if (secureContext === undefined) return awaitReady(connectTcp(peer, reader), 'connect', false, events)
  const socket = connectTls(peer, serverName, secureContext, alpn, reader, sessions)
  return awaitReady(socket, 'secureConnect', false, forgetting(sessions, events))
}

/** The next attempt is made without a session, in case that it was to blame. */
export function forgetting(sessions: Sessions, events: AttemptEvents): AttemptEvents {
  return {
    ...events,
    failed(failure, cause, isFinal) {
      if (failure === 'tls') sessions.forget()
      events.failed(failure, cause, isFinal)
    },
  }
}

/** Waits until a socket is there, with TLS if that is the event. `isConnected`: its handshake begins now. */
export function awaitReady(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  isConnected: boolean,
  events: AttemptEvents,
): () => void {
  let isInHandshake = isConnected
  let failure: FailureCode = isConnected ? 'tls' : 'connect_failed'
  let cause: string | undefined
  const onError = (error: NodeJS.ErrnoException): void => {
    failure = classify(error, isInHandshake)
    cause = causeOf(error)
  }
  const onClose = (): void => events.failed(failure, cause, false)
  if (event === 'secureConnect' && !isConnected) {
    socket.once('connect', () => {
      isInHandshake = true
      failure = 'tls'
    })
  }
  socket.on('error', onError)
  socket.once('close', onClose)
  socket.once(event, () => {
    events.ready(socket, undefined)
    socket.off('error', onError)
    socket.off('close', onClose)
  })
  return () => socket.destroy()
}
