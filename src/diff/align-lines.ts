import { nameOf, valueIn } from './message.ts'

/** Two field sections side by side: what became of each line. */

/** Positions count from 0; undefined: there is no such line on this side. */
export interface LinePair {
  readonly straight: number | undefined
  readonly gateway: number | undefined
  readonly what: 'same' | 'changed' | 'moved' | 'missing' | 'added' | 'merged'
}

/** Up to this many pairs of lines the longest common subsequence is sought: more is no head that anybody sends. */
const MAX_CELLS = 4_000_000

/**
 * @param isSame whether two lines count as one and the same (their text, or their name where the value is volatile)
 */
export function alignLines(
  straight: readonly string[],
  gateway: readonly string[],
  isSame: (straight: string, gateway: string) => boolean,
): LinePair[] {
  const pairs = commonPairs(straight, gateway, isSame)
  const left = unpaired(straight.length, pairs, 'straight')
  const right = unpaired(gateway.length, pairs, 'gateway')
  const take = (what: LinePair['what'], s: number, g: number): void => {
    left.delete(s)
    right.delete(g)
    pairs.push({ straight: s, gateway: g, what })
  }
  for (const s of left) {
    const g = [...right].find((index) => isSame(straight[s]!, gateway[index]!))
    if (g !== undefined) take('moved', s, g)
  }
  for (const g of right) {
    const merged = mergedInto(gateway[g]!, straight, left)
    for (const s of merged) take('merged', s, g)
  }
  for (const s of left) {
    const g = [...right].find((index) => nameOf(gateway[index]!) === nameOf(straight[s]!))
    if (g !== undefined) take('changed', s, g)
  }
  for (const s of left) pairs.push({ straight: s, gateway: undefined, what: 'missing' })
  for (const g of right) pairs.push({ straight: undefined, gateway: g, what: 'added' })
  return pairs.sort((a, b) => placeOf(a) - placeOf(b))
}

function placeOf({ straight, gateway }: LinePair): number {
  return straight ?? (gateway ?? 0) + 0.5
}

function unpaired(length: number, pairs: readonly LinePair[], side: 'straight' | 'gateway'): Set<number> {
  const paired = new Set(pairs.map((pair) => pair[side]))
  return new Set(Array.from({ length }, (_, index) => index).filter((index) => !paired.has(index)))
}

/** Lines of one name whose values stand joined by commas in a line of the other side. */
function mergedInto(line: string, straight: readonly string[], left: ReadonlySet<number>): number[] {
  const sources = [...left].filter((index) => nameOf(straight[index]!) === nameOf(line))
  if (sources.length < 2) return []
  const normal = (value: string): string => value.replace(/[\t ]*,[\t ]*/g, ',')
  const joined = sources.map((index) => valueIn(straight[index]!)).join(',')
  return normal(joined) === normal(valueIn(line)) ? sources : []
}

/** The longest common subsequence: what stands in the same order on both sides. */
function commonPairs(
  straight: readonly string[],
  gateway: readonly string[],
  isSame: (straight: string, gateway: string) => boolean,
): LinePair[] {
  const pairs: LinePair[] = []
  const same = (s: number, g: number): boolean => isSame(straight[s]!, gateway[g]!)
  let start = 0
  while (start < straight.length && start < gateway.length && same(start, start)) {
    pairs.push({ straight: start, gateway: start, what: 'same' })
    start++
  }
  const rows = straight.length - start
  const columns = gateway.length - start
  if (rows === 0 || columns === 0 || rows * columns > MAX_CELLS) return pairs
  // length[r][c]: of the longest one in straight[start + r..] and gateway[start + c..]
  const length = Array.from({ length: rows + 1 }, () => new Uint16Array(columns + 1))
  for (let r = rows - 1; r >= 0; r--) {
    for (let c = columns - 1; c >= 0; c--) {
      const skipped = Math.max(length[r + 1]![c]!, length[r]![c + 1]!)
      length[r]![c] = same(start + r, start + c) ? length[r + 1]![c + 1]! + 1 : skipped
    }
  }
  for (let r = 0, c = 0; r < rows && c < columns; ) {
    if (same(start + r, start + c)) pairs.push({ straight: start + r++, gateway: start + c++, what: 'same' })
    else if (length[r + 1]![c]! >= length[r]![c + 1]!) r++
    else c++
  }
  return pairs
}
