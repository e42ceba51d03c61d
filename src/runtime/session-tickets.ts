/**
 * Keys of TLS session tickets (RFC 5077, RFC 8446 section 4.6.1) that are derived from one secret and the day: whoever has the same
 * secret opens what any other has sealed, and nothing needs to be shared or kept. As with `sockets.ts`, Node does not document what
 * is used of it here.
 */
import { hkdfSync, randomFillSync } from 'node:crypto'
import type { SecureContext } from 'node:tls'

/** HMAC-SHA256 and AES-128-CBC, as OpenSSL asks for them, 16 bytes each, and the name by which the pair is found again. */
export interface TicketKey {
  readonly name: Buffer
  readonly hmac: Buffer
  readonly aes: Buffer
}

const PART_BYTES = 16
const DAY_MS = 86_400_000
/** What OpenSSL is told by `tlsext_ticket_key_evp_cb`. */
const ANSWER = { failed: -1, unknown: 0, good: 1, renew: 2 } as const
const NO_KEY = Buffer.alloc(PART_BYTES)

export class TicketKeys {
  readonly #secret: Uint8Array
  readonly #now: () => number
  #day = Number.NaN
  /** So many tickets are given before one is left out; below 0: all are. */
  #untilOmitted = -1
  /** Of the day, of the one before, and of the next, which another machine's clock may have reached. */
  #keys: readonly TicketKey[] = []

  constructor(secret: Uint8Array, now: () => number = Date.now) {
    this.#secret = secret
    this.#now = now
  }

  /** What tickets are sealed with now. */
  present(): TicketKey {
    const day = Math.floor(this.#now() / DAY_MS)
    if (day !== this.#day) {
      this.#keys = [day, day - 1, day + 1].map((each) => this.#derive(each))
      this.#day = day
    }
    return this.#keys[0]!
  }

  /**
   * After a whole handshake of TLS 1.3 OpenSSL gives two tickets, right behind the event that tells of its end. Whoever uses one gets
   * another, so the second is left out, which saves a tenth of the handshake (measured).
   */
  leaveOutSecond(): void {
    this.#untilOmitted = 1
  }

  /**
   * The same for the one ticket behind a resumed handshake: OpenSSL dates it anew, so whoever always used the latest would never again
   * make a whole handshake.
   */
  leaveOutNext(): void {
    this.#untilOmitted = 0
  }

  /** Whether the ticket that is to be sealed now is given at all. */
  isGiven(): boolean {
    return this.#untilOmitted < 0 || this.#untilOmitted-- > 0
  }

  /** What a ticket with this name was sealed with; undefined: it is too old, or of somebody else. */
  find(name: Uint8Array): TicketKey | undefined {
    this.present()
    return this.#keys.find((key) => key.name.equals(name))
  }

  #derive(day: number): TicketKey {
    const bytes = Buffer.from(hkdfSync('sha256', this.#secret, '', `day ${day}`, 3 * PART_BYTES))
    return {
      name: bytes.subarray(0, PART_BYTES),
      hmac: bytes.subarray(PART_BYTES, 2 * PART_BYTES),
      aes: bytes.subarray(2 * PART_BYTES),
    }
  }
}

/** Random bytes come cheaper by the hundred; OpenSSL takes a copy of what it is given. */
const vectors = Buffer.alloc(64 * PART_BYTES)
let usedBytes = vectors.length

function nextVector(): Buffer {
  if (usedBytes === vectors.length) {
    randomFillSync(vectors)
    usedBytes = 0
  }
  usedBytes += PART_BYTES
  return vectors.subarray(usedBytes - PART_BYTES, usedBytes)
}

interface NativeContext {
  enableTicketKeyCallback?: () => void
  onticketkeycallback?: (name: Buffer, iv: Buffer, seals: boolean) => readonly [answer: number, ...parts: Buffer[]]
  setTicketKeys(keys: Buffer): void
}

/** Where Node has no such hook, all tickets are sealed with the key of now, for as long as the context lives. */
export function useTicketKeys({ context }: SecureContext, keys: TicketKeys): void {
  const native = context as NativeContext
  if (typeof native.enableTicketKeyCallback !== 'function') {
    const { name, hmac, aes } = keys.present()
    native.setTicketKeys(Buffer.concat([name, hmac, aes]))
    return
  }
  native.onticketkeycallback = (name, _iv, seals) => {
    // An exception in here would end the process.
    try {
      if (seals && !keys.isGiven()) return [ANSWER.unknown, NO_KEY, NO_KEY, NO_KEY, NO_KEY]
      const key = seals ? keys.present() : keys.find(name)
      if (key === undefined) return [ANSWER.unknown, NO_KEY, NO_KEY]
      if (seals) return [ANSWER.good, key.hmac, key.aes, key.name, nextVector()]
      // A ticket is for one use (RFC 8446 appendix C.4), so whoever has used one gets another.
      return [ANSWER.renew, key.hmac, key.aes]
    } catch {
      return [ANSWER.failed, NO_KEY, NO_KEY, NO_KEY, NO_KEY]
    }
  }
  native.enableTicketKeyCallback()
}
