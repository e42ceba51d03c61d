import { type PeerSet, parseRange } from '../../http/address.ts'
import { parallelism } from '../../runtime/parallelism.ts'
import { DEFAULTS } from '../schema/defaults.ts'
import type { ServerDocument } from '../schema/document.ts'
import { MAX_WORKERS } from '../schema/schema.ts'
import { DEFAULT_SETTINGS, DEFAULT_SOCKET_MODE } from '../settings.ts'
import type { BindAddress, ServerSettings } from '../snapshot.ts'
import type { Path } from '../text/problem.ts'
import { parseBindAddress } from './bind-address.ts'
import { compileCors } from './cors.ts'
import type { Scope } from './scope.ts'
import { compileServerTls } from './server-tls.ts'

export function compileServer(document: ServerDocument, scope: Scope): ServerSettings {
  return {
    bindAddress: compileBindAddress(document, scope),
    cors: compileCors(document.cors, scope),
    maxConnections: document.max_connections ?? DEFAULTS.max_connections,
    workers: compileWorkers(document.workers ?? DEFAULTS.workers),
    headTimeoutMs: document.head_timeout_ms ?? DEFAULTS.head_timeout_ms,
    bodyTimeoutMs: document.body_timeout_ms ?? DEFAULTS.body_timeout_ms,
    keepAliveTimeoutMs: document.keep_alive_timeout_ms ?? DEFAULTS.keep_alive_timeout_ms,
    shutdownTimeoutMs: document.shutdown_timeout_ms,
    shutdownDelayMs: document.shutdown_delay_ms ?? DEFAULTS.shutdown_delay_ms,
    socketMode: document.socket_mode === undefined ? DEFAULT_SOCKET_MODE : Number.parseInt(document.socket_mode, 8),
    proxyProtocol: compileProxyProtocol(document.proxy_protocol, scope),
    trustedProxies: compilePeers(document.trusted_proxies, ['server', 'trusted_proxies'], scope),
    tls: document.tls && compileServerTls(document.tls, scope),
  }
}

/** Here and not where it is used: so each load, and it alone, sees the quota that holds at its time. */
export function compileWorkers(workers: 'auto' | number): number {
  return workers === 'auto' ? Math.min(parallelism(), MAX_WORKERS) : workers
}

function compileBindAddress(document: ServerDocument, scope: Scope): BindAddress {
  if (document.bind_address === undefined) return DEFAULT_SETTINGS.server.bindAddress
  const address = parseBindAddress(document.bind_address, scope.folder)
  if (!('wrong' in address)) return address
  scope.problem(['server', 'bind_address'], address.wrong)
  return DEFAULT_SETTINGS.server.bindAddress
}

function compileProxyProtocol(document: ServerDocument['proxy_protocol'], scope: Scope): PeerSet | undefined {
  const path: Path = ['server', 'proxy_protocol', 'from']
  if (document?.from?.length === 0)
    scope.problem(path, 'must name somebody; without a balancer leave out proxy_protocol')
  return compilePeers(document?.from, path, scope)
}

/** Undefined where nobody is named, so that the path has nothing to look at. */
function compilePeers(
  entries: readonly (string | undefined)[] | undefined,
  path: Path,
  scope: Scope,
): PeerSet | undefined {
  if (entries === undefined || entries.length === 0) return undefined
  const ranges: PeerSet['ranges'][number][] = []
  for (const [index, entry] of entries.entries()) {
    // What is undefined has been reported.
    if (entry === undefined || entry === 'unix') continue
    const range = parseRange(entry)
    if ('wrong' in range) scope.problem([...path, index], range.wrong)
    else ranges.push(range)
  }
  return { ranges, hasUnix: entries.includes('unix') }
}
