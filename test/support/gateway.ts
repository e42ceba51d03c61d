import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS, Watch } from './deadline.ts'

export const CLIENT_KEY = 'fgk_0123456789abcdef0123456789abcdef'
export const PROVIDER_KEY = 'sk-provider-secret-0123456789'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LISTENING = /Fluxgate proxy server listening on ([^\s"]+)/g

/** Where the command under test is; a packaged build can be put in its place. */
export const COMMAND: string = process.env.FLUXGATE_TEST_COMMAND ?? path.join(ROOT, 'bin', 'fluxgate')

/** The value that JSON and therefore YAML can write. */
export type ConfigObject = { readonly [key: string]: unknown }

export interface GatewayOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Arguments after `--config PATH`. */
  readonly args?: readonly string[]
  /** Text in the log to wait for, or false for not waiting at all. Default: that it listens. */
  readonly wait?: string | false
  /** The environment's log format is JSON lines, so that records can be read; `text` for the default one. */
  readonly format?: 'json' | 'text'
  /** A command that ends by becoming the one in its last arguments: `['prlimit', '--nofile=64']`. */
  readonly under?: readonly string[]
  /** Descriptors that it has from 3 on. */
  readonly descriptors?: readonly number[]
  /** Gets every line of stdout as it comes. */
  readonly onLine?: (line: string) => void
}

/** One JSON line `Request processed`. */
export interface LoggedRecord {
  readonly time: string
  readonly level: string
  readonly message: string
  readonly client_ip?: string
  readonly peer_ip?: string
  readonly method: string
  readonly request_url: string
  readonly request_body_length?: number
  readonly api_key?: string
  readonly subject?: string
  readonly client_cert?: string
  readonly target_url?: string
  readonly upstream?: string
  readonly duration_ms: number
  readonly status?: number
  readonly response_body_length?: number
  readonly request_bytes: number
  readonly response_bytes: number
  readonly ttfb_ms?: number
  readonly outcome: 'complete' | 'client_abort' | 'upstream_abort' | 'timeout' | 'refused'
  readonly error?: string
  readonly upstream_address?: string
  readonly request_id?: string
  readonly cause?: string
  readonly model?: string
  readonly request_model?: string
  readonly input_tokens?: number
  readonly cached_tokens?: number
  readonly cache_write_tokens?: number
  readonly output_tokens?: number
  readonly reasoning_tokens?: number
  readonly cost_usd?: number
  readonly usage?: string
  readonly ttft_ms?: number
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Ends the process group should this process end in a way that leaves it no time to do so. */
function guard(pid: number): ChildProcess {
  const watchdog = spawn('sh', ['-c', `read -r _; kill -9 -${pid}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watchdog.on('error', () => {})
  watchdog.unref()
  ;(watchdog.stdin as Socket).unref()
  return watchdog
}

const running = new Set<RunningGateway>()
process.on('exit', () => {
  for (const gateway of running) gateway.kill()
})
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => process.exit(1))

/** How many workers there are where a test does not say it: one pool, and one order of things, unless everything is tried with more. */
const WORKERS = Number(process.env.FLUXGATE_TEST_WORKERS ?? 1)

/** The configuration that is written: version, an address with a free port, and one client key unless the test has its own. */
function complete(config: ConfigObject | string): string {
  if (typeof config === 'string') return config
  const server: ConfigObject = {
    bind_address: '127.0.0.1:0',
    workers: WORKERS,
    ...(config.server as ConfigObject | undefined),
  }
  const keys = server.allow_anonymous === true ? {} : { api_keys: { static: [{ id: 'test', key: CLIENT_KEY }] } }
  return `${JSON.stringify({ version: 1, ...keys, ...config, server }, null, 1)}\n` // JSON is YAML
}

export class RunningGateway implements AsyncDisposable {
  readonly directory: string
  readonly configPath: string
  readonly exited: Promise<Exit>
  /** Set once the process has exited. */
  exit: Exit | undefined
  readonly #child: ChildProcess
  readonly #guard: ChildProcess | undefined
  readonly #watch = new Watch()
  readonly #onLine: ((line: string) => void) | undefined
  #records: LoggedRecord[] = []
  #log = ''
  #stdoutLine = ''

  constructor(config: ConfigObject | string, options: GatewayOptions) {
    this.#onLine = options.onLine
    this.directory = mkdtempSync(path.join(tmpdir(), 'fluxgate-test-'))
    this.configPath = path.join(this.directory, 'fluxgate.yaml')
    writeFileSync(this.configPath, complete(config))
    const env: NodeJS.ProcessEnv = { ...process.env, FLUXGATE_LOG_STYLE: 'never', ...options.env }
    delete env.NODE_TEST_CONTEXT
    if (options.format !== 'text') env.FLUXGATE_LOG_FORMAT ??= 'json'
    const [command, ...args] = [...(options.under ?? []), COMMAND, '--config', this.configPath, ...(options.args ?? [])]
    this.#child = spawn(command!, args, {
      cwd: this.directory,
      env,
      detached: true, // a group of its own, so that `kill` reaches workers too
      stdio: ['ignore', 'pipe', 'pipe', ...(options.descriptors ?? [])],
    })
    running.add(this)
    this.#guard = this.#child.pid === undefined ? undefined : guard(this.#child.pid)
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#take(text, true))
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#take(text, false))
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.exit = { code, signal }
        this.#guard?.kill('SIGKILL')
        resolve(this.exit)
        this.#watch.notice()
      }
      this.#child.on('close', end)
      this.#child.on('error', (error) => {
        this.#log += error.message
        end(null, null)
      })
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** The port of the latest address that it said it listens on. */
  get port(): number {
    const address = [...this.#log.matchAll(LISTENING)].at(-1)?.[1]
    if (address === undefined) throw new Error(`it has not listened yet:\n${this.#log}`)
    return Number(address.slice(address.lastIndexOf(':') + 1))
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** All that it has written on stdout and stderr so far. */
  log(): string {
    return this.#log
  }

  /** The request records so far, in the order in which they were written. */
  records(): readonly LoggedRecord[] {
    return this.#records
  }

  /** Drops what it has written so far, but for the address that it listens on: for tests that make it write very much. */
  forget(): void {
    this.#log = [...this.#log.matchAll(LISTENING)].map(([line]) => `${line}\n`).at(-1) ?? ''
    this.#records = []
  }

  waitForRecord(
    predicate: (record: LoggedRecord) => boolean = () => true,
    ms: number = DEADLINE_MS,
  ): Promise<LoggedRecord> {
    return this.until(() => this.#records.find(predicate), 'a request record', ms)
  }

  /** Waits until the text stands in the log, `times` times over. */
  async waitForLog(text: string, times = 1, ms: number = DEADLINE_MS): Promise<void> {
    await this.until(() => this.#log.split(text).length > times, `${times} × ${JSON.stringify(text)} in the log`, ms)
  }

  until<T>(look: () => T | undefined | false, what: string, ms: number = DEADLINE_MS): Promise<T> {
    return this.#watch.until(
      () => {
        const found = look()
        if (this.exit !== undefined && (found === undefined || found === false)) {
          throw new Error(
            `it exited (${this.exit.code ?? this.exit.signal}) before ${what}:\n${this.#log.slice(-4000)}`,
          )
        }
        return found
      },
      () => `${what}; log:\n${this.#log.slice(-4000)}`,
      ms,
    )
  }

  /** Leaves what the gateway writes on stdout in the pipe, which is soon full. */
  pauseLog(): void {
    this.#child.stdout?.pause()
  }

  resumeLog(): void {
    this.#child.stdout?.resume()
  }

  /** Nobody will ever read its stdout again. */
  closeLog(): void {
    this.#child.stdout?.destroy()
  }

  /** Puts another configuration in place in one step, as editors and deployments do. */
  rewrite(config: ConfigObject | string): void {
    writeFileSync(`${this.configPath}.new`, complete(config))
    renameSync(`${this.configPath}.new`, this.configPath)
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
  }

  /** At once and with all its children. */
  kill(): void {
    running.delete(this)
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // it has gone by itself
    }
    rmSync(this.directory, { recursive: true, force: true })
  }

  async stop(): Promise<void> {
    this.kill()
    await this.exited
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #take(text: string, isStdout: boolean): void {
    this.#log += text
    if (isStdout) {
      const lines = (this.#stdoutLine + text).split('\n')
      this.#stdoutLine = lines.pop() ?? ''
      for (const line of lines) {
        this.#onLine?.(line)
        if (line.includes('"Request processed"')) this.#records.push(JSON.parse(line) as LoggedRecord)
      }
    }
    this.#watch.notice()
  }
}

/** Starts the gateway as a process of its own: `await using gateway = await startGateway({ upstreams: … })`. */
export async function startGateway(
  config: ConfigObject | string,
  options: GatewayOptions = {},
): Promise<RunningGateway> {
  const gateway = new RunningGateway(config, options)
  if (options.wait === false) return gateway
  try {
    await gateway.waitForLog(options.wait ?? 'Fluxgate proxy server listening on')
    return gateway
  } catch (error) {
    await gateway.stop()
    throw error
  }
}
