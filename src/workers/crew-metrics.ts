/** What the workers count, seen from the thread that accepts: their pages, their records, and the wish to have it all up to date. */
import type { Collected, ThreadPages } from '../metrics/collected.ts'
import type { PageMemory } from '../metrics/series.ts'
import type { Member } from './member.ts'
import { retire, SLOT, type Slot, Tally } from './tally.ts'

/** Who has not answered by then is busy, and what it has stored is good enough. */
const REFRESH_MS = 100

/** Request records that the log was given, and how many of them it left out. */
export interface Records {
  readonly written: number
  readonly dropped: number
}

export class CrewMetrics {
  /** Workers that died. */
  deaths = 0
  readonly #collected: Collected
  readonly #pages = new Map<Member, ThreadPages>()
  /** Of workers that have ended. */
  readonly #ended = new Tally()
  #lastNumber = 0
  /** Wishes that have not been answered by all. */
  readonly #asked = new Map<number, { readonly missing: Set<Member>; readonly done: () => void }>()

  /** Those that are there; the list is the crew's. */
  readonly #members: readonly Member[]

  constructor(collected: Collected, members: readonly Member[]) {
    this.#collected = collected
    this.#members = members
  }

  take(member: Member, memory: PageMemory): void {
    let pages = this.#pages.get(member)
    if (pages === undefined) this.#pages.set(member, (pages = this.#collected.join()))
    pages.take(memory)
  }

  ended(member: Member): void {
    const pages = this.#pages.get(member)
    if (pages !== undefined) this.#collected.leave(pages)
    this.#pages.delete(member)
    retire(member.tally, this.#ended)
    for (const number of [...this.#asked.keys()]) this.refreshed(member, number)
  }

  /** Of all workers, those that have ended too. */
  get records(): Records {
    const count = (slot: Slot): number =>
      this.#members.reduce((sum, { tally }) => sum + tally.get(slot), this.#ended.get(slot))
    return { written: count(SLOT.records), dropped: count(SLOT.recordsDropped) }
  }

  /** Resolves when they have stored what only counts at a look, or after REFRESH_MS. */
  refresh(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const missing = new Set(this.#members.filter(({ state }) => state === 'up' || state === 'leaving'))
    if (missing.size === 0) return Promise.resolve()
    const number = ++this.#lastNumber
    const done = (): void => {
      clearTimeout(timer)
      this.#asked.delete(number)
      resolve()
    }
    const timer = setTimeout(done, REFRESH_MS)
    this.#asked.set(number, { missing, done })
    for (const member of missing) member.refreshMetrics(number)
    return promise
  }

  forget(label: 'upstream' | 'api_key', values: readonly string[]): void {
    for (const member of this.#members) member.forgetMetrics(label, values)
  }

  refreshed(member: Member, number: number): void {
    const asked = this.#asked.get(number)
    if (asked?.missing.delete(member) && asked.missing.size === 0) asked.done()
  }
}
