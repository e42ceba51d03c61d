import { createHash } from 'node:crypto'
import { createRouteTable } from '../../../src/config/route-table.ts'
import type { CredentialPlace, Identity, Snapshot, Upstream } from '../../../src/config/snapshot.ts'
import { Exchange, type Path } from '../../../src/exchange/exchange.ts'
import type { Downstream } from '../../../src/http/downstream.ts'
import { parseRequestHead } from '../../../src/http1/parse-request.ts'
import { plainMetering } from '../../support/metering.ts'

export const GATEWAY_KEY = 'fgk_client'
export const OTHER_KEY = 'fgk_other'
/** With blanks and marks in it that may stand around a key. */
export const MARKED_KEY = 'fgk = a, b'
export const PROVIDER_KEY = 'sk-provider'

export function upstream(more: Partial<Upstream> & { authority?: string; basePath?: string } = {}): Upstream {
  const { authority = 'api.example', basePath = '/v1', ...rest } = more
  return {
    name: 'up',
    prefix: '/up',
    target: { scheme: 'https', host: 'api.example', port: 443, authority, basePath },
    apiKey: PROVIDER_KEY,
    credential: 'swap' satisfies CredentialPlace,
    fields: undefined,
    rewritesLocation: false,
    versions: { forHttp1: 'http1', forHttp2: 'http1' },
    rewritesUploadUrl: false,
    takesUpgrades: false,
    takesQueryKeys: false,
    usage: 'auto',
    provider: undefined,
    tunnelIdleTimeoutMs: 3_600_000,
    tls: undefined,
    endpoint: 'https://api.example:443',
    connectTimeoutMs: 1,
    responseTimeoutMs: 20,
    idleTimeoutMs: 30,
    requestTimeoutMs: undefined,
    keepAliveTimeoutMs: 1,
    maxConnectionAgeMs: 1,
    connectTo: undefined,
    proxy: undefined,
    ...rest,
  }
}

function identity(name: string, ...upstreams: Upstream[]): Identity {
  return { name, routes: createRouteTable(upstreams) }
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A configuration with a few static keys, or one without any for everybody. */
export function snapshot(isAnonymous: boolean, target: Upstream = upstream()): Snapshot {
  const keys = new Map([
    [sha256(GATEWAY_KEY), identity('client', target)],
    [sha256(OTHER_KEY), identity('other', target)],
    [sha256(MARKED_KEY), identity('marked', target)],
    [sha256('schlüssel'), identity('umlaut', target)],
    [sha256('a+b/c=d=='), identity('marks', target)],
  ])
  return {
    generation: 1,
    isDefault: false,
    server: {
      bindAddress: { host: '127.0.0.1', port: 0, text: '127.0.0.1:0' },
      cors: undefined,
      maxConnections: 1,
      workers: 1,
      headTimeoutMs: 1,
      bodyTimeoutMs: 10,
      keepAliveTimeoutMs: 1,
      shutdownTimeoutMs: undefined,
      shutdownDelayMs: 0,
      socketMode: 0o660,
      proxyProtocol: undefined,
      trustedProxies: undefined,
      tls: undefined,
    },
    anonymous: isAnonymous ? identity('', target) : undefined,
    keys: { staticKeys: isAnonymous ? new Map() : keys, jwtKeys: new Map() },
    upstreams: [target],
    admin: undefined,
    ledger: undefined,
    prices: [],
    priceTable: undefined,
    keyNames: () => [],
    withOwnField: [],
    withQueryKeys: target.takesQueryKeys ? [target] : [],
    takesUpgrades: target.takesUpgrades,
  }
}

/** The exchange of a request head, as the path of a request has it after its head has been read. */
export function exchangeOf(head: string, snapshotNow: Snapshot, downstream: Partial<Downstream> = {}): Exchange {
  const path: Path = {
    snapshot: snapshotNow,
    catchUp: undefined,
    pools: undefined as never,
    writeRecord() {},
    reportRefusal() {},
    reportBug() {},
    traffic: undefined,
    metering: plainMetering(),
  }
  return new Exchange(
    path,
    { isRequestComplete: true, ...downstream } as Downstream,
    parseRequestHead(head, 0),
    undefined,
  )
}
