import { compareLines } from './compare-lines.ts'
import { describeContents } from './content-shape.ts'
import { type Change, expectChunkSizes, expectLines, expectStartLine, expectTrailers } from './contract.ts'
import { contentExcerpt, excerpts, type Finding, type Part, type Verdict } from './finding.ts'
import { type Head, type Message, nameOf, valuesOf } from './message.ts'
import { describesContent, type Volatility, volatilityOf } from './volatile.ts'

/**
 * One message as it came straight and as it came through the gateway: everything in which they differ. Pure: the messages
 * decide, and what is known about how repeatable they are.
 */

export interface Repeatability {
  /** A provider answered twice. False: both messages come from one script, and every byte counts. */
  readonly isLive: boolean
  /** Names of fields (lower-case) that already differed between two answers that both came straight, and in what. */
  readonly variable: ReadonlyMap<string, Volatility>
  /** Two answers to the same request have the same content. */
  readonly hasSameContent: boolean
}

export const SCRIPTED: Repeatability = { isLive: false, variable: new Map(), hasSameContent: true }

export function compareMessages(straight: Message, gateway: Message, repeatability: Repeatability): Finding[] {
  const refusal = ownAnswer(straight, gateway)
  if (refusal !== undefined) return [refusal]
  const contents = compareContents(straight, gateway, repeatability)
  const findings = [
    ...compareInterim(straight, gateway, repeatability),
    ...compareHeads('start line', 'field line', straight, gateway, repeatability),
    ...compareFraming(straight, gateway, repeatability),
    ...contents,
    ...compareChunks(straight, gateway, repeatability),
    ...compareTrailers(straight, gateway, repeatability),
    ...compareEnds(straight, gateway),
  ]
  const isRepeatable = contents.every(({ verdict }) => verdict !== 'not repeatable')
  return isRepeatable ? findings : findings.map(followContent)
}

/** What a provider answers differently from one time to the next, seen in two answers that both came straight. */
export function observeVariation(
  first: Message,
  second: Message,
): { fields: Map<string, Volatility>; content: boolean } {
  const findings = [
    ...compareLines(exactly('field line', first.lines, second.lines)),
    ...compareLines(exactly('trailer', first.trailers, second.trailers)),
  ]
  const fields = new Map<string, Volatility>()
  for (const { straight, gateway } of findings) {
    const isOnBoth = straight !== undefined && gateway !== undefined
    const name = nameOf((straight ?? gateway)!.text)
    if (fields.get(name) !== 'presence') fields.set(name, isOnBoth ? 'value' : 'presence')
  }
  return { fields, content: !first.content.equals(second.content) }
}

function exactly(part: Part, straight: readonly string[], gateway: readonly string[]) {
  return { part, straight, gateway, volatility: (): Volatility => 'none' }
}

function volatilityIn({ isLive, variable }: Repeatability): (name: string) => Volatility {
  return (name) => {
    if (!isLive) return 'none'
    const known = volatilityOf(name)
    return known === 'presence' ? known : (variable.get(name) ?? known)
  }
}

/** An answer that the gateway made itself is no version of the provider's: comparing on would only hide that. */
function ownAnswer(straight: Message, gateway: Message): Finding | undefined {
  const code = valuesOf(gateway.lines, 'x-fluxgate-error')[0]
  if (code === undefined || valuesOf(straight.lines, 'x-fluxgate-error').length > 0) return undefined
  const what = `is not the one of the provider: the gateway answered by itself (x-fluxgate-error: ${code})`
  return found('different', 'start line', what, straight.startLine, gateway.startLine)
}

function compareHeads(start: Part, line: Part, straight: Head, gateway: Head, repeatability: Repeatability) {
  const startLine = expectStartLine(straight.startLine)
  const lines = expectLines(straight)
  const volatility = volatilityIn(repeatability)
  const starts =
    gateway.startLine === startLine.expected
      ? []
      : [found('different', start, 'is another one', startLine.expected, gateway.startLine)]
  return [
    ...byContract(start, startLine.changes),
    ...starts,
    ...byContract(line, lines.changes),
    ...compareLines({ part: line, straight: lines.expected, gateway: gateway.lines, volatility }),
  ]
}

function byContract(part: Part, changes: readonly Change[]): Finding[] {
  return changes.map(({ what, straight }) => found('by contract', part, what, straight, undefined))
}

function compareInterim(straight: Message, gateway: Message, repeatability: Repeatability): Finding[] {
  const count = Math.max(straight.interim.length, gateway.interim.length)
  const findings = Array.from({ length: count }, (_, i) => {
    const s = straight.interim[i]
    const g = gateway.interim[i]
    if (s !== undefined && g !== undefined) {
      return compareHeads('interim response', 'interim response', s, g, repeatability)
    }
    const what = `${i + 1} is ${g === undefined ? 'missing' : 'added'}`
    return [found('different', 'interim response', what, s?.startLine, g?.startLine)]
  }).flat()
  return repeatability.isLive ? findings.map((finding) => excuse(finding, 'volatile')) : findings
}

function excuse(finding: Finding, verdict: Verdict): Finding {
  return finding.verdict === 'different' ? { ...finding, verdict } : finding
}

function compareFraming(straight: Message, gateway: Message, { variable }: Repeatability): Finding[] {
  if (straight.framing === gateway.framing) return []
  const verdict = variable.has('transfer-encoding') ? 'volatile' : 'different'
  return [found(verdict, 'framing', 'is another one', straight.framing, gateway.framing)]
}

function compareContents(straight: Message, gateway: Message, { isLive, hasSameContent }: Repeatability): Finding[] {
  if (straight.content.equals(gateway.content)) return []
  const at = firstDifference(straight.content, gateway.content)
  const shape = isLive ? describeContents(straight.content, gateway.content) : undefined
  return [
    {
      verdict: hasSameContent ? 'different' : 'not repeatable',
      part: 'content',
      what: `differs from byte ${at} on${shape === undefined ? '' : `: ${shape}`}`,
      straight: contentExcerpt(straight.content, at),
      gateway: contentExcerpt(gateway.content, at),
    },
  ]
}

function firstDifference(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length)
  let at = 0
  while (at < length && a[at] === b[at]) at++
  return at
}

/** A length goes with its content: where that may differ, so may its length. */
function followContent(finding: Finding): Finding {
  const { part, straight, gateway } = finding
  if (straight === undefined || gateway === undefined || !finding.isInValue) return finding
  if (part === 'trailer' || (part === 'field line' && describesContent(nameOf(straight.text)))) {
    return excuse(finding, 'not repeatable')
  }
  return finding
}

function compareChunks(straight: Message, gateway: Message, { isLive }: Repeatability): Finding[] {
  const { expected, changes } = expectChunkSizes(straight)
  if (straight.framing !== 'chunked' || gateway.framing !== 'chunked') return []
  if (same(straight.chunkLines, gateway.chunkLines)) return []
  const notes = byContract('chunk boundaries', changes)
  if (same(expected, gateway.chunkLines)) return notes
  const at = expected.findIndex((line, index) => line !== gateway.chunkLines[index])
  const place = at === -1 ? expected.length : at
  const what = `differ from chunk ${place + 1} of ${expected.length} on`
  const shown = (lines: readonly string[]): string => lines.slice(place, place + 12).join(' ')
  const verdict = isLive ? 'volatile' : 'different'
  return [...notes, found(verdict, 'chunk boundaries', what, shown(expected), shown(gateway.chunkLines))]
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index])
}

function compareTrailers(straight: Message, gateway: Message, repeatability: Repeatability): Finding[] {
  const { expected, changes } = expectTrailers(straight.trailers)
  const volatility = volatilityIn(repeatability)
  return [
    ...byContract('trailer', changes),
    ...compareLines({ part: 'trailer', straight: expected, gateway: gateway.trailers, volatility }),
  ]
}

function compareEnds(straight: Message, gateway: Message): Finding[] {
  const findings: Finding[] = []
  const said = ({ end, fault }: Message): string => (fault === undefined ? end : `${end}: ${fault}`)
  const isUnreadable = straight.end === 'unreadable' || gateway.end === 'unreadable'
  if (said(straight) !== said(gateway) || isUnreadable) {
    const what = isUnreadable ? 'cannot be compared' : 'is another one'
    findings.push(found('different', 'end', what, said(straight), said(gateway)))
  }
  if (!straight.surplus.equals(gateway.surplus)) {
    const [s, g] = [straight, gateway].map(({ surplus }) => surplus.toString('latin1'))
    findings.push(found('different', 'end', 'has further bytes after it', s, g))
  }
  return findings
}

function found(
  verdict: Verdict,
  part: Part,
  what: string,
  straight: string | undefined,
  gateway: string | undefined,
): Finding {
  return { verdict, part, what, ...excerpts(straight, gateway) }
}
