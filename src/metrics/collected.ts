/** What all threads have counted together: the side that reads. See `series.ts` for how it is laid out. */
import { FAMILIES, type FamilyKind, type FamilyName, widthOf } from './families.ts'
import { type Counted, NAMES_AT, type PageMemory } from './series.ts'

/** One series over all threads. */
export interface Row {
  readonly family: FamilyName
  readonly labels: readonly string[]
  /** Of threads that have ended; of a gauge nothing, since what they had open is gone. */
  readonly ended: Float64Array
  /** Of threads that run. */
  readonly parts: Counted[]
  /** No exchange can be counted here any more, as far as the configuration says; since when. */
  goneSinceMs: number | undefined
}

interface PageRead {
  readonly numbers: Float64Array
  readonly committed: Int32Array
  readonly names: Uint8Array
  read: number
}

/** The pages of one thread. */
export class ThreadPages {
  readonly pages: PageRead[] = []

  take({ numbers, names }: PageMemory): void {
    this.pages.push({
      numbers: new Float64Array(numbers),
      committed: new Int32Array(names, 0, 1),
      names: new Uint8Array(names, NAMES_AT),
      read: 0,
    })
  }
}

export class Collected {
  readonly #threads = new Set<ThreadPages>()
  readonly #rows = new Map<string, Row>()
  readonly #byFamily = new Map<FamilyName, Set<Row>>()

  /** A thread that counts; its pages go to what comes of this. */
  join(): ThreadPages {
    const thread = new ThreadPages()
    this.#threads.add(thread)
    return thread
  }

  /** A thread that has ended: what it has counted stays, what it had open does not. */
  leave(thread: ThreadPages): void {
    if (!this.#threads.has(thread)) return
    this.#read(thread)
    this.#threads.delete(thread)
    const numbers = new Set(thread.pages.map((page) => page.numbers))
    for (const { family, ended, parts } of this.#rows.values()) {
      for (let i = parts.length - 1; i >= 0; i--) {
        const part = parts[i]!
        if (!numbers.has(part.numbers)) continue
        parts.splice(i, 1)
        if (FAMILIES[family].type === 'gauge') continue
        for (let at = 0; at < ended.length; at++) ended[at]! += part.numbers[part.index + at]!
      }
    }
  }

  /** The series of a family, with those that have come since. */
  rows(family: FamilyName): Iterable<Row> {
    this.refresh()
    return this.#byFamily.get(family) ?? []
  }

  /** Reads what names have come. */
  refresh(): void {
    for (const thread of this.#threads) this.#read(thread)
  }

  /** Drops series for good, all that go at once. Threads have to forget them as well. */
  drop(rows: Iterable<Row>): void {
    for (const row of rows) {
      this.#rows.delete(keyOf(row.family, row.labels))
      this.#byFamily.get(row.family)?.delete(row)
    }
    // Pages of which nothing is left are forgotten with their rows.
    const used = new Set<Float64Array>()
    for (const { parts } of this.#rows.values()) for (const { numbers } of parts) used.add(numbers)
    for (const { pages } of this.#threads) {
      // The last one is still written to.
      for (let i = pages.length - 2; i >= 0; i--) if (!used.has(pages[i]!.numbers)) pages.splice(i, 1)
    }
  }

  #read(thread: ThreadPages): void {
    for (const page of thread.pages) {
      const end = Atomics.load(page.committed, 0)
      if (end === page.read) continue
      const text = Buffer.from(page.names.subarray(page.read, end)).toString()
      page.read = end
      for (const line of text.split('\n')) if (line !== '') this.#define(JSON.parse(line), page.numbers)
    }
  }

  #define([family, index, ...labels]: [FamilyName, number, ...string[]], numbers: Float64Array): void {
    const key = keyOf(family, labels)
    let row = this.#rows.get(key)
    if (row === undefined) {
      row = { family, labels, ended: new Float64Array(widthOf(FAMILIES[family])), parts: [], goneSinceMs: undefined }
      this.#rows.set(key, row)
      let rows = this.#byFamily.get(family)
      if (rows === undefined) this.#byFamily.set(family, (rows = new Set()))
      rows.add(row)
    }
    row.parts.push({ numbers, index })
  }
}

function keyOf(family: FamilyName, labels: readonly string[]): string {
  return JSON.stringify([family, ...labels])
}

/** Its number, or that of one of its buckets (the last one is the sum), over all threads. */
export function totalOf({ ended, parts }: Row, at = 0): number {
  let value = ended[at]!
  for (const { numbers, index } of parts) value += numbers[index + at]!
  return value
}

/** The value of the label, empty where the family has none of that name. */
export function labelOf({ family, labels }: Row, label: string): string {
  return labels[(FAMILIES[family] as FamilyKind).labels.indexOf(label)] ?? ''
}
