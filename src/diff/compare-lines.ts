import { alignLines, type LinePair } from './align-lines.ts'
import { isOwnConnectionLine } from './contract.ts'
import { type Excerpt, excerpts, type Finding, type Part, type Verdict } from './finding.ts'
import { nameOf, valueIn } from './message.ts'
import type { Volatility } from './volatile.ts'

/** Field sections, line by line: order, spelling, spacing, repetition. */

export interface Section {
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
    findings.push({ ...judge(pair, s, g, volatility), part, ...sides(s, g) })
  }
  return findings
}

/** A line without its value: what must be the same even where the value may change. */
function spellingOf(line: string): string {
  return /^[^:]*:?[\t ]*/.exec(line)![0]
}

function judge(
  { what, straight, gateway }: LinePair,
  s: string | undefined,
  g: string | undefined,
  volatility: (name: string) => Volatility,
): { verdict: Verdict; what: string } {
  const place = `${(straight ?? gateway ?? 0) + 1}`
  const mayBeAbsent = volatility(nameOf(s ?? g ?? '')) === 'presence'
  switch (what) {
    case 'same':
      return { verdict: 'volatile', what: `${place} has another value` }
    case 'moved':
      return { verdict: 'different', what: `${place} stands elsewhere, as line ${gateway! + 1}` }
    case 'merged':
      return { verdict: 'different', what: `${place} is merged with others of its name` }
    case 'changed':
      return { verdict: 'different', what: `${place} has ${changeOf(s!, g!)}` }
    case 'missing':
      return { verdict: mayBeAbsent ? 'volatile' : 'different', what: `${place} is missing` }
    case 'added':
      if (isOwnConnectionLine(g!)) {
        return { verdict: 'by contract', what: `${place} is added, it is about one connection only` }
      }
      return { verdict: mayBeAbsent ? 'volatile' : 'different', what: `${place} is added` }
  }
}

/** The lines have the same name, in one spelling or another. */
function changeOf(straight: string, gateway: string): string {
  const changes: string[] = []
  if (spelledName(straight) !== spelledName(gateway)) changes.push('another spelling of the name')
  if (spacingOf(straight) !== spacingOf(gateway)) changes.push('other white space')
  if (valueIn(straight) !== valueIn(gateway)) changes.push('another value')
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

function sides(
  straight: string | undefined,
  gateway: string | undefined,
): { straight: Excerpt | undefined; gateway: Excerpt | undefined } {
  if (straight !== undefined && gateway !== undefined) return excerpts(straight, gateway)
  return {
    straight: straight === undefined ? undefined : { text: straight, at: 0 },
    gateway: gateway === undefined ? undefined : { text: gateway, at: 0 },
  }
}
