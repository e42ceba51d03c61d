/** From what a program gives to settings, on the way that a file takes. */
import { hash } from 'node:crypto'
import { resolve } from 'node:path'
import { loadSettings, MAX_CONFIGURATION_BYTES, type Problem } from '../config/load.ts'
import type { Settings } from '../config/settings.ts'
import { readSource, type SourceContent } from '../config/source.ts'
import { decode } from '../config/text/decode.ts'
import { parse } from '../config/text/parse.ts'
import { formatProblem } from '../config/text/problem.ts'
import { isGiven } from '../config/text/tree.ts'
import type { ConfigurationFile, GatewayConfiguration } from '../library.ts'
import { failed } from './failed.ts'

export interface Loaded {
  readonly settings: Settings
  readonly warnings: readonly string[]
}

/** What problems of an object are said to be in. */
const OBJECT = 'config'

/** @throws GatewayError with every problem */
export function load(given: GatewayConfiguration | ConfigurationFile, env: NodeJS.ProcessEnv): Loaded {
  if (typeof given !== 'object' || given === null) throw invalid([`${OBJECT}: must be an object, or { path: FILE }`])
  const path = 'path' in given && typeof given.path === 'string' ? resolve(given.path) : undefined
  const content = path === undefined ? contentOf(given) : readSource(path, MAX_CONFIGURATION_BYTES)
  const loaded = loadSettings(content.path, env, content)
  const show = (problem: Problem): string => formatProblem(path === undefined ? placeless(problem) : problem)
  if (!loaded.ok) throw invalid(loaded.problems.map(show))
  const { settings } = loaded
  const server = asksForWorkers(content) ? settings.server : { ...settings.server, workers: 1 }
  return { settings: { ...settings, server }, warnings: loaded.warnings.map(show) }
}

function invalid(problems: readonly string[]): Error {
  return failed('ERR_FLUXGATE_CONFIGURATION', `the configuration is not valid:\n  ${problems.join('\n  ')}`, problems)
}

function contentOf(given: unknown): SourceContent {
  const bytes = Buffer.from(textOf(given))
  return {
    path: OBJECT,
    limit: MAX_CONFIGURATION_BYTES,
    digest: hash('sha256', bytes, 'hex'),
    obstacle: undefined,
    stamp: '',
    bytes,
    wrong: undefined,
  }
}

/** JSON is YAML, but for one character that YAML wants escaped. */
function textOf(given: unknown): string {
  try {
    const text = JSON.stringify(given, (_, value: unknown) => {
      if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(`holds a ${typeof value}`)
      return value
    })
    return (text ?? 'null').replaceAll('\x7f', '\\u007f')
  } catch (error) {
    // Of a cycle, V8 tells on several lines which names are in it.
    const why = String((error as Error).message).split('\n', 1)[0]!
    throw invalid([`${OBJECT}: cannot be written as JSON: ${why}`])
  }
}

/** Lines and columns are of a text that nobody has seen. */
function placeless(problem: Problem): Problem {
  return { ...problem, line: undefined, column: undefined }
}

/** What a command takes, every processor, is too much of a program in which it is one of many things. */
function asksForWorkers({ bytes }: SourceContent): boolean {
  const text = decode(bytes)
  return typeof text === 'string' && isGiven(parse(text).root, ['server', 'workers'])
}
