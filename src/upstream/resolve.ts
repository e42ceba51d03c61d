import dns from 'node:dns'
import { isIP } from 'node:net'
import { monotonicMs } from '../runtime/clock.ts'
import { causeOf } from './cause.ts'

/** getaddrinfo tells no time to live; an answer is good for this long. A new connection after that looks again. */
const FRESH_MS = 1_000

/** How long a look-up may take where the last answer is still known. A name server that says nothing costs no more than this, once. */
const PATIENCE_MS = 500

export type Lookup = (host: string, answer: (error: Error | null, addresses: string[]) => void) => void

/** `cause`: why there are none, if a look-up has said so. */
type Use = (addresses: readonly string[], cause: string | undefined) => void

/** The system's resolver: /etc/hosts, nsswitch and search domains as everything else on the machine sees them. */
const systemLookup: Lookup = (host, answer) => {
  dns.lookup(host, { all: true }, (error, found) => {
    answer(error, error === null ? found.map((entry) => entry.address) : [])
  })
}

/**
 * The addresses of one host name: looked up when a connection is made, one look-up at a time (a slow resolver must not take
 * up the thread pool), and with the last good answer kept for when the resolver fails, or says nothing.
 */
export class Resolver {
  readonly #host: string
  readonly #lookup: Lookup
  readonly #onAnswer: () => void
  #addresses: readonly string[] = []
  #freshUntil = 0
  #isLookingUp = false
  readonly #waiting = new Set<Use>()
  #patience: NodeJS.Timeout | undefined = undefined
  /** The look-up that runs has taken too long; nobody waits for it any more. */
  #isLate = false

  /** `onAnswer`: a look-up has found addresses, perhaps others than before. */
  constructor(host: string, lookup: Lookup = systemLookup, onAnswer: () => void = () => {}) {
    this.#host = host
    this.#lookup = lookup
    this.#onAnswer = onAnswer
    if (isIP(host) !== 0) {
      this.#addresses = [host]
      this.#freshUntil = Number.POSITIVE_INFINITY
    }
  }

  /** Whether the name is known to have moved away from an address. */
  isGone(address: string): boolean {
    return this.#addresses.length > 0 && !this.#addresses.includes(address)
  }

  /**
   * Calls back with the addresses, at once where they are known; none: the name cannot be resolved. Returns how to give up: a
   * name server may take its time, and holds nothing of those who have not waited for it.
   */
  resolve(use: Use): () => void {
    if (this.#isLate || this.#freshUntil === Number.POSITIVE_INFINITY || monotonicMs() < this.#freshUntil) {
      use(this.#addresses, undefined)
      return () => {}
    }
    // Of its own, so that whoever asks twice waits twice.
    const waiter: Use = (addresses, cause) => use(addresses, cause)
    this.#waiting.add(waiter)
    if (!this.#isLookingUp) this.#lookUp()
    if (this.#addresses.length > 0 && this.#waiting.size > 0) {
      this.#patience ??= setTimeout(() => this.#goOn(), PATIENCE_MS).unref()
    }
    return () => this.#waiting.delete(waiter)
  }

  #goOn(): void {
    this.#patience = undefined
    this.#isLate = true
    this.#tell(undefined)
  }

  #tell(cause: string | undefined): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const tell of waiting) tell(this.#addresses, cause)
  }

  /** Looks whether the name has moved, while nobody waits for it. A failure changes nothing. */
  lookAgain(): void {
    if (this.#freshUntil !== Number.POSITIVE_INFINITY && !this.#isLookingUp) this.#lookUp()
  }

  #lookUp(): void {
    this.#isLookingUp = true
    this.#lookup(this.#host, (error, addresses) => {
      this.#isLookingUp = false
      this.#isLate = false
      clearTimeout(this.#patience)
      this.#patience = undefined
      if (error === null && addresses.length > 0) {
        this.#addresses = addresses
        this.#freshUntil = monotonicMs() + FRESH_MS
        this.#onAnswer()
      }
      this.#tell(causeOf(error))
    })
  }
}
