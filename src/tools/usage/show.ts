/** An answer as a table, as CSV, as JSON. */
import type { Line } from './answer.ts'
import { DIMENSIONS, type Question } from './question.ts'

const NUMBERS = [
  'requests',
  'errors',
  'input_tokens',
  'cached_tokens',
  'cache_write_tokens',
  'output_tokens',
  'reasoning_tokens',
  'cost_usd',
  'ttft_p50_ms',
  'ttft_p95_ms',
] as const

/** Undefined: not known. */
function numbersOf(line: Line): readonly (number | undefined)[] {
  return [
    line.requests,
    line.errors,
    line.inputTokens,
    line.cachedTokens,
    line.cacheWriteTokens,
    line.outputTokens,
    line.reasoningTokens,
    line.costNanoUsd / 1e9,
    rounded(line.ttftP50Ms),
    rounded(line.ttftP95Ms),
  ]
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10
}

/** What costs most comes first; times come in their order. */
export function inOrder(lines: readonly Line[], { by }: Question): readonly Line[] {
  const times = by.flatMap((name, index) => (name === 'day' || name === 'hour' ? [index] : []))
  return [...lines].sort((a, b) => {
    for (const index of times) {
      const order = compare(a.values[index]!, b.values[index]!)
      if (order !== 0) return order
    }
    return b.costNanoUsd - a.costNanoUsd || b.requests - a.requests || compare(a.values.join('\0'), b.values.join('\0'))
  })
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export function asJson(lines: readonly Line[], { by }: Question): string {
  const objects = lines.map((line) => {
    const values = by.map((name, index) => {
      const value = line.values[index]!
      if (value === '') return [DIMENSIONS[name], null]
      return [DIMENSIONS[name], name === 'status' ? Number(value) : value]
    })
    const numbers = numbersOf(line)
    return JSON.stringify(
      Object.fromEntries([...values, ...NUMBERS.map((name, index) => [name, numbers[index] ?? null])]),
    )
  })
  return objects.length === 0 ? '[]\n' : `[\n${objects.join(',\n')}\n]\n`
}

/** RFC 4180, but for lines that end as lines do here. */
export function asCsv(lines: readonly Line[], { by }: Question): string {
  const head = [...by.map((name) => DIMENSIONS[name]), ...NUMBERS]
  const rows = lines.map((line) => [
    ...line.values.map(csvText),
    ...numbersOf(line).map((number) => (number === undefined ? '' : plain(number))),
  ])
  return `${[head, ...rows].map((row) => row.join(',')).join('\n')}\n`
}

/** What a spreadsheet would take for a formula is a text: models and keys have names that others chose. */
function csvText(value: string): string {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Small costs without an exponent. */
function plain(number: number): string {
  return Number.isInteger(number) ? String(number) : number.toFixed(9).replace(/\.?0+$/, '')
}

export function asTable(lines: readonly Line[], { by }: Question): string {
  const head = [...by.map((name) => DIMENSIONS[name].toUpperCase()), ...NUMBERS.map((name) => name.toUpperCase())]
  const rows = lines.map((line) => [...line.values.map(shown), ...numbersOf(line).map(cellOf)])
  const sum = lines.length > 1 ? [totalsOf(lines, by.length)] : []
  const all = [head, ...rows, ...sum]
  const widths = head.map((_, index) => Math.max(...all.map((row) => row[index]!.length)))
  const isText = (index: number): boolean => index < by.length
  return all
    .map((row) =>
      row.map((cell, index) => (isText(index) ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!))),
    )
    .map((cells) => `${cells.join('  ').trimEnd()}\n`)
    .join('')
}

/** Percentiles do not add up. */
function totalsOf(lines: readonly Line[], dimensions: number): string[] {
  const sums = lines
    .map(numbersOf)
    .reduce((all, numbers) => all.map((sum, index) => (sum ?? 0) + (numbers[index] ?? 0)))
  const names = Array.from({ length: dimensions }, (_, index) => (index === 0 ? 'total' : ''))
  return [...names, ...sums.map((sum, index) => (index < 8 ? cellOf(sum, index) : ''))]
}

function cellOf(number: number | undefined, index: number): string {
  if (number === undefined) return '-'
  return NUMBERS[index] === 'cost_usd' ? number.toFixed(number !== 0 && number < 0.01 ? 6 : 2) : String(number)
}

/** A terminal obeys control characters, and a name may hold some. */
function shown(value: string): string {
  if (value === '') return '-'
  const text = value.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '\ufffd')
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

/** What a reader has to know before the sums are taken for an invoice. */
export function caveats(lines: readonly Line[]): readonly string[] {
  const sum = (count: (line: Line) => number): number => lines.reduce((all, line) => all + count(line), 0)
  const of = ` of ${sum(({ requests }) => requests)} requests`
  const told: [number, string][] = [
    [sum(({ estimated }) => estimated), `${of}: usage is partial or estimated`],
    [sum(({ unknown }) => unknown), `${of}: usage is unknown and not in the sums`],
    [sum(({ unpriced }) => unpriced), `${of}: no price is known, and cost_usd leaves them out`],
  ]
  return told.filter(([count]) => count > 0).map(([count, text]) => `${count}${text}`)
}
