import { compareLines } from './compare-lines.ts'
import { describeContents } from './content-shape.ts'
import { type Change, expectChunkSizes, expectLines, expectStartLine, expectTrailers } from './contract.ts'
import { contentExcerpt, excerpts, type Finding, type Part, type Verdict } from './finding.ts'
import { type Head, type Message, nameOf, valuesOf } from './message.ts'
import { type Volatility, volatilityOf } from './volatile.ts'

/**
 * One message as it came straight and as it came through the gateway: everything in which they differ. Pure: the messages
 * decide, and what is known about how repeatable they are.
 */

export interface Repeatability {
  /** A provider answered twice. False: both messages come from one script, and every byte counts. */
  readonly isLive: boolean
  /** Names of fields (lower-case) that already differed between two answers that both came straight. */
  readonly variable: ReadonlySet<string>
  /** Two answers to the same request have the same content. */
  readonly hasSameContent: boolean
}

export const SCRIPTED: Repeatability = { isLive: false, variable: new Set(), hasSameContent: true }

export function compareMessages(straight: Message, gateway: Message, repeatability: Repeatability): Finding[] {
  const refusal = ownAnswer(straight, gateway)
  if (refusal !== undefined) return [refusal]
  const contents = compareContents(straight, gateway, repeatability)
  return [
    ...compareInterim(straight, gateway, repeatability),
    ...compareHeads('start line', 'field line', straight, gateway, repeatability),
    ...compareFraming(straight, gateway),
    ...contents,
    ...compareChunks(straight, gateway, repeatability),
    ...compareTrailers(straight, gateway, repeatability),
    ...compareEnds(straight, gateway),
  ].map((finding) => followContent(finding, contents))
}

/** What a provider answers differently from one time to the next, seen in two answers that both came straight. */
export function observeVariation(first: Message, second: Message): { fields: Set<string>; content: boolean } {
  const findings = [
    ...compareLines(exactly('field line', first.lines, second.lines)),
    ...compareLines(exactly('trailer', first.trailers, second.trailers)),
  ]
  const names = findings.flatMap(({ straight, gateway }) => [straight, gateway]).map((side) => nameOf(side?.text ?? ''))
  return { fields: new Set(names.filter((name) => name !== '')), content: !first.content.equals(second.content) }
}

function exactly(part: Part, straight: readonly string[], gateway: readonly string[]) {
  return { part, straight, gateway, volatility: (): Volatility => 'none' }
}

/** An answer that the gateway made itself is no version of the provider's: comparing on would only hide that. */
function ownAnswer(straight: Message, gateway: Message): Finding | undefined {
  const code = valuesOf(gateway.lines, 'x-fluxgate-error')[0]
  if (code === undefined || valuesOf(straight.lines, 'x-fluxgate-error').length > 0) return undefined
  const what = `is not the one of the provider: the gateway answered by itself (x-fluxgate-error: ${code})`
  return { verdict: 'different', part: 'start line', what, ...excerpts(straight.startLine, gateway.startLine) }
}

function compareHeads(start: Part, line: Part, straight: Head, gateway: Head, { isLive, variable }: Repeatability) {
  const startLine = expectStartLine(straight.startLine)
  const lines = expectLines(straight)
  const volatility = (name: string): Volatility => {
    if (!isLive) return 'none'
    return variable.has(name) ? 'presence' : volatilityOf(name)
  }
  const findings = byContract(start, startLine.changes)
  if (gateway.startLine !== startLine.expected) {
    findings.push({
      verdict: 'different',
      part: start,
      what: 'is another one',
      ...excerpts(startLine.expected, gateway.startLine),
    })
  }
  findings.push(...byContract(line, lines.changes))
  findings.push(...compareLines({ part: line, straight: lines.expected, gateway: gateway.lines, volatility }))
  return findings
}

function byContract(part: Part, changes: readonly Change[]): Finding[] {
  return changes.map(({ what, straight }) => {
    return { verdict: 'by contract', part, what, straight: { text: straight, at: 0 }, gateway: undefined }
  })
}

function compareInterim(straight: Message, gateway: Message, repeatability: Repeatability): Finding[] {
  const findings: Finding[] = []
  for (let i = 0; i < Math.max(straight.interim.length, gateway.interim.length); i++) {
    const s = straight.interim[i]
    const g = gateway.interim[i]
    if (s !== undefined && g !== undefined) {
      findings.push(...compareHeads('interim response', 'interim response', s, g, repeatability))
      continue
    }
    findings.push({
      verdict: repeatability.isLive ? 'volatile' : 'different',
      part: 'interim response',
      what: g === undefined ? `${i + 1} is missing` : `${i + 1} is added`,
      straight: s && { text: s.startLine, at: 0 },
      gateway: g && { text: g.startLine, at: 0 },
    })
  }
  return findings
}

function compareFraming(straight: Message, gateway: Message): Finding[] {
  if (straight.framing === gateway.framing) return []
  return [texts('different', 'framing', 'is another one', straight.framing, gateway.framing)]
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
function followContent(finding: Finding, [content]: readonly Finding[]): Finding {
  const { verdict, part, straight, gateway } = finding
  if (content?.verdict !== 'not repeatable' || verdict !== 'different' || part !== 'field line') return finding
  const isLength = [straight, gateway].every((side) => /^content-length:/i.test(side?.text ?? ''))
  return isLength ? { ...finding, verdict: 'not repeatable' } : finding
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
  return [...notes, texts(verdict, 'chunk boundaries', what, shown(expected), shown(gateway.chunkLines))]
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index])
}

function compareTrailers(straight: Message, gateway: Message, { isLive, variable }: Repeatability): Finding[] {
  const { expected, changes } = expectTrailers(straight.trailers)
  const volatility = (name: string): Volatility => (isLive && variable.has(name) ? 'presence' : 'none')
  return [
    ...byContract('trailer', changes),
    ...compareLines({ part: 'trailer', straight: expected, gateway: gateway.trailers, volatility }),
  ]
}

function compareEnds(straight: Message, gateway: Message): Finding[] {
  const findings: Finding[] = []
  const said = ({ end, fault }: Message): string => (fault === undefined ? end : `${end}: ${fault}`)
  if (said(straight) !== said(gateway)) {
    findings.push(texts('different', 'end', 'is another one', said(straight), said(gateway)))
  }
  if (!straight.surplus.equals(gateway.surplus)) {
    const sides = excerpts(straight.surplus.toString('latin1'), gateway.surplus.toString('latin1'))
    findings.push({ verdict: 'different', part: 'end', what: 'has further bytes after it', ...sides })
  }
  return findings
}

function texts(verdict: Verdict, part: Part, what: string, straight: string, gateway: string): Finding {
  return { verdict, part, what, straight: { text: straight, at: 0 }, gateway: { text: gateway, at: 0 } }
}
