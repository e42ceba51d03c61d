/** The ledger on its own thread, from one configuration to the next: a store, its spill, and what is too old in it. */
import type { LedgerSettings } from '../config/snapshot.ts'
import { publicPrices } from '../prices/table.ts'
import { inMemoryOf, type LedgerCounts, ledgerCounts, type SharedCounts } from './counts.ts'
import type { LedgerEvent, LedgerState } from './messages.ts'
import { unpack } from './packing.ts'
import type { Handed } from './queue.ts'
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
/** Until it is looked again whether the writer has a moment: where it rarely has, rows come faster than a round a minute deletes. */
const PRUNE_BUSY_MS = 1_000
const SPILL_RETRY_MS = 1_000
const DAY_MS = 86_400_000
/** After another store has been named, the one before gets this long for what was meant for it. */
const CHANGE_MS = 5_000
/** Until every queue has handed over what it took while there was a ledger. */
const LAST_ROWS_MS = 250

export function createKeeper(shared: SharedCounts, clock: WriterClock, tell: (event: LedgerEvent) => void): Keeper {
  const memory = inMemoryOf(shared)
  /** The version of the public prices. */
  let prices = ''
  let present: Keeping | undefined
  let settings: LedgerSettings | undefined
  /** One store after the other; rows that come meanwhile wait. */
  let changing: Promise<void> = Promise.resolve()
  const early: [Handed, () => void][] = []
  let isClosed = false
  /** How many rows of each file are counted as spilled: a reload may leave one, and another come back to it. */
  const spilledIn = new Map<string, number>()

  // Of a thread that has died.
  ledgerCounts(shared).forgetSpill()

  async function change(next: LedgerSettings | undefined): Promise<void> {
    if (next === undefined) {
      memory.limit(0)
      await new Promise<void>((resolve) => void clock.after(LAST_ROWS_MS, resolve))
    }
    // What comes from here on is for the next one: a writer that is closed would keep it for ever.
    const last = present
    present = undefined
    await last?.close(CHANGE_MS)
    if (next === undefined) return
    memory.limit(next.queueRows)
    present = Keeping.open(next, shared, spilledIn, clock, tell, () => prices)
    for (const [handed, answer] of early.splice(0)) take(handed, answer)
  }

  function take(handed: Handed, answer: () => void): void {
    if (present === undefined) {
      early.push([handed, answer])
      return
    }
    present.writer.take(unpack(handed.rows, handed.instance, handed.sequence), answer)
  }

  return {
    use(state) {
      const { version } = publicPrices(state.priceTable)
      // Of the first one the store's opening tells.
      if (present !== undefined && version !== prices) tell({ kind: 'pricesChanged', fields: { prices: version } })
      prices = version
      if (isClosed || isSame(state.ledger, settings)) return
      settings = state.ledger
      changing = changing.then(() => change(state.ledger))
    },
    take,
    async close(withinMs) {
      isClosed = true
      const end = clock.now() + withinMs
      await changing
      // Late as it may be: what is not written goes into the spill, while there is somebody to do it.
      await present?.close(Math.max(0, end - clock.now()))
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
  /** Takes the rows of the spill out of the counts: they are about to be found in it. */
  readonly #forgetSpilled: () => void
  readonly #cancel = new Set<() => void>()
  #isClosed = false

  static open(
    settings: LedgerSettings,
    shared: SharedCounts,
    spilledIn: Map<string, number>,
    clock: WriterClock,
    tell: (event: LedgerEvent) => void,
    prices: () => string,
  ): Keeping {
    const { place, url } = settings
    const store = openStore(settings, { onRecreated: () => tell({ kind: 'ledgerRecreated', fields: { place } }) })
    tell({ kind: 'ledgerOpened', fields: { place, prices: prices() } })
    const path = settings.spillPath ?? ''
    const all = ledgerCounts(shared)
    const counts: LedgerCounts = {
      ...all,
      spilled(rows) {
        all.spilled(rows)
        spilledIn.set(path, (spilledIn.get(path) ?? 0) + rows)
      },
    }
    const writer = new LedgerWriter({
      store,
      spill: undefined,
      counts,
      memory: inMemoryOf(shared),
      clock,
      listener: {
        onFailing: (error, waiting) =>
          tell({ kind: 'ledgerFailing', fields: { place, error: faultOf(error, url), waiting } }),
        onRecovered: () => tell({ kind: 'ledgerRecovered', fields: { place } }),
        onRefused: (error, rows) =>
          tell({ kind: 'ledgerRefuses', fields: { place, error: faultOf(error, url), rows } }),
        onSpillFailing: (error) => tell({ kind: 'spillFailing', fields: { path, error: faultOf(error, url) } }),
        onSpillFull: () => tell({ kind: 'spillFull', fields: { path } }),
        onSpillTouched: ({ lost, isNew }) =>
          tell({ kind: isNew ? 'spillRecreated' : 'spillLost', fields: { path, lost } }),
      },
    })
    const forgetSpilled = (): void => {
      const known = spilledIn.get(path) ?? 0
      counts.found(-known)
      counts.spilled(-known)
    }
    return new Keeping(settings, store, writer, clock, tell, forgetSpilled)
  }

  private constructor(
    settings: LedgerSettings,
    store: Store,
    writer: LedgerWriter,
    clock: WriterClock,
    tell: (event: LedgerEvent) => void,
    forgetSpilled: () => void,
  ) {
    this.#settings = settings
    this.#forgetSpilled = forgetSpilled
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
    this.#forgetSpilled()
    this.writer.useSpill(spill)
  }

  #pruneAfter(ms: number): void {
    this.#after(ms, () => void this.#prune())
  }

  async #prune(): Promise<void> {
    let pauseMs = PRUNE_MS
    try {
      if (!this.writer.isQuiet) pauseMs = PRUNE_BUSY_MS
      else if (await this.#store.prune(Date.now() - this.#settings.retentionDays * DAY_MS)) pauseMs = PRUNE_STEP_MS
    } catch {
      // What keeps it from being deleted keeps rows from being written, which is told.
    }
    if (!this.#isClosed) this.#pruneAfter(pauseMs)
  }

  #after(ms: number, run: () => void): void {
    const cancel = this.#clock.after(ms, () => {
      this.#cancel.delete(cancel)
      run()
    })
    this.#cancel.add(cancel)
  }
}
