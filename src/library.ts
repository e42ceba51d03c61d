/**
 * `import { startGateway } from 'fluxgate'`: a gateway inside of a program or a test. It is what the command runs, without what
 * belongs to a process: it takes no signals, never exits, watches no file, and writes nowhere unless it is told where.
 */
import type { ConfigurationInput } from './config/schema/input.ts'
import type { LineStream } from './observe/line-target.ts'

/** The content of a configuration file, as an object. */
export type GatewayConfiguration = ConfigurationInput

/** Where a configuration file is; relative to the working directory. It is read once: see `RunningGateway.reload`. */
export interface ConfigurationFile {
  readonly path: string
}

export interface GatewayOptions {
  /**
   * An object has the keys of the file, and paths in it are relative to the working directory. Where it does not set
   * `server.workers`, one thread serves: the one that calls.
   */
  readonly config: GatewayConfiguration | ConfigurationFile
  /**
   * Where secrets (`{ env: NAME }`) and the settings of the log (`FLUXGATE_LOG`, `FLUXGATE_LOG_FORMAT`) are looked up. Default:
   * `process.env`.
   */
  readonly env?: Readonly<Record<string, string | undefined>>
  /**
   * Where the log goes: to nobody (the default), into a stream, or to a function that is called with each line, without its line
   * end. A stream that takes nothing costs lines, never memory without end: the log says `Log records dropped`.
   */
  readonly log?: 'silent' | LineStream | ((line: string) => void)
  /** Counts instead of `server.bind_address`, now and at each reload: `127.0.0.1:0` takes any free port. */
  readonly bindAddress?: string
}

export interface StopOptions {
  /**
   * Milliseconds after which what still runs is cut; 0: at once. Default: `server.shutdown_timeout_ms`, and without that a stop
   * waits for every exchange.
   */
  readonly timeoutMs?: number
}

export interface RunningGateway extends AsyncDisposable {
  /** Where it listens now, such as `127.0.0.1:8080`, with the real port; `unix:` and a path for a Unix socket. */
  readonly address: string
  /**
   * The same for a client on this machine, such as `http://127.0.0.1:8080`: loopback where every address is listened on, `https`
   * where TLS is spoken. Of a Unix socket, `http://localhost`: the client has to be told the path.
   */
  readonly url: string
  /** The same of the operations door (`admin.bind_address`); empty where there is none. */
  readonly adminAddress: string
  /**
   * Puts another configuration in force for every request that begins from now on; what runs keeps its own, and no connection is
   * closed. Without one, the file or object of the start is read again. Calls are carried out one after the other.
   *
   * @throws {GatewayError} `ERR_FLUXGATE_CONFIGURATION`: it is not valid, and nothing has changed; `ERR_FLUXGATE_BIND`: it is in
   *   force, but its address cannot be listened on, and the old one stays; `ERR_FLUXGATE_STOPPED`
   */
  reload(config?: GatewayConfiguration | ConfigurationFile): Promise<void>
  /**
   * Accepts nothing more, lets what runs come to its end, and closes everything: then nothing of it holds the process. May be called
   * again, with less time.
   *
   * @returns how many connections were cut
   */
  stop(options?: StopOptions): Promise<{ readonly cut: number }>
}

export type GatewayErrorCode =
  | 'ERR_FLUXGATE_CONFIGURATION'
  | 'ERR_FLUXGATE_BIND'
  | 'ERR_FLUXGATE_NODE'
  | 'ERR_FLUXGATE_STOPPED'

/** What `startGateway` and `reload` reject with, unless it is a bug. */
export interface GatewayError extends Error {
  readonly code: GatewayErrorCode
  /** Of a configuration: one line for each problem, `config: upstreams.a.target_url: …`. No value is part of it: it could be a secret. */
  readonly problems: readonly string[]
}

const OLDEST_NODE = 24

/**
 * Starts a gateway in this process. When it resolves, the gateway accepts connections.
 *
 * Of what is the whole process's it touches two things: it sets `UV_THREADPOOL_SIZE` to 32 if nobody has set it, which counts if
 * nothing has used Node's threads yet; and where an https upstream has no `tls.ca` of its own, it adds the roots of the
 * machine to those that Node trusts.
 *
 * @throws {GatewayError} `ERR_FLUXGATE_CONFIGURATION`, `ERR_FLUXGATE_BIND`, `ERR_FLUXGATE_NODE`
 */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { node } = process.versions
  if (Number.parseInt(node, 10) < OLDEST_NODE) {
    const message = `fluxgate needs Node ${OLDEST_NODE} or later in the program that imports it, and this is ${node}`
    throw Object.assign(new Error(message), { code: 'ERR_FLUXGATE_NODE', problems: [] } satisfies Partial<GatewayError>)
  }
  // Only now: an older Node may not be able to read it.
  const { start } = await import('./library/start.ts')
  return start(options)
}
