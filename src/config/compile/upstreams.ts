import { hash } from 'node:crypto'
import { DEFAULTS } from '../schema/defaults.ts'
import type { ConfigurationDocument, TimeoutsDocument, UpstreamDocument } from '../schema/document.ts'
import type { UpstreamSettings } from '../settings.ts'
import type { Target, Upstream, UpstreamTls } from '../snapshot.ts'
import type { Path } from '../text/problem.ts'
import { compileConnectTo } from './connect-to.ts'
import { compileCredential, compileFieldChanges } from './field-changes.ts'
import { placeholderFault } from './placeholder.ts'
import { compileProxy } from './proxy.ts'
import { parseRequestPath } from './request-path.ts'
import type { Scope } from './scope.ts'
import { emptyFault, readFieldSecret } from './secret.ts'
import { parseTargetUrl } from './target-url.ts'
import { UniquePlaces } from './unique.ts'
import { compileUpstreamTls } from './upstream-tls.ts'

/** What decides whether an upstream needs a key. */
export interface Door {
  readonly allowsAnonymous: boolean
  readonly hasKeys: boolean
}

/** What the upstreams before this one had. */
interface Seen {
  readonly prefixes: UniquePlaces
  /** By digest. Most upstreams with a `ca` have the same one: as one object it crosses to another thread once. */
  readonly tls: Map<string, UpstreamTls>
}

/** The upstreams that are whole; whatever is wrong with the others has been reported. */
export function compileUpstreams(
  document: NonNullable<ConfigurationDocument['upstreams']>,
  door: Door,
  scope: Scope,
): readonly UpstreamSettings[] {
  const seen: Seen = { prefixes: new UniquePlaces(scope), tls: new Map() }
  const upstreams: UpstreamSettings[] = []
  for (const [name, entry] of Object.entries(document)) {
    // The timeouts that hold for all stand beside the upstreams.
    if (typeof entry !== 'object') continue
    const upstream = compileUpstream(name, entry, document, door, seen, scope)
    if (upstream !== undefined) upstreams.push(upstream)
  }
  return upstreams
}

function compileUpstream(
  name: string,
  document: UpstreamDocument,
  shared: TimeoutsDocument,
  door: Door,
  seen: Seen,
  scope: Scope,
): UpstreamSettings | undefined {
  const path = ['upstreams', name]
  const prefix = compilePrefix(document.request_path, [...path, 'request_path'], seen.prefixes, scope)
  const target = compileTarget(document.target_url, [...path, 'target_url'], scope)
  const credential = compileCredential(document.credential, [...path, 'credential'], scope)
  const fields = compileFieldChanges(document, credential, path, scope)
  const apiKey = compileApiKey(document, credential === 'pass', [...path, 'api_key'], door, scope)
  const tls = document.tls && compileUpstreamTls(document.tls, [...path, 'tls'], scope)
  if (document.tls !== undefined && target?.scheme === 'http') {
    scope.problem([...path, 'tls'], 'is for https targets only; remove it, or use https in target_url')
  }
  const way = compileWay(document, target, path, scope)
  if (prefix === undefined || target === undefined) return undefined
  return {
    name,
    prefix,
    target,
    apiKey,
    credential,
    fields,
    rewritesLocation: document.rewrite_location ?? false,
    versions: versionsOf(document.protocol ?? 'auto', target),
    rewritesUploadUrl: document.rewrite_upload_url ?? false,
    takesUpgrades: document.websocket ?? false,
    takesQueryKeys: document.query_credential ?? false,
    usage: document.usage ?? DEFAULTS.usage,
    provider: document.provider,
    tunnelIdleTimeoutMs: document.idle_timeout_ms ?? shared.idle_timeout_ms ?? DEFAULTS.tunnel_idle_timeout_ms,
    ...way,
    ...connectionOf(target, tls, way, seen),
    connectTimeoutMs: document.connect_timeout_ms ?? shared.connect_timeout_ms ?? DEFAULTS.connect_timeout_ms,
    responseTimeoutMs: document.response_timeout_ms ?? shared.response_timeout_ms ?? DEFAULTS.response_timeout_ms,
    idleTimeoutMs: document.idle_timeout_ms ?? shared.idle_timeout_ms ?? DEFAULTS.idle_timeout_ms,
    requestTimeoutMs: document.request_timeout_ms ?? shared.request_timeout_ms,
    keepAliveTimeoutMs:
      document.keep_alive_timeout_ms ?? shared.keep_alive_timeout_ms ?? DEFAULTS.upstream_keep_alive_timeout_ms,
    maxConnectionAgeMs:
      document.max_connection_age_ms ?? shared.max_connection_age_ms ?? DEFAULTS.max_connection_age_ms,
  }
}

function compilePrefix(text: string | undefined, path: Path, prefixes: UniquePlaces, scope: Scope): string | undefined {
  if (text === undefined) return undefined
  const parsed = parseRequestPath(text)
  if ('wrong' in parsed) {
    scope.problem(path, parsed.wrong)
    return undefined
  }
  return prefixes.claim(parsed.prefix, path) ? parsed.prefix : undefined
}

function compileTarget(text: string | undefined, path: Path, scope: Scope): Target | undefined {
  if (text === undefined) return undefined
  const target = parseTargetUrl(text)
  if (!('wrong' in target)) return target
  scope.problem(path, target.wrong)
  return undefined
}

function compileApiKey(
  document: UpstreamDocument,
  passes: boolean,
  path: Path,
  door: Door,
  scope: Scope,
): string | undefined {
  const isRequired = door.hasKeys && !passes
  if (document.api_key === undefined) {
    if (isRequired && !scope.isGiven(path)) {
      scope.problem(
        path,
        "is missing; once keys are configured, an upstream needs its provider's key, or credential: pass",
      )
    }
    return undefined
  }
  const secret = readFieldSecret(document.api_key, scope)
  if ('wrong' in secret) {
    scope.problem(path, secret.wrong)
    return undefined
  }
  if (secret.text === '' && (isRequired || !door.allowsAnonymous)) {
    scope.problem(
      path,
      `${emptyFault(document.api_key)}; only an anonymous gateway (server.allow_anonymous) can do without`,
    )
  }
  const fault = placeholderFault(secret.text)
  if (fault !== undefined) scope.warning(path, fault)
  return secret.text
}

/** What `protocol` comes to. */
function versionsOf(protocol: NonNullable<UpstreamDocument['protocol']>, { scheme }: Target): Upstream['versions'] {
  switch (protocol) {
    case 'http1':
      return { forHttp1: 'http1', forHttp2: 'http1' }
    case 'http2':
      return { forHttp1: 'http2', forHttp2: 'http2' }
    case 'match':
      return { forHttp1: 'http1', forHttp2: 'http2' }
    // In the clear there is nobody to ask.
    case 'auto':
      return { forHttp1: 'http1', forHttp2: scheme === 'https' ? 'either' : 'http1' }
  }
}

type Way = Pick<Upstream, 'connectTo' | 'proxy'>

/** How its connections get there: straight, to addresses of the file's own, or through a proxy. */
function compileWay(document: UpstreamDocument, target: Target | undefined, path: Path, scope: Scope): Way {
  if (scope.isGiven([...path, 'connect_to']) && scope.isGiven([...path, 'proxy'])) {
    scope.problem([...path, 'proxy'], 'stands beside connect_to; one of them must go')
  }
  return {
    connectTo:
      document.connect_to && compileConnectTo(document.connect_to, target?.port, [...path, 'connect_to'], scope),
    proxy: document.proxy && compileProxy(document.proxy, [...path, 'proxy'], scope),
  }
}

/** Connections are shared by endpoint, and the name of one may be logged: what is secret in it is there as a digest. */
function connectionOf(
  target: Target,
  tls: UpstreamTls | undefined,
  { connectTo, proxy }: Way,
  seen: Seen,
): Pick<Upstream, 'endpoint' | 'tls'> {
  const host = target.host.includes(':') ? `[${target.host}]` : target.host
  const place = `${target.scheme}://${host}:${target.port}`
  const way = connectTo === undefined && proxy === undefined ? '' : `@${digestOf([connectTo, proxy])}`
  if (tls === undefined) return { endpoint: place + way, tls }
  const digest = digestOf([tls.ca, tls.serverName, tls.cert, tls.key])
  const same = seen.tls.get(digest) ?? tls
  seen.tls.set(digest, same)
  return { endpoint: `${place}#${digest}${way}`, tls: same }
}

function digestOf(parts: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(parts), 'hex')
}
