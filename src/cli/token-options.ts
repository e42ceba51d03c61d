import { DEFAULT_CONFIG_PATH, type GivenOptions, type OptionName, shownOption } from './usage.ts'

/** What `fluxgate token` was asked to do: checked as far as the command line alone tells. */

export interface TokenWish {
  readonly id: string | undefined
  readonly subject: string | undefined
  /** Empty: what the key wants. */
  readonly audiences: readonly string[]
  readonly issuer: string | undefined
  /** Seconds since 1970; Infinity: never. */
  readonly expires: number
  readonly notBefore: number | undefined
}

export interface TokenOptions {
  readonly configPath: string
  /** A token, or `-` for stdin. */
  readonly check: string | undefined
  readonly wish: TokenWish
}

const DEFAULT_SECONDS = 3_600
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 }
const SPAN = /^(-?)((?:\d{1,9}[smhdw])+)$/
/** RFC 3339, or a date, which begins at midnight UTC. */
const POINT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))?$/
/** The last second that is written with four digits for its year. */
const LAST_SECOND = 253_402_300_799

const TIME = 'must be a span from now such as 30m, 8h or 7d, or a time such as 2030-01-31T12:00:00Z'

/** The options, or what is wrong with them. `nowSeconds` is wall-clock time since 1970. */
export function readTokenOptions(given: GivenOptions, nowSeconds: number): TokenOptions | string {
  const value = (option: OptionName): string | undefined => given.get(option)?.[0]
  const check = value('--check')
  const other = [...given.keys()].find((option) => option !== '--config' && option !== '--check')
  if (check !== undefined && other !== undefined) {
    return `the argument '${shownOption(other)}' cannot be used with '--check'`
  }
  if (check === '-' && value('--config') === '-') return 'the configuration and the token cannot both come from stdin'
  const start = value('--not-before')
  const notBefore = start === undefined ? undefined : readTime(start, nowSeconds)
  if (Number.isNaN(notBefore)) return invalid('--not-before', start!, TIME)
  const end = value('--expires')
  const expires = readEnd(end, nowSeconds, notBefore ?? nowSeconds)
  if (Number.isNaN(expires)) return invalid('--expires', end!, `${TIME}, or never`)
  if (notBefore !== undefined && expires <= notBefore) return 'the token would end before it begins'
  const wish: TokenWish = {
    id: value('--id'),
    subject: value('--subject'),
    audiences: given.get('--audience') ?? [],
    issuer: value('--issuer'),
    expires,
    notBefore,
  }
  return { configPath: value('--config') ?? DEFAULT_CONFIG_PATH, check, wish }
}

function readEnd(text: string | undefined, now: number, start: number): number {
  if (text === undefined) return Math.floor(start) + DEFAULT_SECONDS
  return text === 'never' ? Number.POSITIVE_INFINITY : readTime(text, now)
}

/** NaN where the text is no time, or one that no calendar shows. */
function readTime(text: string, now: number): number {
  const span = SPAN.exec(text)
  const seconds = span === null ? readPoint(text) : Math.floor(now) + Number(`${span[1]}${lengthOf(span[2]!)}`)
  return seconds >= 0 && seconds <= LAST_SECOND ? seconds : Number.NaN
}

function lengthOf(span: string): number {
  let seconds = 0
  for (const [, count, unit] of span.matchAll(/(\d+)([smhdw])/g)) seconds += Number(count) * SECONDS[unit!]!
  return seconds
}

function readPoint(text: string): number {
  return POINT.test(text) ? Date.parse(text) / 1000 : Number.NaN
}

function invalid(option: OptionName, text: string, reason: string): string {
  return `invalid value '${text}' for '${shownOption(option)}': ${reason}`
}
