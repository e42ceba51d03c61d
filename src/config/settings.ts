/**
 * What a configuration file says, checked and with its secrets read: plain data, without any table that serves look-ups.
 * It survives a trip through JSON, so that one process can read the files and hand them to its workers.
 */
import { DEFAULTS } from './defaults.ts'
import type { ServerSettings, Upstream } from './snapshot.ts'

export interface Settings {
  readonly server: ServerSettings
  readonly allowAnonymous: boolean
  readonly upstreams: readonly Upstream[]
  readonly staticKeys: readonly StaticKeySettings[]
  readonly jwtKeys: readonly JwtKeySettings[]
}

export interface StaticKeySettings {
  /** SHA-256 of the key, lower-case hex. */
  readonly digest: string
  /** Its id, or its place. */
  readonly name: string
  /** Names of the upstreams that it opens; empty: all. */
  readonly upstreams: readonly string[]
}

export interface JwtKeySettings {
  readonly id: string
  /** The bytes of the HS256 key in base64. */
  readonly secret: string
}

/** Nobody is let in, but the address is bound: what the gateway runs on while its file is missing or wrong. */
export const DEFAULT_SETTINGS: Settings = {
  server: {
    bindAddress: { host: '0.0.0.0', port: 8080, text: DEFAULTS.bind_address },
    maxConnections: DEFAULTS.max_connections,
    headTimeoutMs: DEFAULTS.head_timeout_ms,
    bodyTimeoutMs: DEFAULTS.body_timeout_ms,
    keepAliveTimeoutMs: DEFAULTS.keep_alive_timeout_ms,
    shutdownTimeoutMs: undefined,
  },
  allowAnonymous: false,
  upstreams: [],
  staticKeys: [],
  jwtKeys: [],
}
