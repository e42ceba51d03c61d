import { hash } from 'node:crypto'
import type { Answered } from './client.ts'
import type { Excerpt, Finding } from './finding.ts'
import { type Mask, maskFieldLine, show } from './mask.ts'
import type { Message } from './message.ts'
import type { Compared } from './trial.ts'

/** What was compared and what came of it, as lines for a person. */

export interface Result {
  readonly name: string
  readonly compared: readonly Compared[]
}

export function isSame({ compared }: Result): boolean {
  return compared.every(({ findings }) => findings.every(({ verdict }) => verdict !== 'different'))
}

/** More of them in one message say nothing that these do not say. */
const FINDINGS = 100

export function formatResult(result: Result, mask: Mask): string {
  const lines = [`${isSame(result) ? 'same     ' : 'DIFFERENT'}  ${result.name}`]
  for (const { direction, straight, gateway, findings } of result.compared) {
    lines.push(`             ${direction.padEnd(8)}  ${describe(gateway ?? straight, mask)}`)
    for (const finding of findings.slice(0, FINDINGS)) {
      for (const line of formatFinding(finding, mask)) lines.push(`               ${line}`)
    }
    if (findings.length > FINDINGS) lines.push(`               and ${findings.length - FINDINGS} more`)
  }
  return `${lines.join('\n')}\n`
}

/** `23 of 24 the same`, and which ones are not. */
export function formatSummary(results: readonly Result[]): string {
  const different = results.filter((result) => !isSame(result))
  const count = `${results.length - different.length} of ${results.length} the same`
  if (different.length === 0) return `${count}\n`
  return `${count}; different: ${different.map(({ name }) => name).join('; ')}\n`
}

export function formatTiming(straight: Answered, gateway: Answered): string {
  const times = ({ headMs, wholeMs }: Answered): string =>
    `head after ${Math.round(headMs)} ms, all of it after ${Math.round(wholeMs)} ms`
  return `             timing    straight: ${times(straight)}; gateway: ${times(gateway)} (two answers, not one)\n`
}

/** All that was compared, in one line. */
function describe(message: Message, mask: Mask): string {
  const { startLine, lines, interim, trailers, end } = message
  const parts = [show(mask(startLine)), count(lines.length, 'field line'), describeBody(message)]
  if (interim.length > 0) parts.unshift(count(interim.length, 'interim response'))
  if (trailers.length > 0) parts.push(count(trailers.length, 'trailer'))
  if (end === 'cut') parts.push('broken off')
  if (end === 'unreadable') parts.push('unreadable')
  return parts.join(', ')
}

function describeBody({ framing, content, chunkLines }: Message): string {
  if (framing === 'none') return 'no body'
  const bytes = `${content.length} bytes`
  const digest = content.length > 0 ? ` (sha256 ${hash('sha256', content, 'hex').slice(0, 16)}…)` : ''
  if (framing === 'length') return `length ${bytes}${digest}`
  if (framing === 'until-close') return `${bytes} until the close${digest}`
  const chunks = chunkLines.filter((line) => !/^0+(?:$|[\t ;])/.test(line)).length
  return `${bytes} in ${count(chunks, 'chunk')}${digest}`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

const REMARKS = {
  different: '',
  volatile: ' (differs, volatile by nature)',
  'not repeatable': ' (differs, not repeatable: it does not count)',
  'by contract': ' (by contract)',
} as const

/** Names that a provider has given may be in it. */
const SUBJECT = 400

function formatFinding(finding: Finding, mask: Mask): string[] {
  const { verdict, part, what, straight, gateway } = finding
  const subject = `${part} ${show(mask(what), 0, SUBJECT)}${REMARKS[verdict]}`
  if (verdict === 'by contract') return [`${subject}: ${formatExcerpt(finding, straight ?? gateway!, mask)}`]
  if (straight === undefined && gateway === undefined) return [subject]
  const sides = [straight, gateway].map((side) => {
    return side === undefined ? '(nothing)' : formatExcerpt(finding, side, mask)
  })
  const hidden = sides[0] === sides[1] && straight?.text !== gateway?.text ? '  (they differ in what is not shown)' : ''
  return [subject, `  straight  ${sides[0]}`, `  gateway   ${sides[1]}${hidden}`]
}

function formatExcerpt({ part }: Finding, { text, at }: Excerpt, mask: Mask): string {
  const isLine = part === 'field line' || part === 'trailer' || part === 'interim response'
  return show(mask(isLine ? maskFieldLine(text) : text), at)
}
