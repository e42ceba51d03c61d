/** One way from a file to settings and to a configuration, for the start and for every reload. */
import { dirname, isAbsolute, resolve } from 'node:path'
import { assemble, type Configuration } from './assemble.ts'
import { parseBindAddress } from './compile/bind-address.ts'
import { compile } from './compile/compile.ts'
import type { Scope } from './compile/scope.ts'
import { compileWorkers } from './compile/server.ts'
import { isNameless, STDIN_PATH } from './pipe.ts'
import { DEFAULTS } from './schema/defaults.ts'
import { validate } from './schema/validate.ts'
import { DEFAULT_SETTINGS, type Settings } from './settings.ts'
import type { AdminSettings, BindAddress, ServerSettings } from './snapshot.ts'
import { type Obstacle, readSource, type Source, type SourceContent } from './source.ts'
import { decode, type TextFault } from './text/decode.ts'
import { type Parsed, parse } from './text/parse.ts'
import { byPlace, formatPath, formatProblem, type Path, type Problem, summarizeProblems } from './text/problem.ts'
import { isGiven, locate } from './text/tree.ts'

export { type Configuration, formatProblem, type Problem }

export const MAX_CONFIGURATION_BYTES = 10 * 1024 * 1024

export type LoadCause = 'parse' | 'validation' | 'io'

interface Loaded {
  readonly warnings: readonly Problem[]
  /** Every file that was read or looked for, the configuration file first. */
  readonly sources: readonly Source[]
}

/** Plain data, for other threads: `assemble` makes the configuration of it. */
export interface LoadedSettings extends Loaded {
  readonly ok: true
  readonly settings: Settings
}

export interface LoadSuccess extends LoadedSettings {
  readonly configuration: Configuration
}

export interface LoadFailure extends Loaded {
  readonly ok: false
  readonly cause: LoadCause
  /** Why the configuration file could not be read, if that was the cause. */
  readonly reason?: Obstacle
  readonly problems: readonly Problem[]
  /** All problems in one line, for the log. */
  readonly error: string
  /** What `server.bind_address` says, if that much can be read of the file: an address, or a text that is none. */
  readonly bindAddress?: BindAddress | string
  /** What else the file says of the way in, as far as it is valid: a balancer goes on sending what it is set up for. */
  readonly wayIn?: Pick<ServerSettings, 'socketMode' | 'proxyProtocol' | 'trustedProxies' | 'tls'>
  /** Where the operations door is, if that much can be read of the file: whoever watches sees then what is wrong. */
  readonly admin?: AdminSettings | undefined
}

/** What runs while there is no valid file: it tells everybody to come back, on the address of the file if that is known. */
export function defaultSettings({ bindAddress, wayIn, admin }: Partial<LoadFailure> = {}): Settings {
  const { server } = DEFAULT_SETTINGS
  const known = typeof bindAddress === 'object' ? { bindAddress } : {}
  return {
    ...DEFAULT_SETTINGS,
    admin,
    server: { ...server, workers: compileWorkers(DEFAULTS.workers), ...wayIn, ...known },
  }
}

export function defaultConfiguration(failure: Partial<LoadFailure> = {}): Configuration {
  return assemble(defaultSettings(failure))
}

/** `content`: what was read already, of a pipe. */
export function loadConfiguration(
  path: string,
  env?: NodeJS.ProcessEnv,
  content?: SourceContent,
): LoadSuccess | LoadFailure {
  const loaded = loadSettings(path, env, content)
  return loaded.ok ? { ...loaded, configuration: assemble(loaded.settings) } : loaded
}

/** `inForce`: what is served, where certificates of clients' connections stay if their files hold nothing of use. */
export function loadSettings(
  path: string,
  env: NodeJS.ProcessEnv = process.env,
  content = readSource(path, MAX_CONFIGURATION_BYTES),
  inForce?: Settings,
): LoadedSettings | LoadFailure {
  const sources = [sourceOf(content)]
  const file = path === STDIN_PATH ? '<stdin>' : path
  const fail = (cause: LoadCause, faults: readonly TextFault[]): LoadFailure => {
    const problems = faults.map((fault) => ({ file, path: '', ...fault }))
    return { ok: false, cause, problems, warnings: [], error: summarizeProblems(problems), sources }
  }
  if (content.obstacle !== undefined) {
    const where = content.obstacle === 'missing' && !isAbsolute(path) ? workingFolder() : ''
    const problem = { file, line: undefined, column: undefined, path: '', text: `${content.wrong ?? ''}${where}` }
    return { ...fail('io', []), reason: content.obstacle, problems: [problem], error: formatProblem(problem) }
  }
  const text = decode(content.bytes)
  if (typeof text !== 'string') return fail('parse', [text])
  const parsed = parse(text)
  if (parsed.faults.length > 0) return fail('parse', parsed.faults)
  const read = sourceReader(isNameless(path) ? '.' : dirname(path), sources)
  return interpret(file, parsed, { env, read, inForce: inForce?.server.tls }, sources)
}

/** A service often has another one than its operator. */
function workingFolder(): string {
  try {
    return ` (looked for in ${process.cwd()})`
  } catch {
    // It has been removed.
    return ''
  }
}

/** Parsed text → settings, or everything that is wrong with it. */
function interpret(
  file: string,
  { root, position }: Parsed,
  around: Pick<Scope, 'env' | 'read' | 'inForce'>,
  sources: readonly Source[],
): LoadedSettings | LoadFailure {
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const problemAt = (offset: number, path: Path, text: string) => ({
    file,
    ...position(offset),
    path: formatPath(shownPath(path)),
    text,
  })
  const problem = (path: Path, text: string) => void problems.push(problemAt(locate(root, path), path, text))
  const warning = (path: Path, text: string, at: number) => void warnings.push(problemAt(at, path, text))

  const document = validate(root, { problem, warning })
  const settings = compile(document, {
    ...around,
    problem,
    warning: (path, text) => warning(path, text, locate(root, path)),
    folder: dirname(file),
    isGiven: (path) => isGiven(root, path),
  })
  warnings.sort(byPlace)
  if (problems.length === 0) return { ok: true, settings, warnings, sources }
  problems.sort(byPlace)
  const bindText = document.server?.bind_address
  const parsed = bindText === undefined ? undefined : parseBindAddress(bindText, dirname(file))
  const bindAddress = parsed !== undefined && 'wrong' in parsed ? bindText : parsed
  const { socketMode, proxyProtocol, trustedProxies, tls } = settings.server
  return {
    ok: false,
    cause: 'validation',
    problems,
    warnings,
    error: summarizeProblems(problems),
    sources,
    ...(bindAddress !== undefined && { bindAddress }),
    wayIn: { socketMode, proxyProtocol, trustedProxies, tls },
    admin: settings.admin,
  }
}

const FIELD_NAME = /^[A-Za-z][A-Za-z_-]{0,39}$/

/** What is no usual name of a field is not repeated: without a blank behind its colon, `{ X-A:secret }` is one, with the value in it. */
function shownPath(path: Path): Path {
  const isField = path[0] === 'upstreams' && path[2] === 'set_fields' && path.length > 3
  return isField && !FIELD_NAME.test(String(path[3])) ? path.slice(0, 3) : path
}

/** Reads the files that the document names, each one once, and notes them among the sources. */
function sourceReader(folder: string, sources: Source[]): Scope['read'] {
  const contents = new Map<string, SourceContent>()
  return (path, limit) => {
    const place = resolve(folder, path)
    const known = contents.get(`${limit} ${place}`)
    if (known !== undefined) return known
    const content = readSource(place, limit)
    contents.set(`${limit} ${place}`, content)
    sources.push(sourceOf(content))
    return content
  }
}

/** What is kept of a file: enough to see that it changed, and not its content. */
function sourceOf({ path, limit, digest, obstacle, stamp }: SourceContent): Source {
  return { path, limit, digest, obstacle, stamp }
}
