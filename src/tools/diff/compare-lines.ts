import { excerpts, type Finding, type Part } from './finding.ts'
import { nameOf, valueIn } from './message.ts'
import type { Volatility } from './volatile.ts'

/** Field sections, line by line: order, spelling, spacing, repetition. */

interface Section {
  readonly part: Part
  readonly straight: readonly string[]
  readonly gateway: readonly string[]
  volatility(name: string): Volatility
}

export function compareLines({ part, straight, gateway, volatility }: Section): Finding[] {
  const isSame = (a: string, b: string): boolean =>
    a === b || (volatility(nameOf(a)) !== 'none' && spellingOf(a) === spellingOf(b))
  const findings: Finding[] = []
  for (const pair of alignLines(straight, gateway, isSame)) {
    const s = pair.straight === undefined ? undefined : straight[pair.straight]!
    const g = pair.gateway === undefined ? undefined : gateway[pair.gateway]!
    if (pair.what === 'same' && s === g) continue
    findings.push({ ...judge(part, pair, s, g, volatility), part, ...excerpts(s, g) })
  }
  return findings
}

/** A line without its value: what must be the same even where the value may change. */
function spellingOf(line: string): string {
  return `${spelledName(line)}${spacingOf(line)}`
}

function judge(
  part: Part,
  { what, straight, gateway }: LinePair,
  s: string | undefined,
  g: string | undefined,
  volatility: (name: string) => Volatility,
): Pick<Finding, 'verdict' | 'what' | 'isInValue'> {
  const place = `${(straight ?? gateway ?? 0) + 1}`
  const mayBeAbsent = volatility(nameOf(s ?? g ?? '')) === 'presence'
  switch (what) {
    case 'same':
      return { verdict: 'volatile', what: `${place} has another value` }
    case 'moved':
      return { verdict: 'different', what: `${place} is out of order: it is line ${gateway! + 1} there` }
    case 'merged':
      return { verdict: 'different', what: `${place} is merged with others of its name` }
    case 'changed': {
      const change = changeOf(s!, g!)
      return { verdict: 'different', what: `${place} has ${change}`, isInValue: change === VALUE }
    }
    case 'missing':
      return { verdict: mayBeAbsent ? 'volatile' : 'different', what: `${place} is missing` }
    case 'added':
      if (part !== 'trailer' && isOwnConnectionLine(g!)) {
        return { verdict: 'by contract', what: `${place} is added, it is about one connection only` }
      }
      return { verdict: mayBeAbsent ? 'volatile' : 'different', what: `${place} is added` }
  }
}

/** Lines that another hop may say of its own connection. */
function isOwnConnectionLine(line: string): boolean {
  const name = nameOf(line)
  return name === 'keep-alive' || (name === 'connection' && /^(?:close|keep-alive)$/i.test(valueIn(line)))
}

const VALUE = 'another value'

/** The lines have the same name, in one spelling or another. */
function changeOf(straight: string, gateway: string): string {
  const changes: string[] = []
  if (spelledName(straight) !== spelledName(gateway)) changes.push('another spelling of the name')
  if (spacingOf(straight) !== spacingOf(gateway)) changes.push('other white space')
  if (valueIn(straight) !== valueIn(gateway)) changes.push(VALUE)
  return changes.join(' and ')
}

function spelledName(line: string): string {
  return line.slice(0, nameOf(line).length)
}

/** The white space before the value and behind it. */
function spacingOf(line: string): string {
  const after = line.slice(nameOf(line).length)
  return `${/^:?[\t ]*/.exec(after)![0]}|${valueIn(line) === '' ? '' : /[\t ]*$/.exec(after)![0]}`
}

/** Positions count from 0; undefined: there is no such line on this side. */
interface LinePair {
  readonly straight: number | undefined
  readonly gateway: number | undefined
  readonly what: 'same' | 'changed' | 'moved' | 'missing' | 'added' | 'merged'
}

/** Up to this many pairs of lines what stands in another place is sought: more is no head that anybody sends. */
const MAX_PAIRS = 1_000_000

type IsSame = (straight: string, gateway: string) => boolean

/** @param isSame whether two lines count as one and the same: their text, or all but their value where that is volatile */
function alignLines(straight: readonly string[], gateway: readonly string[], isSame: IsSame): LinePair[] {
  const begin = commonBegin(straight, gateway, isSame)
  if ((straight.length - begin) * (gateway.length - begin) > MAX_PAIRS) return pairByPlace(straight, gateway, isSame)
  const pairs = commonPairs(straight, gateway, isSame, begin)
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

function commonBegin(straight: readonly string[], gateway: readonly string[], isSame: IsSame): number {
  let begin = 0
  while (begin < straight.length && begin < gateway.length && isSame(straight[begin]!, gateway[begin]!)) begin++
  return begin
}

function pairByPlace(straight: readonly string[], gateway: readonly string[], isSame: IsSame): LinePair[] {
  return Array.from({ length: Math.max(straight.length, gateway.length) }, (_, place) => {
    if (place >= straight.length) return { straight: undefined, gateway: place, what: 'added' }
    if (place >= gateway.length) return { straight: place, gateway: undefined, what: 'missing' }
    const what = isSame(straight[place]!, gateway[place]!) ? 'same' : 'changed'
    return { straight: place, gateway: place, what }
  })
}

/** The longest common subsequence: what stands in the same order on both sides. */
function commonPairs(
  straight: readonly string[],
  gateway: readonly string[],
  isSame: IsSame,
  begin: number,
): LinePair[] {
  const pairs: LinePair[] = Array.from({ length: begin }, (_, place) => {
    return { straight: place, gateway: place, what: 'same' }
  })
  const same = (s: number, g: number): boolean => isSame(straight[s]!, gateway[g]!)
  const rows = straight.length - begin
  const columns = gateway.length - begin
  // length[r][c]: of the longest one in straight[begin + r..] and gateway[begin + c..]
  const length = Array.from({ length: rows + 1 }, () => new Uint32Array(columns + 1))
  for (let r = rows - 1; r >= 0; r--) {
    for (let c = columns - 1; c >= 0; c--) {
      const skipped = Math.max(length[r + 1]![c]!, length[r]![c + 1]!)
      length[r]![c] = same(begin + r, begin + c) ? length[r + 1]![c + 1]! + 1 : skipped
    }
  }
  for (let r = 0, c = 0; r < rows && c < columns; ) {
    if (same(begin + r, begin + c)) pairs.push({ straight: begin + r++, gateway: begin + c++, what: 'same' })
    else if (length[r + 1]![c]! >= length[r]![c + 1]!) r++
    else c++
  }
  return pairs
}
