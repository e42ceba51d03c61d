/**
 * What a configuration file says, checked and with its secrets read: plain data, without any table that serves look-ups.
 * It is what crosses the border between threads: one prepares it for all that serve, and each of them pays for taking it over
 * while its traffic waits. So the keys, of which there may be thousands, are a few large pieces.
 */

import type { FieldChanges } from '../http/field-rules.ts'
import { type PackedKeys, packKeys } from './key-table.ts'
import { DEFAULTS } from './schema/defaults.ts'
import type { AdminSettings, LedgerSettings, PriceRule, ServerSettings, Upstream } from './snapshot.ts'

export interface Settings {
  /** What runs while there is no valid file. */
  readonly isDefault: boolean
  readonly server: ServerSettings
  readonly admin: AdminSettings | undefined
  readonly allowAnonymous: boolean
  readonly upstreams: readonly UpstreamSettings[]
  readonly staticKeys: PackedKeys
  readonly jwtKeys: readonly JwtKeySettings[]
  readonly ledger: LedgerSettings | undefined
  readonly prices: readonly PriceRule[]
  /** As text: one piece to take over. */
  readonly priceTable: string | undefined
}

/** With the rules about its fields as they are written, and the provider's key as text. */
export type UpstreamSettings = Omit<Upstream, 'fields'> & { readonly fields: FieldChanges | undefined }

export interface JwtKeySettings {
  readonly id: string
  /** The bytes of the HS256 key in base64: as a `Buffer` they could bring the whole pool along that they are cut from. */
  readonly secret: string
  /** One of them must be in `aud`; none: any. */
  readonly audiences: readonly string[]
  /** One of them must be `iss`; none: any. */
  readonly issuers: readonly string[]
  readonly requiresExpiry: boolean
  readonly leewayMs: number
  /** Indexes of the upstreams that it opens, in rising order, each once; empty: all. */
  readonly upstreams: readonly number[]
}

/** The gateway's user and group may connect. */
export const DEFAULT_SOCKET_MODE: number = Number.parseInt(DEFAULTS.socket_mode, 8)

/** Nobody is let in, but the address is bound: what the gateway runs on while its file is missing or wrong. */
export const DEFAULT_SETTINGS: Settings = {
  isDefault: true,
  server: {
    bindAddress: { host: '0.0.0.0', port: 8080, text: DEFAULTS.bind_address },
    cors: undefined,
    maxConnections: DEFAULTS.max_connections,
    // Of the gateway that `fluxgate diff` starts. `defaultConfiguration` asks the machine.
    workers: 1,
    headTimeoutMs: DEFAULTS.head_timeout_ms,
    bodyTimeoutMs: DEFAULTS.body_timeout_ms,
    keepAliveTimeoutMs: DEFAULTS.keep_alive_timeout_ms,
    shutdownTimeoutMs: undefined,
    shutdownDelayMs: DEFAULTS.shutdown_delay_ms,
    socketMode: DEFAULT_SOCKET_MODE,
    proxyProtocol: undefined,
    trustedProxies: undefined,
    tls: undefined,
  },
  admin: undefined,
  allowAnonymous: false,
  upstreams: [],
  staticKeys: packKeys([]),
  jwtKeys: [],
  ledger: undefined,
  prices: [],
  priceTable: undefined,
}
