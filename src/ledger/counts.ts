/**
 * What has become of the rows, in memory that all threads see. Each number has one writer, but for `inMemory`, which keeps the bound of
 * the queue over all threads. accepted = written + queued + spilled + dropped holds at any time, since queued is what is left.
 */

/** One for each serving thread that there ever was: beyond that threads share the last one's numbers, a little less exactly. */
const MAX_WRITERS = 1024
const WRITTEN = 0
const SPILLED = 1
const LEDGER_DROPPED = 2
/** Of a spill that an earlier process left. */
const FOUND = 3
const FIRST_WRITER = 4
/** Of one writer. */
const ACCEPTED = 0
const DROPPED = 1
const HANDED = 2
const PER_WRITER = 3

export interface LedgerRows {
  readonly accepted: number
  readonly written: number
  readonly queued: number
  readonly spilled: number
  readonly dropped: number
}

export type SharedCounts = SharedArrayBuffer

export function createCounts(): SharedCounts {
  return new SharedArrayBuffer(8 * (FIRST_WRITER + PER_WRITER * MAX_WRITERS) + 8)
}

export function readCounts(shared: SharedCounts): LedgerRows {
  const numbers = new Float64Array(shared, 8)
  // What has arrived somewhere is read first: a row that moves meanwhile counts as one that waits.
  const written = numbers[WRITTEN]!
  const spilled = numbers[SPILLED]!
  let dropped = numbers[LEDGER_DROPPED]!
  let accepted = numbers[FOUND]!
  for (let at = FIRST_WRITER; at < numbers.length; at += PER_WRITER) {
    dropped += numbers[at + DROPPED]!
    accepted += numbers[at + ACCEPTED]!
  }
  return { accepted, written, queued: Math.max(0, accepted - written - spilled - dropped), spilled, dropped }
}

/** How many rows are in memory, on all threads together. */
export interface InMemory {
  /** Nobody keeps a ledger now. */
  isOff(): boolean
  /** Returns false, and takes nothing, where there is no room. */
  take(): boolean
  give(count: number): void
  /** @param most rows, from now on; 0: there is no ledger */
  limit(most: number): void
}

export function inMemoryOf(shared: SharedCounts): InMemory {
  const numbers = new Int32Array(shared, 0, 2)
  return {
    isOff: () => numbers[1] === 0,
    take() {
      if (Atomics.add(numbers, 0, 1) < numbers[1]!) return true
      Atomics.sub(numbers, 0, 1)
      return false
    },
    give: (rows) => void Atomics.sub(numbers, 0, rows),
    limit: (most) => void Atomics.store(numbers, 1, Math.min(most, 0x7fff_ffff)),
  }
}

export interface WriterCounts {
  accepted(): void
  dropped(): void
  /** Over to the ledger's thread: they outlive this one. */
  handed(rows: number): void
}

/** @param writer its number, from 0 */
export function writerCounts(shared: SharedCounts, writer: number): WriterCounts {
  const numbers = new Float64Array(shared, 8)
  const at = placeOf(writer)
  return {
    accepted: () => void numbers[at + ACCEPTED]!++,
    dropped: () => void numbers[at + DROPPED]!++,
    handed(rows) {
      numbers[at + HANDED]! += rows
    },
  }
}

/** Its thread has ended, whatever way: what it has not handed over waits for nobody, and takes no room. */
export function writerEnded(shared: SharedCounts, writer: number): void {
  // Of a place that is shared nobody can tell whose rows they are.
  if (writer >= MAX_WRITERS - 1) return
  const numbers = new Float64Array(shared, 8)
  const at = placeOf(writer)
  const lost = numbers[at + ACCEPTED]! - numbers[at + DROPPED]! - numbers[at + HANDED]!
  numbers[at + DROPPED]! += lost
  inMemoryOf(shared).give(lost)
}

function placeOf(writer: number): number {
  return FIRST_WRITER + PER_WRITER * Math.min(writer, MAX_WRITERS - 1)
}

/** Those of the ledger's thread. */
export interface LedgerCounts {
  written(rows: number): void
  /** More, or fewer where `rows` is negative. */
  spilled(rows: number): void
  dropped(rows: number): void
  /** In a file that was there. */
  found(rows: number): void
  /** The file is about to be found again. */
  forgetSpill(): void
}

export function ledgerCounts(shared: SharedCounts): LedgerCounts {
  const numbers = new Float64Array(shared, 8)
  const add =
    (at: number) =>
    (rows: number): void => {
      numbers[at] = numbers[at]! + rows
    }
  return {
    written: add(WRITTEN),
    spilled: add(SPILLED),
    dropped: add(LEDGER_DROPPED),
    found: add(FOUND),
    forgetSpill() {
      numbers[FOUND]! -= numbers[SPILLED]!
      numbers[SPILLED] = 0
    },
  }
}
