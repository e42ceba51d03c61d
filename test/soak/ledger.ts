import { summary } from '../faults/aftermath.ts'
import type { LoggedRecord } from '../support/gateway.ts'

interface Entry {
  /** What its record may say; undefined as long as the exchange runs. */
  allowed: readonly string[] | undefined
  /** Bytes of the bodies on the wire, where both sides have seen them whole. */
  bytes: readonly [request: number, response: number] | undefined
}

/** Every exchange with what became of it, to be held against the log; and all that was wrong. */
export class Ledger {
  readonly problems: string[] = []
  readonly counts = new Map<string, number>()
  /** Records so far. */
  recorded = 0
  readonly #entries = new Map<string, Entry>()
  /** Events that a line must stand in the log for. */
  readonly #events = new Map<string, number>()

  get size(): number {
    return this.#entries.size
  }

  problem(what: string): void {
    this.problems.push(what)
    if (this.problems.length <= 20) console.error(`PROBLEM: ${what}`)
  }

  /** An exchange begins: there must be one record with this target. */
  open(target: string): void {
    this.#entries.set(target, { allowed: undefined, bytes: undefined })
  }

  close(target: string, allowed: readonly string[], bytes?: readonly [number, number]): void {
    const entry = this.#entries.get(target)!
    entry.allowed = allowed
    entry.bytes = bytes
  }

  record(record: LoggedRecord): void {
    this.recorded++
    const seen = summary(record)
    this.counts.set(seen, (this.counts.get(seen) ?? 0) + 1)
    const entry = this.#entries.get(record.request_url)
    this.#entries.delete(record.request_url)
    if (entry === undefined) this.problem(`a record without its exchange: ${JSON.stringify(record)}`)
    else if (!entry.allowed?.includes(seen)) this.problem(`${entry.allowed} expected: ${JSON.stringify(record)}`)
    else if (entry.bytes !== undefined && `${entry.bytes}` !== `${record.request_bytes},${record.response_bytes}`)
      this.problem(`${entry.bytes} bytes expected: ${JSON.stringify(record)}`)
  }

  /** Exchanges that have ended, but not in the log. */
  settle(): void {
    for (const target of this.#entries.keys()) this.problem(`an exchange without its record: ${target}`)
    this.#entries.clear()
    for (const [message, count] of this.#events)
      if (count !== 0) this.problem(`${Math.abs(count)} × too ${count > 0 ? 'seldom' : 'often'} in the log: ${message}`)
    this.#events.clear()
  }

  expectEvent(message: string): void {
    this.#events.set(message, (this.#events.get(message) ?? 0) + 1)
  }

  event(level: string, message: string): void {
    if (level !== 'INFO') this.#events.set(message, (this.#events.get(message) ?? 0) - 1)
  }
}
