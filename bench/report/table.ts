import type { Result, Row } from './results.ts'
import type { Spread } from './statistics.ts'

/** All results in one table: a line for each figure of each contender. */
export function table(results: readonly Result[]): string {
  const head = line('', '', 'median', 'min..max', 'ratio', 'min..max', 'target')
  return [head, ...results.flatMap(section)].join('\n')
}

function section({ title, yardstick, metrics, failures }: Result): string[] {
  const rows = metrics.flatMap((metric) =>
    metric.rows.map((row, i) => figureLine(i === 0 ? metric.title : '', row, metric.digits)),
  )
  const failed = failures.map((failure) => line('', failure.contender, `failed: ${failure.failed}`))
  return ['', `${title} (ratio to ${yardstick})`, ...rows, ...failed]
}

function figureLine(title: string, { contender, figure, ratio, target }: Row, digits: number): string {
  const ratios = ratio === undefined ? ['', ''] : [ratio.median.toFixed(2), range(ratio, 2)]
  const verdict = target === undefined ? '' : `${target.text}: ${target.isMet ? 'met' : 'missed'}`
  return line(title, contender, figure.median.toFixed(digits), range(figure, digits), ...ratios, verdict)
}

function range({ min, max }: Spread, digits: number): string {
  return `${min.toFixed(digits)}..${max.toFixed(digits)}`
}

function line(title: string, contender: string, figure: string, ...rest: readonly string[]): string {
  const [figures = '', ratio = '', ratios = '', target = ''] = rest
  const cells = [
    `  ${title.padEnd(22)}`,
    contender.padEnd(9),
    rest.length === 0 ? figure : figure.padStart(8),
    figures.padStart(16),
    ratio.padStart(7),
    ratios.padStart(12),
    ` ${target}`,
  ]
  return cells.join(' ').trimEnd()
}
