/** The ledger on its own thread, from one configuration to the next: a store, its spill, its prices, and what is too old in it. */
import type { LedgerSettings } from '../config/snapshot.ts'
import { inMemoryOf, ledgerCounts, type SharedCounts } from './counts.ts'
import type { LedgerEvent, LedgerState } from './messages.ts'
import { unpack } from './packing.ts'
import { createPricing, type Pricing } from './prices/pricing.ts'
import type { Handed } from './queue.ts'
import { AT, type Row } from './row.ts'
import { openSpill, type Spill } from './spill.ts'
import { faultOf, openStore, type Store } from './store.ts'
import { LedgerWriter, type WriterClock } from './writer.ts'

export interface Keeper {
  use(state: LedgerState): void
  take(handed: Handed, answer: () => void): void
  close(withinMs: number): Promise<void>
}

const PRUNE_MS = 60_000
/** Between two steps of one round: what is to be written goes first. */
const PRUNE_STEP_MS = 20
const SPILL_RETRY_MS = 1_000
const DAY_MS = 86_400_000
/** After another store has been named, the one before gets this long for what was meant for it. */
const CHANGE_MS = 10_000

export function createKeeper(shared: SharedCounts, clock: WriterClock, tell: (event: LedgerEvent) => void): Keeper {
  const memory = inMemoryOf(shared)
  let pricing: Pricing | undefined
  let present: Keeping | undefined
  let settings: LedgerSettings | undefined
  /** One store after the other; rows that come meanwhile wait. */
  let changing: Promise<void> = Promise.resolve()
  const early: [Handed, () => void][] = []
  let isClosed = false

  // Of a thread that has died.
  ledgerCounts(shared).forgetSpill()

  async function change(next: LedgerSettings | undefined, before: LedgerSettings | undefined): Promise<void> {
    await present?.close(CHANGE_MS)
    present = undefined
    if (next?.spillPath === before?.spillPath) ledgerCounts(shared).forgetSpill()
    memory.limit(next?.queueRows ?? 0)
    if (next === undefined) return
    present = await Keeping.open(next, shared, clock, tell, () => pricing!.version)
    for (const [handed, answer] of early.splice(0)) take(handed, answer)
  }

  function take(handed: Handed, answer: () => void): void {
    if (present === undefined) {
      early.push([handed, answer])
      return
    }
    const rows = unpack(handed.rows, handed.instance, handed.sequence)
    for (const row of rows) priceOf(row)
    present.writer.take(rows, answer)
  }

  /** A bug in here may cost a row its cost: a thread that it ended would get the same row again, and end again. */
  function priceOf(row: Row): void {
    try {
      pricing!.price(row)
    } catch {
      row[AT.cost_usd] = undefined
    }
  }

  return {
    use(state) {
      const version = pricing?.version
      pricing = createPricing(
        state,
        (model, upstream) => tell({ kind: 'priceUnknown', fields: { model, upstream } }),
        pricing,
      )
      // Of the first one the store's opening tells.
      if (present !== undefined && pricing.version !== version) {
        tell({ kind: 'pricesChanged', fields: { prices: pricing.version } })
      }
      if (isClosed || isSame(state.ledger, settings)) return
      const before = settings
      settings = state.ledger
      changing = changing.then(() => change(state.ledger, before))
    },
    take,
    async close(withinMs) {
      isClosed = true
      await changing
      await present?.close(withinMs)
      memory.limit(0)
    },
  }
}

function isSame(one: LedgerSettings | undefined, other: LedgerSettings | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** One store in use. */
class Keeping {
  readonly writer: LedgerWriter
  readonly #settings: LedgerSettings
  readonly #store: Store
  readonly #clock: WriterClock
  readonly #tell: (event: LedgerEvent) => void
  readonly #cancel = new Set<() => void>()
  #isClosed = false

  static async open(
    settings: LedgerSettings,
    shared: SharedCounts,
    clock: WriterClock,
    tell: (event: LedgerEvent) => void,
    prices: () => string,
  ): Promise<Keeping> {
    const { place, url } = settings
    const store = await openStore(settings, { onRecreated: () => tell({ kind: 'ledgerRecreated', fields: { place } }) })
    tell({ kind: 'ledgerOpened', fields: { place, prices: prices() } })
    const path = settings.spillPath ?? ''
    const writer = new LedgerWriter({
      store,
      spill: undefined,
      counts: ledgerCounts(shared),
      memory: inMemoryOf(shared),
      clock,
      listener: {
        onFailing: (error, waiting) =>
          tell({ kind: 'ledgerFailing', fields: { place, error: faultOf(error, url), waiting } }),
        onRecovered: () => tell({ kind: 'ledgerRecovered', fields: { place } }),
        onSpillFailing: (error) => tell({ kind: 'spillFailing', fields: { path, error: faultOf(error, url) } }),
        onSpillFull: () => tell({ kind: 'spillFull', fields: { path } }),
      },
    })
    return new Keeping(settings, store, writer, clock, tell)
  }

  private constructor(
    settings: LedgerSettings,
    store: Store,
    writer: LedgerWriter,
    clock: WriterClock,
    tell: (event: LedgerEvent) => void,
  ) {
    this.#settings = settings
    this.#store = store
    this.writer = writer
    this.#clock = clock
    this.#tell = tell
    this.#findSpill(false)
    if (settings.retentionDays > 0) this.#pruneAfter(PRUNE_STEP_MS)
  }

  async close(withinMs: number): Promise<void> {
    this.#isClosed = true
    for (const cancel of this.#cancel) cancel()
    await this.writer.close(withinMs)
    await Promise.race([this.#store.close().catch(() => {}), this.#wait(1_000)])
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(ms, resolve))
  }

  /** A predecessor that still serves its last streams has it until it ends. */
  #findSpill(isToldOf: boolean): void {
    const { spillPath, spillMaxBytes, url } = this.#settings
    if (spillPath === undefined || this.#isClosed) return
    let spill: Spill | undefined
    let hasFailed = false
    try {
      spill = openSpill(spillPath, spillMaxBytes)
    } catch (error) {
      hasFailed = true
      if (!isToldOf) this.#tell({ kind: 'spillFailing', fields: { path: spillPath, error: faultOf(error, url) } })
    }
    if (spill === undefined) {
      this.#after(SPILL_RETRY_MS, () => this.#findSpill(isToldOf || hasFailed))
      return
    }
    const { brokenBytes } = spill.found
    if (brokenBytes > 0) this.#tell({ kind: 'spillTorn', fields: { path: spillPath, bytes: brokenBytes } })
    this.writer.useSpill(spill)
  }

  #pruneAfter(ms: number): void {
    this.#after(ms, () => void this.#prune())
  }

  async #prune(): Promise<void> {
    let isMore = false
    try {
      if (this.writer.isQuiet) isMore = await this.#store.prune(Date.now() - this.#settings.retentionDays * DAY_MS)
    } catch {
      // What keeps it from being deleted keeps rows from being written, which is told.
    }
    if (!this.#isClosed) this.#pruneAfter(isMore ? PRUNE_STEP_MS : PRUNE_MS)
  }

  #after(ms: number, run: () => void): void {
    const cancel = this.#clock.after(ms, () => {
      this.#cancel.delete(cancel)
      run()
    })
    this.#cancel.add(cancel)
  }
}
