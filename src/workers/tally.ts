/**
 * What a thread tells of its records, whether anybody asks for metrics or not, in memory that all threads see. It alone writes,
 * with plain stores; a reader's sum may be some microseconds old. Doubles: see `metrics/series.ts`.
 */
export const SLOT = {
  /** Request records that the log was given, those that it then dropped included. */
  records: 0,
  /** Request records that the log left out; of what a dead worker has left behind, events as well, for nobody can tell. */
  recordsDropped: 1,
} as const

export type Slot = (typeof SLOT)[keyof typeof SLOT]

/** The memory of one tally, all zeros: 8 bytes a slot. */
export function createTally(): SharedArrayBuffer {
  return new SharedArrayBuffer(Object.keys(SLOT).length * Float64Array.BYTES_PER_ELEMENT)
}

export class Tally {
  readonly #counts: Float64Array

  /** `shared`: of `createTally`. One thread writes. */
  constructor(shared: SharedArrayBuffer = createTally()) {
    this.#counts = new Float64Array(shared)
  }

  add(slot: Slot, count: number): void {
    this.#counts[slot]! += count
  }

  get(slot: Slot): number {
    return this.#counts[slot]!
  }
}

/** Takes over what a thread has counted that has ended, so that no sum goes back. */
export function retire(ended: Tally, retired: Tally): void {
  for (const slot of Object.values(SLOT)) retired.add(slot, ended.get(slot))
}
