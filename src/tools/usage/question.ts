/** What `fluxgate usage` is asked, from its options. */

/** By what name the command line has it, and what it is called in answers: as in a record. */
export const DIMENSIONS = {
  key: 'api_key',
  model: 'model',
  upstream: 'upstream',
  day: 'day',
  hour: 'hour',
  status: 'status',
  outcome: 'outcome',
} as const

export type Dimension = keyof typeof DIMENSIONS

export interface Condition {
  readonly dimension: Dimension
  /** Each `*` stands for any text. */
  readonly pattern: string
}

export interface Question {
  readonly by: readonly Dimension[]
  readonly where: readonly Condition[]
  /** Milliseconds since 1970; exchanges that ended from here on… */
  readonly sinceMs: number
  /** …and before. */
  readonly untilMs: number
}

export interface QuestionText {
  readonly by: readonly string[]
  readonly where: readonly string[]
  readonly since: string | undefined
  readonly until: string | undefined
}

const DEFAULT_SINCE = '7d'
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const TIMES = '30m, 24h, 7d or 4w before now, or a time such as 2026-01-31 or 2026-01-31T12:00:00Z'

/** The question, or what is wrong with it. */
export function readQuestion(text: QuestionText, nowMs: number): Question | string {
  const by = text.by.flatMap((names) => names.split(',')).map((name) => name.trim())
  const unknown = by.find((name) => !isDimension(name))
  const known = Object.keys(DIMENSIONS).join(', ')
  if (unknown !== undefined) return `invalid value '${unknown}' for '--by <NAMES>'; known are ${known}`
  const where: Condition[] = []
  for (const condition of text.where) {
    const equals = condition.indexOf('=')
    const name = condition.slice(0, Math.max(0, equals)).trim()
    const dimension = name === 'api_key' ? 'key' : name
    if (!isDimension(dimension)) {
      return `invalid value '${condition}' for '--where <NAME=PATTERN>'; known names are ${known}`
    }
    where.push({ dimension, pattern: condition.slice(equals + 1) })
  }
  const sinceMs = readTime(text.since ?? DEFAULT_SINCE, nowMs)
  if (sinceMs === undefined) return `invalid value '${text.since}' for '--since <TIME>'; it takes ${TIMES}`
  const untilMs = text.until === undefined ? nowMs : readTime(text.until, nowMs)
  if (untilMs === undefined) return `invalid value '${text.until}' for '--until <TIME>'; it takes ${TIMES}`
  if (untilMs <= sinceMs) return "'--until <TIME>' is not after '--since <TIME>'"
  return { by: [...new Set(by as Dimension[])], where, sinceMs, untilMs }
}

function isDimension(name: string): name is Dimension {
  return Object.hasOwn(DIMENSIONS, name)
}

/** Nothing in a ledger is older than 1970, and not every server knows a year that is. */
function readTime(text: string, nowMs: number): number | undefined {
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(text) ?? []
  const ms = unit !== undefined ? nowMs - Number(count) * UNITS[unit]! : readDate(text)
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

/** Without an offset it is UTC, as everything in the ledger is. NaN: it is no time. */
function readDate(text: string): number {
  const [, date, time, offset] =
    /^(\d{4}-\d{2}-\d{2})(?:(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(text) ?? []
  if (date === undefined) return Number.NaN
  // The 31st of February would be read as the 3rd of March.
  const day = new Date(Date.parse(date))
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== date) return Number.NaN
  return time === undefined ? day.getTime() : Date.parse(`${date}${time}${offset ?? 'Z'}`)
}
