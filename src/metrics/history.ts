/** The last minute of what is counted: now and then all that is asked for is noted, and differences are what happened since. */
import type { Collected, Row } from './collected.ts'
import { labelOf, totalOf } from './collected.ts'
import { FAMILIES, type FamilyKind, type FamilyName, widthOf } from './families.ts'

const EVERY_MS = 5000
const KEPT = 12

const NOTED = [
  'inner_outcomes',
  'inner_failures',
  'inner_keys',
  'fluxgate_upstream_connects_total',
  'fluxgate_time_to_first_byte_seconds',
  'fluxgate_gateway_overhead_seconds',
] as const satisfies readonly FamilyName[]

export type NotedFamily = (typeof NOTED)[number]

interface Note {
  readonly atMs: number
  readonly numbers: Map<Row, Float64Array>
}

export class History {
  readonly #collected: Collected
  readonly #nowMs: () => number
  readonly #notes: Note[] = []
  readonly #timer: NodeJS.Timeout

  constructor(collected: Collected, nowMs: () => number = () => performance.now()) {
    this.#collected = collected
    this.#nowMs = nowMs
    this.#note()
    this.#timer = setInterval(() => this.#note(), EVERY_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #note(): void {
    const numbers = new Map<Row, Float64Array>()
    for (const family of NOTED) for (const row of this.#collected.rows(family)) numbers.set(row, read(row))
    this.#notes.push({ atMs: this.#nowMs(), numbers })
    if (this.#notes.length > KEPT) this.#notes.shift()
  }

  /** How long it reaches back. */
  get seconds(): number {
    return (this.#nowMs() - this.#notes[0]!.atMs) / 1000
  }

  /** What has been added since to each series of a family; the last number of a histogram is its sum. */
  *since(family: NotedFamily): Generator<{ readonly row: Row; readonly added: Float64Array }> {
    const { numbers } = this.#notes[0]!
    for (const row of this.#collected.rows(family)) {
      const before = numbers.get(row)
      yield { row, added: read(row).map((value, at) => value - (before?.[at] ?? 0)) }
    }
  }

  /** Counts by the values of one label, in groups by those of another. What has not been added to is left out. */
  counts(family: NotedFamily, group: string, by: string): Map<string, Record<string, number>> {
    const groups = new Map<string, Record<string, number>>()
    for (const { row, added } of this.since(family)) {
      if (!(added[0]! > 0)) continue
      const name = labelOf(row, group)
      let counts = groups.get(name)
      if (counts === undefined) groups.set(name, (counts = {}))
      counts[labelOf(row, by)] = added[0]!
    }
    return groups
  }

  /** Of a histogram, by the values of a label. */
  percentiles(
    family: NotedFamily,
    by: string,
  ): Map<string, { readonly p50: number | null; readonly p95: number | null }> {
    const found = new Map<string, { readonly p50: number | null; readonly p95: number | null }>()
    for (const { row, added } of this.since(family)) {
      found.set(labelOf(row, by), { p50: percentile(family, added, 0.5), p95: percentile(family, added, 0.95) })
    }
    return found
  }
}

function read(row: Row): Float64Array {
  const width = widthOf(FAMILIES[row.family])
  return Float64Array.from({ length: width }, (_, at) => totalOf(row, at))
}

/** Within the bucket in which it lies, as Prometheus estimates it; null where nothing was counted. `added`: of a histogram. */
export function percentile(family: NotedFamily, added: Float64Array, share: number): number | null {
  const bounds = (FAMILIES[family] as FamilyKind).bounds!
  const buckets = added.subarray(0, bounds.length + 1)
  const count = buckets.reduce((sum, each) => sum + each, 0)
  if (count === 0) return null
  let below = 0
  for (let at = 0; at < bounds.length; at++) {
    const inside = buckets[at]!
    if (below + inside >= count * share) {
      const low = at === 0 ? 0 : bounds[at - 1]!
      return low + (bounds[at]! - low) * ((count * share - below) / inside)
    }
    below += inside
  }
  return bounds.at(-1)!
}
