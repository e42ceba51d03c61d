import { timestamp } from '../runtime/clock.ts'
import { quote, textMessage, textValue } from './escape.ts'

/** Events of the gateway itself, as lines of text or JSON. Requests have their own lines: see access-log.ts. */

export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error'
/** `gcp`: JSON as Google Cloud reads it. */
export type LogFormat = 'text' | 'json' | 'gcp'
export type FieldValue = string | number | boolean | undefined
/** snake_case names and what they hold; undefined values are left out. */
export type Fields = Readonly<Record<string, FieldValue>>

export interface Log {
  trace(message: string, fields?: Fields): void
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** Whether a line of this level is written at all. */
  isEnabled(level: Level): boolean
}

export interface LogSettings {
  /** The least level that is written; `none`: no line at all. */
  readonly level: Level | 'none'
  readonly format: LogFormat
  readonly colour: boolean
}

/** From the least to the most important. */
export const LEVELS: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error']

const COLOURS: Readonly<Record<Level, number>> = { trace: 35, debug: 34, info: 32, warn: 33, error: 31 }

/** Google Cloud's LogSeverity has nothing below DEBUG. */
const SEVERITIES: Readonly<Record<Level, string>> = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
}

/**
 * Names that are others in JSON. Log systems take a member `status` for the severity of a line, and in records it is a number: one
 * name has one meaning there.
 */
const JSON_NAMES: Readonly<Record<string, string>> = { status: 'result' }

/** What an event's field is called in JSON. */
export function jsonName(name: string): string {
  return Object.hasOwn(JSON_NAMES, name) ? JSON_NAMES[name]! : name
}

export function isLevelEnabled(settings: LogSettings, level: Level): boolean {
  return settings.level !== 'none' && LEVELS.indexOf(level) >= LEVELS.indexOf(settings.level)
}

/** What stands between the timestamp and the fields; the same for every line of one level and message. */
export function lineHead(settings: LogSettings, level: Level, message: string): string {
  const name = level.toUpperCase()
  if (settings.format === 'json') return `","level":"${name}","message":${quote(message)}`
  if (settings.format === 'gcp') return `","severity":"${SEVERITIES[level]}","message":${quote(message)}`
  const shown = settings.colour ? `\u001b[${COLOURS[level]}m${name}\u001b[0m` : name
  return ` ${shown} ${textMessage(message)}`
}

/** One event as one line, its line end included. */
export function formatEvent(settings: LogSettings, level: Level, message: string, fields: Fields = {}): string {
  const json = settings.format !== 'text'
  let line = (json ? '{"time":"' : '') + timestamp() + lineHead(settings, level, message)
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined) continue
    line += json ? `,${quote(jsonName(name))}:${jsonValue(value)}` : ` ${textValue(name)}=${textValue(String(value))}`
  }
  return line + (json ? '}\n' : '\n')
}

function jsonValue(value: string | number | boolean): string {
  if (typeof value === 'string') return quote(value)
  // JSON has no infinities and no NaN
  return typeof value === 'number' && !Number.isFinite(value) ? `"${value}"` : String(value)
}

export function createLog(settings: LogSettings, write: (line: string) => void): Log {
  function writer(level: Level): (message: string, fields?: Fields) => void {
    if (!isLevelEnabled(settings, level)) return () => {}
    return (message, fields) => write(formatEvent(settings, level, message, fields))
  }
  return {
    trace: writer('trace'),
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    isEnabled: (level) => isLevelEnabled(settings, level),
  }
}
