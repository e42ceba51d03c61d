import type { Snapshot } from '../config/snapshot.ts'
import { SLOT, Tally } from '../workers/tally.ts'
import { createRecordWriter } from './access-log.ts'
import { announce, EVENTS } from './events.ts'
import { createLog, formatEvent, isLevelEnabled, LEVELS, type Log, type LogFormat, type LogSettings } from './log.ts'
import type { RequestRecord } from './record.ts'
import { createRingSink } from './ring-sink.ts'
import { createSink, type LineIntake, type Sink } from './sink.ts'
import { openStdout } from './stdout.ts'
import { collectLines, type WorkerWay } from './worker-lines.ts'

/** The environment's settings, the log and the writer of request records, over one sink: all that a command needs to log. */

interface Variable<Value extends string> {
  readonly name: string
  /** The first one is the default. */
  readonly values: readonly Value[]
  readonly meaning: string
}

export const LOG_LEVEL: Variable<(typeof LEVELS)[number]> = {
  name: 'FLUXGATE_LOG',
  values: LEVELS,
  meaning: 'The least level that is written.',
}
export const LOG_FORMAT: Variable<LogFormat> = {
  name: 'FLUXGATE_LOG_FORMAT',
  values: ['text', 'json', 'gcp'],
  meaning: 'Lines of text, one JSON object per line, or such objects as Google Cloud reads them.',
}
export const LOG_STYLE: Variable<'auto' | 'always' | 'never'> = {
  name: 'FLUXGATE_LOG_STYLE',
  values: ['auto', 'always', 'never'],
  meaning:
    'Colour of the level in lines of text; `auto`: on a terminal, unless `NO_COLOR` is set and not empty, or `TERM` is `dumb`.',
}

export interface LogEnvironment {
  readonly settings: LogSettings
  /** Variables whose value is none of theirs; the default took its place. */
  readonly unknown: readonly { readonly name: string; readonly value: string; readonly expected: string }[]
}

export function readLogEnvironment(env: NodeJS.ProcessEnv, isTerminal: boolean): LogEnvironment {
  const unknown: { name: string; value: string; expected: string }[] = []
  function read<Value extends string>({ name, values }: Variable<Value>): Value {
    const value = env[name] ?? ''
    const known = values.find((candidate) => candidate === value.toLowerCase())
    // empty is unset: that is how compose files and unit files leave a variable out
    if (known === undefined && value !== '') unknown.push({ name, value, expected: values.join('|') })
    return known ?? values[0]!
  }
  const style = read(LOG_STYLE)
  // no-color.org: what is set for this program alone goes before it.
  const wantsNone = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
  const colour = style === 'always' || (style === 'auto' && isTerminal && !wantsNone)
  return { settings: { level: read(LOG_LEVEL), format: read(LOG_FORMAT), colour }, unknown }
}

export interface Logging {
  readonly log: Log
  readonly writeRecord: (record: RequestRecord, snapshot: Snapshot) => void
  /** Text for a person, as it is, in order with the log. */
  print(text: string): void
  /** Writes what can be written without waiting. */
  flushNow(): void
  /** Before an exit: waits for a slow reader, for one second at most, or for as long as is said. */
  flush(limitMs?: number): Promise<void>
}

/** Of the thread that writes. */
export interface MainLogging extends Logging {
  /** What this thread has counted. */
  readonly tally: Tally
  /** The way of another thread's lines into this log; that thread opens its end with `openWorkerLogging`. */
  workerLines(): WorkerWay
}

/** `tally`: where records and lines that were left out are counted. */
export function openLogging(env: NodeJS.ProcessEnv = process.env, tally: Tally = new Tally()): MainLogging {
  const { fd, isTerminal } = openStdout()
  const environment = readLogEnvironment(env, isTerminal)
  return createLogging(environment, createSink({ fd, describeDropped: droppedIn(environment.settings), tally }), tally)
}

/** The line that stands where lines are missing. */
export function droppedIn(settings: LogSettings): (count: number) => string {
  const { level, message } = EVENTS.dropped
  return (count) => (isLevelEnabled(settings, level) ? formatEvent(settings, level, message, { count }) : '')
}

/** All that logs through this sink, which counts in the same tally. */
export function createLogging(
  { settings, unknown }: LogEnvironment,
  sink: Sink & LineIntake,
  tally: Tally,
): MainLogging {
  const log = createLog(settings, sink.writeSoon)
  for (const { name, value, expected } of unknown) {
    announce(log, EVENTS.unknownSetting, { name, value, expected })
  }
  const openWay = collectLines(sink, tally)
  return {
    log,
    ...membersOf(settings, sink, tally),
    tally,
    workerLines: () => ({ ...openWay(), settings }),
  }
}

/**
 * The same in a worker, with the same settings. Its lines go through `shared`, of `workerLines`, to the thread that writes.
 * `notify` asks that one to `drain`; with a line, which is too long for the ring, to `post` it. Its calls have to keep their order.
 */
export function openWorkerLogging(
  shared: SharedArrayBuffer,
  notify: (line?: string) => void,
  settings: LogSettings,
  tally: Tally = new Tally(),
): Logging {
  const sink = createRingSink(shared, { notify, tally })
  return { log: createLog(settings, sink.writeSoon), ...membersOf(settings, sink, tally) }
}

function membersOf(settings: LogSettings, sink: Sink, tally: Tally): Omit<Logging, 'log'> {
  const write = (line: string): void => {
    tally.add(SLOT.records, 1)
    sink.write(line)
  }
  return {
    writeRecord: createRecordWriter(settings, write),
    print: sink.writeSoon,
    flushNow: sink.flushNow,
    flush: sink.flush,
  }
}
