import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { isCause } from '../cause.ts'
import type { HeldConnection } from '../http/connection-host.ts'
import { Queued } from '../http/queued.ts'
import { Deadline } from '../runtime/deadline.ts'
import { ReadBuffer } from '../runtime/read-buffers.ts'
import { type Reader, readAccepted, stopReading } from '../runtime/sockets.ts'
import { type ProxyFault, ProxyHeaderReader } from './proxy-header.ts'
import type { TlsTerms } from './tls.ts'

/** From the first moment of a connection to the end of its handshake. */
const HANDSHAKE_MS = 10_000
/** ContentType handshake (RFC 8446 section 5.1): no other first byte begins TLS, and no method begins with it. */
const TLS_HANDSHAKE = 0x16

export interface ArrivalEvents {
  /** It goes on as a connection of the protocol that the socket tells; nothing has been read. */
  secured(socket: TLSSocket): void
  /** It does not speak TLS. `first`: what it has said. */
  plain(accepted: Socket, first: Buffer): void
  /** It had to say first for whom it comes, and has not; it is closed. */
  proxyHeaderFailed(fault: ProxyFault | 'timeout'): void
  /** The handshake came to nothing; it is closed. A client that says nothing at all makes no such noise. */
  handshakeFailed(cause: string | undefined): void
  /** Our code threw; it is closed. */
  bug(error: unknown): void
  /** It is over, and none of the above will follow. Comes in any case, unless `secured` or `plain` has come to its end. */
  closed(): void
}

export interface ArrivalOptions {
  readonly terms: TlsTerms
  readonly isOverLimit: boolean
  /** Of the peer at first, then of whom a PROXY header names. */
  readonly clientIp: string | undefined
  /** A PROXY header comes first, in the clear. */
  readonly needsHeader: boolean
}

/**
 * A connection to a port that speaks TLS, until its handshake is over. It asks for nothing yet, so it counts as idle, gives way
 * at the limit and does not hold up a stop.
 *
 *     header ──PROXY header whole──▶ first ──a byte of TLS──▶ handshake ──▶ over (secured)
 *                                      └──────any other──────▶ over (plain)
 *     any ──end, error, fault, clock, close──▶ over (closed)
 */
export class Arrival extends Queued implements HeldConnection, Reader {
  readonly isOverLimit: boolean
  clientIp: string | undefined
  readonly #accepted: Socket
  readonly #terms: TlsTerms
  readonly #events: ArrivalEvents
  readonly #reads = new ReadBuffer()
  readonly #deadline: Deadline
  #header: ProxyHeaderReader | undefined
  #state: 'header' | 'first' | 'handshake' | 'over'
  readonly #onEnd = (): void => this.close()

  constructor(accepted: Socket, { terms, isOverLimit, clientIp, needsHeader }: ArrivalOptions, events: ArrivalEvents) {
    super()
    this.#accepted = accepted
    this.#terms = terms
    this.#events = events
    this.isOverLimit = isOverLimit
    this.clientIp = clientIp
    this.#header = needsHeader ? new ProxyHeaderReader() : undefined
    this.#state = needsHeader ? 'header' : 'first'
    this.#deadline = new Deadline(() => this.#expired())
    this.#deadline.arm(HANDSHAKE_MS)
  }

  begin(): void {
    const accepted = this.#accepted
    accepted.on('error', this.#onEnd)
    accepted.once('end', this.#onEnd)
    accepted.once('close', this.#onEnd)
    readAccepted(accepted, this)
  }

  nextReadBuffer(): Buffer {
    return this.#reads.next()
  }

  onBytes(buffer: Buffer, length: number): boolean {
    try {
      return this.#take(buffer, length)
    } catch (error) {
      this.#endAfterBug(error)
      return false
    }
  }

  #take(buffer: Buffer, length: number): boolean {
    const at = this.#state === 'header' ? this.#readHeader(buffer, length) : 0
    if (this.#state !== 'first') return this.#state === 'header'
    if (at === length) return true
    const first = Buffer.from(buffer.subarray(at, length))
    stopReading(this.#accepted)
    this.#state = 'handshake'
    // Its reading has to return before somebody else reads from it.
    process.nextTick(() => this.#goOn(first))
    return false
  }

  /** Returns where the header ends, if it is whole. */
  #readHeader(buffer: Buffer, length: number): number {
    const header = this.#header!
    const at = header.read(buffer, 0, length)
    const { state } = header
    if (state === 'whole') {
      this.#state = 'first'
      if (header.namesClient) this.clientIp = header.clientIp
      return at
    }
    if (state !== 'incomplete') this.#fail(() => this.#events.proxyHeaderFailed(state))
    return length
  }

  #goOn(first: Buffer): void {
    if (this.#state !== 'handshake') return
    try {
      if (first[0] === TLS_HANDSHAKE) this.#shakeHands(first)
      else {
        this.#leave()
        this.#events.plain(this.#accepted, first)
      }
    } catch (error) {
      this.#endAfterBug(error)
    }
  }

  #shakeHands(first: Buffer): void {
    this.#accepted.off('end', this.#onEnd)
    this.#terms.shakeHands(this.#accepted, first, {
      secured: (socket) => {
        if (this.#state !== 'handshake') {
          socket.destroy()
          return
        }
        this.#leave()
        try {
          this.#events.secured(socket)
        } catch (error) {
          socket.destroy()
          this.#endAfterBug(error)
        }
      },
      failed: (cause) => {
        this.#fail(() => this.#events.handshakeFailed(cause !== undefined && isCause(cause) ? cause : undefined))
      },
    })
  }

  /** Whoever connects and says nothing goes without a word, as balancers do that only look whether the port is open. */
  #expired(): void {
    if (this.#state === 'header' && this.#header!.hasBegun) this.#fail(() => this.#events.proxyHeaderFailed('timeout'))
    else if (this.#state === 'handshake') this.#fail(() => this.#events.handshakeFailed('timeout'))
    else this.close()
  }

  #fail(tell: () => void): void {
    if (this.#state === 'over') return
    tell()
    this.close()
  }

  /** Whoever it was to become has perhaps not come to be. */
  #endAfterBug(error: unknown): void {
    this.#leave()
    this.#accepted.destroy()
    this.#events.bug(error)
    this.#events.closed()
  }

  close(): void {
    if (this.#state === 'over') return
    this.#leave()
    this.#accepted.destroy()
    this.#events.closed()
  }

  /** From here on its socket is somebody else's, or nobody's. */
  #leave(): void {
    this.#state = 'over'
    this.#deadline.close()
    const accepted = this.#accepted
    accepted.off('error', this.#onEnd)
    accepted.off('end', this.#onEnd)
    accepted.off('close', this.#onEnd)
    accepted.on('error', ignore)
  }
}

/** What comes of it is told by the socket on top of it, or matters to nobody any more. */
function ignore(): void {}
