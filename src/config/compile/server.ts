import { DEFAULTS } from '../schema/defaults.ts'
import type { ServerDocument } from '../schema/document.ts'
import { DEFAULT_SETTINGS } from '../settings.ts'
import type { BindAddress, ServerSettings } from '../snapshot.ts'
import { parseBindAddress } from './bind-address.ts'
import type { Scope } from './scope.ts'

export function compileServer(document: ServerDocument, scope: Scope): ServerSettings {
  return {
    bindAddress: compileBindAddress(document, scope),
    maxConnections: document.max_connections ?? DEFAULTS.max_connections,
    headTimeoutMs: document.head_timeout_ms ?? DEFAULTS.head_timeout_ms,
    bodyTimeoutMs: document.body_timeout_ms ?? DEFAULTS.body_timeout_ms,
    keepAliveTimeoutMs: document.keep_alive_timeout_ms ?? DEFAULTS.keep_alive_timeout_ms,
    shutdownTimeoutMs: document.shutdown_timeout_ms,
  }
}

function compileBindAddress(document: ServerDocument, scope: Scope): BindAddress {
  if (document.bind_address === undefined) return DEFAULT_SETTINGS.server.bindAddress
  const address = parseBindAddress(document.bind_address)
  if (address !== undefined) return address
  scope.problem(
    ['server', 'bind_address'],
    'must be an IPv4 address or an IPv6 address in brackets, and a port: 127.0.0.1:8080 or [::1]:8080; names are not resolved',
  )
  return DEFAULT_SETTINGS.server.bindAddress
}
