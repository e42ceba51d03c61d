import { readFileSync } from 'node:fs'
import { formatProblem, type LoadFailure, type LoadSuccess } from '../../config/load.ts'
import type { Settings, UpstreamSettings } from '../../config/settings.ts'
import type { Target } from '../../config/snapshot.ts'
import { credentialIn } from './mask.ts'
import type { RequestWish } from './request.ts'

/** What was asked for on the command line and what it needs from elsewhere: configuration, key, body. */

export interface DiffOptions {
  readonly isDirect: boolean
  readonly isStrict: boolean
  readonly configPath: string
  /** Undefined only with `isDirect`: a configuration of its own. */
  readonly upstream: string | undefined
  readonly gateway: Target | undefined
  /** File of certificates to trust as that gateway's. */
  readonly gatewayCa: string | undefined
  readonly keyFile: string | undefined
  /** One of the following was given. */
  readonly hasRequest: boolean
  readonly method: string | undefined
  readonly path: string | undefined
  readonly lines: readonly string[]
  readonly bodyFile: string | undefined
}

export interface Job {
  readonly isStrict: boolean
  readonly settings: Settings
  readonly upstream: UpstreamSettings
  /** Undefined: the gateway lets everybody in. */
  readonly key: string | undefined
  /** The gateway to compare; undefined: the one that the configuration names. */
  readonly gateway: Target | undefined
  /** PEM of certificates to trust as its; undefined: those of the machine, or the configuration's own. */
  readonly gatewayCa: string | undefined
  /** Undefined: nothing in particular. */
  readonly wish: RequestWish | undefined
  /** What must not be shown. */
  readonly secrets: readonly string[]
}

/** Something is missing or wrong before anything could be sent; the text is for a person. */
export class NotPrepared extends Error {}

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  /** File descriptor of stdin. */
  readonly stdin: number
}

export function prepareJob(options: DiffOptions, loaded: LoadSuccess | LoadFailure, around: Surroundings): Job {
  if (!loaded.ok) throw new NotPrepared(loaded.problems.map(formatProblem).join('\n'))
  const { settings } = loaded
  const upstream = settings.upstreams.find(({ name }) => name === options.upstream)
  if (upstream === undefined) {
    const names = settings.upstreams.map(({ name }) => name).join(', ')
    throw new NotPrepared(`the configuration has no upstream ${options.upstream}; it has: ${names || 'none'}`)
  }
  const key = readKey(options.keyFile, around)
  if (key === undefined && !settings.allowAnonymous) {
    throw new NotPrepared('a gateway key is needed: put it into FLUXGATE_DIFF_KEY, or name its file with --key-file')
  }
  const { lines, values } = fillFromEnvironment(options.lines, around.env)
  const given = [...options.lines.map(credentialIn), ...queryCredentials(options.path)]
  const secrets = [key, upstream.apiKey, ...values, ...given].filter((secret) => secret !== undefined)
  const wish: RequestWish | undefined = options.hasRequest
    ? { method: options.method, path: options.path, lines, content: readBody(options.bodyFile, around) }
    : undefined
  const { isStrict, gateway } = options
  const gatewayCa =
    options.gatewayCa === undefined ? undefined : read(options.gatewayCa, around.stdin).toString('latin1')
  return { isStrict, settings, upstream, key, gateway, gatewayCa, wish, secrets }
}

/** As the log does it: what a parameter with such a name holds is a secret, whoever gave it. */
function queryCredentials(path = ''): string[] {
  return [...path.matchAll(/[?&](?:key|api[-_]?key|access_token|token)=([^&]*)/gi)].map(([, value]) => value!)
}

function readKey(file: string | undefined, { env, stdin }: Surroundings): string | undefined {
  const text = file === undefined ? env['FLUXGATE_DIFF_KEY'] : read(file, stdin).toString()
  const key = text?.replace(/\r?\n$/, '')
  if (key === undefined || (key === '' && file === undefined)) return undefined
  if (key === '') throw new NotPrepared(`${file} holds no key`)
  if (/[\x00-\x1f\x7f]/.test(key)) throw new NotPrepared('the gateway key must not hold control characters')
  return key
}

function readBody(file: string | undefined, { stdin }: Surroundings): Buffer | undefined {
  return file === undefined ? undefined : read(file, stdin)
}

function read(file: string, stdin: number): Buffer {
  try {
    return readFileSync(file === '-' ? stdin : file)
  } catch (error) {
    throw new NotPrepared(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
}

/** `{env:NAME}` → the value of that variable. What comes out is the bytes of UTF-8, as everything from a terminal. */
function fillFromEnvironment(lines: readonly string[], env: NodeJS.ProcessEnv): { lines: string[]; values: string[] } {
  const values: string[] = []
  const filled = lines.map((line) => {
    return line.replace(/\{env:([^}]*)\}/g, (_, name: string) => {
      const value = env[name]
      if (value === undefined) throw new NotPrepared(`the environment has no variable ${name}`)
      if (/[\x00-\x1f\x7f]/.test(value)) throw new NotPrepared(`${name} must not hold control characters`)
      values.push(value)
      return value
    })
  })
  return { lines: filled.map((line) => Buffer.from(line).toString('latin1')), values }
}
