import { Deadline } from '../runtime/deadline.ts'
import type { Reader } from '../runtime/sockets.ts'
import { type ProxyFault, ProxyHeaderReader } from './proxy-header.ts'

/** A client's connection, as far as the gate before it goes. */
export interface Guarded extends Reader {
  clientIp: string | undefined
  close(): void
}

export interface GateEvents {
  /** The peer had to send a header and has not: `timeout` if it has begun one. The connection has been closed without an answer. */
  failed(fault: ProxyFault | 'timeout'): void
  /** Our code threw. */
  bug(error: unknown): void
}

/**
 * Stands before a connection whose peer must send a PROXY header first: reads that, tells the connection who its client is, and
 * hands on all the rest. Nothing is ever answered here: the peer is a balancer, and would give the answer to a client.
 */
export class ProxyGate implements Reader {
  readonly #connection: Guarded
  readonly #events: GateEvents
  readonly #deadline: Deadline
  /** Until the header is whole. */
  #header: ProxyHeaderReader | undefined = new ProxyHeaderReader()

  /** `timeoutMs`: from now to the last byte of the header. */
  constructor(connection: Guarded, timeoutMs: number, events: GateEvents) {
    this.#connection = connection
    this.#events = events
    this.#deadline = new Deadline(() => this.#expired())
    this.#deadline.arm(timeoutMs)
  }

  nextReadBuffer(): Buffer {
    return this.#connection.nextReadBuffer()
  }

  onBytes(buffer: Buffer, length: number): boolean {
    if (this.#header === undefined) return this.#connection.onBytes(buffer, length)
    const at = this.#readHeader(this.#header, buffer, length)
    if (at === length) return true
    // To the start, where a connection expects what it is given.
    buffer.copyWithin(0, at, length)
    return this.#connection.onBytes(buffer, length - at)
  }

  /** Returns where that of the connection begins: at the end, if there is nothing for it. */
  #readHeader(header: ProxyHeaderReader, buffer: Buffer, length: number): number {
    try {
      const at = header.read(buffer, 0, length)
      if (header.state === 'incomplete') return length
      this.close()
      if (header.state !== 'whole') {
        this.#fail(header.state)
        return length
      }
      this.#header = undefined
      if (header.namesClient) this.#connection.clientIp = header.clientIp
      return at
    } catch (error) {
      this.#events.bug(error)
      this.#connection.close()
      return length
    }
  }

  #fail(fault: ProxyFault | 'timeout'): void {
    this.#events.failed(fault)
    this.#connection.close()
  }

  /** Whoever connects and says nothing is an idle client like any other: it goes without a word. */
  #expired(): void {
    if (this.#header?.hasBegun) this.#fail('timeout')
    else this.#connection.close()
  }

  /** The connection has ended, or needs no clock of ours any more. */
  close(): void {
    this.#deadline.close()
  }
}
