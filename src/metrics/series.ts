/**
 * What one thread counts, in memory that all threads see. It alone writes, with plain stores, and another one reads: counting costs
 * the increment of an array's element, and no thread is asked for anything when somebody looks.
 *
 * Memory comes in pages. A page has numbers, and beside them the names of its series, one JSON array a line: `[family, index,
 * ...labels]`. A name is written before the count of committed bytes says so, and is never changed. A page whose series have all been
 * forgotten is garbage for both sides.
 *
 * Numbers are doubles, since 32 bits of requests are over after three days of 16 000 a second; on the machines that Node runs on, an
 * aligned one is never read half written.
 */
import { FAMILIES, type FamilyKind, type FamilyName, widthOf } from './families.ts'

/** Goes to the thread that reads. */
export interface PageMemory {
  readonly numbers: SharedArrayBuffer
  /** A 32-bit count of bytes that are valid, and those bytes. */
  readonly names: SharedArrayBuffer
}

const PAGE_NUMBERS = 2048
const PAGE_NAMES = 128 * 1024
export const NAMES_AT: number = Int32Array.BYTES_PER_ELEMENT

/** One series of a thread: its number, or the first one of its histogram, is `numbers[index]`. */
export interface Counted {
  readonly numbers: Float64Array
  readonly index: number
}

interface Page {
  readonly numbers: Float64Array
  readonly committed: Int32Array
  readonly names: Uint8Array
  used: number
  written: number
}

export class Series {
  readonly #onPage: (memory: PageMemory) => void
  readonly #known = new Map<
    string,
    { readonly labels: readonly string[]; readonly family: FamilyName; readonly counted: Counted }
  >()
  #page: Page | undefined = undefined

  /** `onPage` gets each new page before anything stands in it. */
  constructor(onPage: (memory: PageMemory) => void) {
    this.#onPage = onPage
  }

  /** The series of these labels, in the order of the family's. The same each time, so that who counts may keep it. */
  of(family: FamilyName, ...labels: readonly string[]): Counted {
    const key = JSON.stringify([family, ...labels])
    const known = this.#known.get(key)
    if (known !== undefined) return known.counted
    const counted = this.#define(family, labels)
    this.#known.set(key, { labels, family, counted })
    return counted
  }

  /** Those of a label with one of these values are counted anew, should they come again. Who keeps them must let go of them. */
  forget(label: string, values: ReadonlySet<string>): void {
    for (const [key, { family, labels }] of this.#known) {
      const at = (FAMILIES[family] as FamilyKind).labels.indexOf(label)
      if (at !== -1 && values.has(labels[at]!)) this.#known.delete(key)
    }
  }

  #define(family: FamilyName, labels: readonly string[]): Counted {
    const width = widthOf(FAMILIES[family])
    // The index is not known before the page: room for the longest.
    const most = Buffer.byteLength(`${JSON.stringify([family, PAGE_NUMBERS, ...labels])}\n`)
    let page = this.#page
    if (page === undefined || page.used + width > page.numbers.length || page.written + most > page.names.length)
      page = this.#page = this.#newPage(Math.max(PAGE_NAMES, most))
    const index = page.used
    page.used += width
    const line = Buffer.from(`${JSON.stringify([family, index, ...labels])}\n`)
    page.names.set(line, page.written)
    page.written += line.length
    Atomics.store(page.committed, 0, page.written)
    return { numbers: page.numbers, index }
  }

  #newPage(namesBytes: number): Page {
    const memory: PageMemory = {
      numbers: new SharedArrayBuffer(PAGE_NUMBERS * Float64Array.BYTES_PER_ELEMENT),
      names: new SharedArrayBuffer(NAMES_AT + namesBytes),
    }
    this.#onPage(memory)
    return {
      numbers: new Float64Array(memory.numbers),
      committed: new Int32Array(memory.names, 0, 1),
      names: new Uint8Array(memory.names, NAMES_AT),
      used: 0,
      written: 0,
    }
  }
}

export function add({ numbers, index }: Counted, count: number): void {
  numbers[index]! += count
}

export function set({ numbers, index }: Counted, value: number): void {
  numbers[index] = value
}

/** Into a histogram with these bounds. */
export function observe({ numbers, index }: Counted, bounds: readonly number[], value: number): void {
  let at = 0
  while (at < bounds.length && value > bounds[at]!) at++
  numbers[index + at]! += 1
  numbers[index + bounds.length + 1]! += value
}
