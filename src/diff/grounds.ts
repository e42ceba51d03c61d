import type { ServerSettings, Target, Upstream } from '../config/snapshot.ts'
import type { Place } from './dial.ts'
import { NotPrepared } from './job.ts'
import type { GatewayFacts, UpstreamFacts } from './template.ts'

/** Where things are, taken from the configuration. */

export function upstreamFacts({ prefix, target, apiKey, credential }: Upstream): UpstreamFacts {
  return { prefix, basePath: target.basePath, authority: target.authority, apiKey, credential }
}

export function providerPlace({ target, tls, connectTimeoutMs }: Upstream): Place {
  return { ...placeOf('provider', target), tls, connectTimeoutMs }
}

const CONNECT_MS = 10_000

export function placeOf(role: Place['role'], { scheme, host, port, authority, basePath }: Target): Place {
  const url = `${scheme}://${authority}${basePath}`
  return { role, url, scheme, host, port, tls: undefined, connectTimeoutMs: CONNECT_MS }
}

export function gatewayFacts(
  { authority, basePath }: Pick<Target, 'authority' | 'basePath'>,
  key: string | undefined,
): GatewayFacts {
  return { authority, basePath, key }
}

/** The gateway that the configuration describes, as it is reached from this machine. */
export function localGateway({ bindAddress: { host, port, text } }: ServerSettings): Target {
  if (port === 0) throw new NotPrepared(`server.bind_address is ${text}: say with --gateway where the gateway is`)
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : /^[0:]*$/.test(host) ? '::1' : host
  const authority = `${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
  return { scheme: 'http', host: reachable, port, authority, basePath: '' }
}
