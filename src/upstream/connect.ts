import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Address } from '../config/snapshot.ts'
import type { FailureCode } from '../failure.ts'
import type { UpstreamConnection } from '../http/upstream-connection.ts'
import { Deadline } from '../runtime/deadline.ts'
import type { Reader } from '../runtime/sockets.ts'
import type { Sessions } from './sessions.ts'
import { openStraight } from './straight.ts'
import { openTunnel, type Tunnel } from './tunnel.ts'

/** An attempt that has not come through after this long is joined by one to the next address (RFC 8305 section 5). */
const STAGGER_MS = 250
/** Before the one more attempt after every address has failed: a restarting upstream gets a moment. */
const ONCE_MORE_AFTER_MS = 50

/** Who wants a connection. Exactly one of `connected` and `failed` is called, unless it is cancelled. */
export interface Waiter<E, C = UpstreamConnection<E>> {
  /** An attempt at this address begins: see `Address.text`. */
  trying(address: string): void
  connected(connection: C): void
  /** `cause`: a code of the system, of Node or of OpenSSL, or a word of ours; never from the peer's bytes. */
  failed(failure: FailureCode, cause: string | undefined): void
}

/** What a socket reads into from its first byte on, and is given to once it is there. */
export interface Connectable extends Reader {
  attach(socket: Socket): void
}

export interface Dial<C extends Connectable> extends Waiter<unknown, C> {
  /** Name for SNI and for checking the certificate. */
  readonly serverName: string
  /** Undefined: in the clear. */
  readonly secureContext: SecureContext | undefined
  /** What the handshake offers, the preferred one first. */
  readonly alpn: readonly string[]
  readonly sessions: Sessions
  /** The addresses are a proxy's, and this is what it is asked for. */
  readonly tunnel: Tunnel | undefined
  readonly timeoutMs: number
  newConnection(address: Address): C
}

/**
 * Connects to one of several addresses, none of which sees a byte of the request: the next one as soon as one fails or dawdles,
 * and when all have failed one more attempt. Returns how to cancel.
 */
export function connectToAny<C extends Connectable>(addresses: readonly Address[], dial: Dial<C>): () => void {
  /** How to end each attempt that goes on. */
  const open = new Set<() => void>()
  let next = 0
  let hasTriedOnceMore = false
  let isOver = false
  let stagger: NodeJS.Timeout | undefined
  const deadline = new Deadline(() => end(() => dial.failed('connect_timeout', undefined)))
  deadline.arm(dial.timeoutMs)

  const end = (tell: () => void): void => {
    if (isOver) return
    isOver = true
    deadline.close()
    clearTimeout(stagger)
    for (const giveUp of open) giveUp()
    tell()
  }

  const attempt = (address: Address): void => {
    const connection = dial.newConnection(address)
    dial.trying(address.text)
    const giveUp = (dial.tunnel === undefined ? openStraight : openTunnel)(address, dial, connection, {
      // A proxy takes its time to reach the upstream, and another of its addresses would be no faster.
      reachedProxy: () => clearTimeout(stagger),
      ready(socket, rest) {
        open.delete(giveUp)
        if (isOver) return
        connection.attach(socket)
        end(() => dial.connected(connection))
        if (rest !== undefined) connection.onBytes(rest, rest.length)
      },
      failed(failure, cause, isFinal) {
        open.delete(giveUp)
        if (isOver) return
        if (isFinal) end(() => dial.failed(failure, cause))
        else tryNext(failure, cause)
      },
    })
    open.add(giveUp)
    clearTimeout(stagger)
    if (next < addresses.length) stagger = setTimeout(() => attempt(addresses[next++]!), STAGGER_MS)
  }

  const tryNext = (failure: FailureCode, cause: string | undefined): void => {
    if (next < addresses.length) attempt(addresses[next++]!)
    else if (open.size > 0) return
    else if (hasTriedOnceMore) end(() => dial.failed(failure, cause))
    else {
      hasTriedOnceMore = true
      stagger = setTimeout(() => attempt(addresses[0]!), ONCE_MORE_AFTER_MS)
    }
  }

  attempt(addresses[next++]!)
  return () => end(() => {})
}
