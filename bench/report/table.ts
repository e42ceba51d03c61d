import type { Result, Row } from './results.ts'
import type { Spread } from './statistics.ts'
import type { Verdict } from './targets.ts'

/** All results in one table: a line for each figure of each contender. */
export function table(results: readonly Result[]): string {
  const head = line('', '', 'median', 'min..max', 'ratio', 'min..max')
  return [head, ...results.flatMap(section)].join('\n')
}

function section({ scenario, title, yardstick, metrics, failures }: Result): string[] {
  const rows = metrics.flatMap((metric) =>
    metric.rows.map((row, i) => figureLine(i === 0 ? metric.title : '', row, metric.digits)),
  )
  const failed = failures.map(({ contender, why, isFault }) =>
    line('', contender, `${isFault ? 'failed' : 'not available'}: ${why}`),
  )
  return ['', `${scenario}: ${title} (ratio to ${yardstick})`, ...rows, ...failed]
}

function figureLine(title: string, { contender, figure, ratio }: Row, digits: number): string {
  const ratios = ratio === undefined ? [] : [ratio.median.toFixed(2), range(ratio, 2)]
  return line(title, contender, figure.median.toFixed(digits), range(figure, digits), ...ratios)
}

function range({ min, max }: Spread, digits: number): string {
  return `${min.toFixed(digits)}..${max.toFixed(digits)}`
}

function line(title: string, contender: string, figure: string, ...rest: readonly string[]): string {
  const [figures = '', ratio = '', ratios = ''] = rest
  const cells = [
    `  ${title.padEnd(22)}`,
    contender.padEnd(9),
    rest.length === 0 ? figure : figure.padStart(8),
    figures.padStart(16),
    ratio.padStart(7),
    ratios.padStart(12),
  ]
  return cells.join(' ').trimEnd()
}

/** What was aimed at, and whether it was reached. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map(({ scenario, title, of, most, found, state }) => {
    const what = `${scenario}: ${title}${of === 'figure' ? '' : `, ${of}`}`
    return `  ${what.padEnd(46)} ≤ ${String(most).padEnd(6)} ${(found?.toFixed(2) ?? '').padStart(8)}  ${state}`
  })
  return ['targets', ...lines].join('\n')
}
