/**
 * From batches of rows to the store: a row leaves memory when it has been committed, or stands in the spill. Where rows are, the
 * counts say. It knows neither threads nor databases, and has its clock from outside.
 */
import type { InMemory, LedgerCounts } from './counts.ts'
import type { Row } from './row.ts'
import type { Spill, SpillTouched } from './spill.ts'
import type { Store } from './store.ts'

/** Rows that came together, and whom to tell that they are safe. */
export interface Batch {
  readonly rows: readonly Row[]
  readonly answer: () => void
  readonly since: number
}

export interface WriterClock {
  /** Milliseconds, monotonic. */
  now(): number
  after(ms: number, run: () => void): () => void
}

export interface WriterListener {
  /** Writing has begun to fail. Once, until it succeeds. */
  onFailing(error: unknown, waiting: number): void
  onRecovered(): void
  /** The store works, and will never take these rows. At most once a minute, with their number. */
  onRefused(error: unknown, rows: number): void
  onSpillFailing(error: unknown): void
  /** There is no room left in the spill. Once, until there is. */
  onSpillFull(): void
  /** Somebody else has removed the file, or what was in it. */
  onSpillTouched(how: Pick<SpillTouched, 'lost' | 'isNew'>): void
}

export interface WriterOptions {
  readonly store: Store
  /** Undefined: rows wait in memory. */
  readonly spill: Spill | undefined
  readonly counts: LedgerCounts
  readonly memory: Pick<InMemory, 'give'>
  readonly clock: WriterClock
  readonly listener: WriterListener
}

const MAX_ROWS = 1000
/** A row that is older and not in the store goes into the spill: together with the wait of the queue, less than a second. */
const SPILL_AFTER_MS = 500
const TICK_MS = 100
const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 5_000
const REFUSED_MS = 60_000
/** So many are refused, one by one, before the store is believed to take none. */
const MAX_REFUSED_ALONE = 16

export class LedgerWriter {
  readonly #options: WriterOptions
  #spill: Spill | undefined
  readonly #waiting: Batch[] = []
  /** What the store has and has not answered for. */
  #inFlight: readonly Batch[] = []
  #isWriting = false
  #isFailing = false
  #isSpillFull = false
  #isSpillFailing = false
  #pauseMs = FIRST_PAUSE_MS
  #pausedUntil = 0
  #spillPausedUntil = 0
  #refused = 0
  #refusedToldAt = Number.NEGATIVE_INFINITY
  #isClosing = false
  #isClosed = false
  readonly #cancelTick: () => void
  #onIdle = (): void => {}

  constructor(options: WriterOptions) {
    this.#options = options
    this.#cancelTick = this.#tickEach(TICK_MS)
    this.useSpill(options.spill)
  }

  /** It may come later, when another process has let go of it. */
  useSpill(spill: Spill | undefined): void {
    this.#spill = spill
    if (spill === undefined) return
    this.#options.counts.found(spill.found.rows)
    this.#options.counts.spilled(spill.found.rows)
    this.#write()
  }

  /** @param rows priced already */
  take(rows: readonly Row[], answer: () => void): void {
    this.#waiting.push({ rows, answer, since: this.#options.clock.now() })
    this.#write()
  }

  get waitingRows(): number {
    return countOf(this.#waiting) + countOf(this.#inFlight)
  }

  get isQuiet(): boolean {
    return !this.#isWriting && !this.#isFailing && this.#waiting.length === 0
  }

  /** Writes what there is within this time; what is left goes into the spill, or is dropped and counted. */
  async close(withinMs: number): Promise<void> {
    this.#isClosing = true
    if (this.waitingRows > 0) {
      this.#pausedUntil = 0
      const idle = Promise.withResolvers<void>()
      this.#onIdle = idle.resolve
      const cancel = this.#options.clock.after(withinMs, idle.resolve)
      this.#write()
      if (!this.#isWriting && this.#waiting.length === 0) idle.resolve()
      await idle.promise
      cancel()
    }
    this.#isClosed = true
    this.#cancelTick()
    this.#spillAll()
    const lost = this.#giveUp()
    if (lost > 0) this.#options.counts.dropped(lost)
    try {
      this.#spill?.close()
    } catch (error) {
      this.#options.listener.onSpillFailing(error)
    }
    this.#spill = undefined
  }

  #giveUp(): number {
    const left = [...this.#inFlight, ...this.#waiting.splice(0)]
    this.#inFlight = []
    for (const batch of left) this.#leaves(batch)
    return countOf(left)
  }

  #tickEach(ms: number): () => void {
    let cancel = (): void => {}
    const again = (): void => {
      cancel = this.#options.clock.after(ms, () => {
        again()
        this.#tick()
      })
    }
    again()
    return () => cancel()
  }

  #tick(): void {
    const oldest = this.#inFlight[0] ?? this.#waiting[0]
    if (oldest !== undefined && this.#options.clock.now() - oldest.since >= SPILL_AFTER_MS) this.#spillAll()
    // Nothing hangs on what a store may still say.
    if (this.#isClosing && this.waitingRows === 0) this.#onIdle()
    this.#write()
  }

  /** What the store may still answer for goes there too: that it has it in the end changes nothing. */
  #spillAll(): void {
    if (this.#spill === undefined) return
    const batches = [...this.#inFlight, ...this.#waiting]
    try {
      if (batches.length > 0) this.#lookAt(this.#spill)
      for (const batch of batches) {
        if (!this.#spill.append(batch.rows)) {
          if (!this.#isSpillFull) this.#options.listener.onSpillFull()
          this.#isSpillFull = true
          return
        }
        this.#isSpillFailing = false
        if (this.#inFlight[0] === batch) this.#inFlight = this.#inFlight.slice(1)
        else this.#waiting.shift()
        this.#options.counts.spilled(batch.rows.length)
        this.#leaves(batch)
      }
      this.#isSpillFull = false
    } catch (error) {
      this.#spillFails(error)
    }
  }

  #spillFails(error: unknown): void {
    if (!this.#isSpillFailing) this.#options.listener.onSpillFailing(error)
    this.#isSpillFailing = true
  }

  #lookAt(spill: Spill): void {
    const touched = spill.look()
    if (touched === undefined) return
    const { found, lost, isNew } = touched
    this.#options.counts.found(found)
    this.#options.counts.spilled(found)
    this.#lose(lost, isNew)
  }

  #lose(lost: number, isNew = false): void {
    this.#options.counts.spilled(-lost)
    this.#options.counts.dropped(lost)
    if (lost > 0 || isNew) this.#options.listener.onSpillTouched({ lost, isNew })
  }

  #leaves({ rows, answer }: Batch): void {
    this.#options.memory.give(rows.length)
    answer()
  }

  #write(): void {
    if (this.#isWriting || this.#isClosed || this.#options.clock.now() < this.#pausedUntil) return
    const batches = this.#nextBatches()
    if (batches.length > 0) void this.#writeBatches(batches)
    // What has waited in a file can wait for the next process.
    else if (this.#isClosing) this.#onIdle()
    else if (this.#spill !== undefined && !this.#spill.isEmpty && this.#options.clock.now() >= this.#spillPausedUntil) {
      void this.#writeSpilled(this.#spill)
    }
  }

  #nextBatches(): readonly Batch[] {
    let rows = 0
    let count = 0
    while (count < this.#waiting.length && (count === 0 || rows + this.#waiting[count]!.rows.length <= MAX_ROWS)) {
      rows += this.#waiting[count++]!.rows.length
    }
    return this.#waiting.splice(0, count)
  }

  async #writeBatches(batches: readonly Batch[]): Promise<void> {
    this.#inFlight = batches
    const refused = await this.#tryToWrite(batches.flatMap(({ rows }) => rows))
    // Those that are left of it: the others are in the spill meanwhile.
    const left = this.#inFlight
    this.#inFlight = []
    if (refused === undefined) this.#waiting.unshift(...left)
    else {
      for (const batch of left) {
        this.#count(batch.rows, refused)
        this.#leaves(batch)
      }
    }
    this.#write()
  }

  async #writeSpilled(spill: Spill): Promise<void> {
    let rows: readonly Row[]
    try {
      this.#lookAt(spill)
      rows = spill.next(MAX_ROWS)
    } catch (error) {
      // The store is not to blame, and what comes from memory goes on.
      this.#spillFails(error)
      this.#spillPausedUntil = this.#options.clock.now() + MAX_PAUSE_MS
      return
    }
    const refused = await this.#tryToWrite(rows)
    if (refused !== undefined && spill === this.#spill) {
      this.#options.counts.spilled(-rows.length)
      this.#count(rows, refused)
      try {
        this.#lose(spill.taken())
        this.#isSpillFailing = false
      } catch (error) {
        this.#spillFails(error)
      }
    }
    this.#write()
  }

  #count(rows: readonly Row[], refused: ReadonlySet<Row>): void {
    const dropped = refused.size === 0 ? 0 : rows.filter((row) => refused.has(row)).length
    this.#options.counts.written(rows.length - dropped)
    this.#options.counts.dropped(dropped)
  }

  /** Those of the rows that the store refuses; undefined: they are to be tried again. */
  async #tryToWrite(rows: readonly Row[]): Promise<ReadonlySet<Row> | undefined> {
    this.#isWriting = true
    try {
      const { refused, cause } = await writeWhatItTakes(this.#options.store, rows)
      if (rows.length === 0) return refused
      this.#pauseMs = FIRST_PAUSE_MS
      if (refused.size > 0) this.#tellOfRefused(cause, refused.size)
      if (this.#isFailing) this.#options.listener.onRecovered()
      this.#isFailing = false
      return refused
    } catch (error) {
      if (!this.#isFailing) this.#options.listener.onFailing(error, this.waitingRows)
      this.#isFailing = true
      this.#pausedUntil = this.#options.clock.now() + this.#pauseMs
      this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_PAUSE_MS)
      return undefined
    } finally {
      this.#isWriting = false
    }
  }

  #tellOfRefused(cause: unknown, rows: number): void {
    this.#refused += rows
    const now = this.#options.clock.now()
    if (now - this.#refusedToldAt < REFUSED_MS) return
    this.#options.listener.onRefused(cause, this.#refused)
    this.#refused = 0
    this.#refusedToldAt = now
  }
}

/**
 * A row that the store never takes would keep all others out for ever, so it is looked for by halves and left out. Throws where the
 * store is away, or takes none of them: a table that does not fit is to be mended, and loses no row until then.
 */
async function writeWhatItTakes(
  store: Store,
  rows: readonly Row[],
): Promise<{ readonly refused: ReadonlySet<Row>; readonly cause: unknown }> {
  const refused = new Set<Row>()
  let isTaken = false
  let cause: unknown
  async function write(part: readonly Row[]): Promise<void> {
    try {
      await store.write(part)
      isTaken = true
    } catch (error) {
      if (!store.refuses(error) || (refused.size >= MAX_REFUSED_ALONE && !isTaken)) throw error
      cause = error
      if (part.length === 1) refused.add(part[0]!)
      else {
        const half = part.length >> 1
        await write(part.slice(0, half))
        await write(part.slice(half))
      }
    }
  }
  if (rows.length > 0) await write(rows)
  if (refused.size > 0 && !isTaken) throw cause
  return { refused, cause }
}

function countOf(batches: readonly Batch[]): number {
  return batches.reduce((sum, { rows }) => sum + rows.length, 0)
}
