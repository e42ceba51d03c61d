/**
 * Settings → configuration: the same facts, laid out for look-ups, and frozen. It runs on the threads that serve, while their
 * traffic waits: nothing here may take time for each key.
 */
import { createFieldRules } from '../http/field-rules.ts'
import { createKeyTable, unpackKeys } from './key-table.ts'
import { createRouteTable } from './route-table.ts'
import type { JwtKeySettings, Settings, UpstreamSettings } from './settings.ts'
import type { JwtKey, OwnField, RouteTable, Snapshot, Upstream } from './snapshot.ts'

export type Configuration = Omit<Snapshot, 'generation'>

export function assemble(settings: Settings): Configuration {
  const upstreams = settings.upstreams.map(assembleUpstream)
  const all = createRouteTable(upstreams)
  return Object.freeze({
    isDefault: settings.isDefault,
    server: deepFreeze({ ...settings.server }),
    admin: settings.admin && deepFreeze({ ...settings.admin }),
    anonymous: settings.allowAnonymous ? Object.freeze({ name: '', routes: all }) : undefined,
    keys: Object.freeze({
      staticKeys: createKeyTable(settings.staticKeys, upstreams, all),
      jwtKeys: createJwtKeys(settings.jwtKeys, upstreams, all),
    }),
    keyNames: () =>
      [...unpackKeys(settings.staticKeys), ...settings.jwtKeys.map(({ id }) => ({ name: id }))].map(({ name }) => name),
    upstreams: Object.freeze(upstreams),
    withOwnField: Object.freeze(upstreams.filter(hasOwnField).sort((a, b) => b.prefix.length - a.prefix.length)),
    withQueryKeys: Object.freeze(upstreams.filter(({ takesQueryKeys }) => takesQueryKeys)),
    ledger: settings.ledger && deepFreeze({ ...settings.ledger }),
    prices: settings.prices,
    priceTable: settings.priceTable,
    takesUpgrades: upstreams.some(({ takesUpgrades }) => takesUpgrades),
  })
}

function assembleUpstream(settings: UpstreamSettings): Upstream {
  const fields = settings.fields && createFieldRules(settings.fields)
  return Object.freeze({ ...deepFreeze({ ...settings, apiKey: wireText(settings.apiKey) }), fields })
}

function hasOwnField(upstream: Upstream): upstream is Upstream & { readonly credential: OwnField } {
  return typeof upstream.credential === 'object'
}

/** Keys that open the same upstreams share a table. */
function createJwtKeys(
  keys: readonly JwtKeySettings[],
  upstreams: readonly Upstream[],
  all: RouteTable,
): ReadonlyMap<string, JwtKey> {
  const tables = new Map<string, RouteTable>([['', all]])
  const jwtKeys = new Map<string, JwtKey>()
  for (const { id, secret, upstreams: open, leewayMs, ...claims } of keys) {
    const set = open.join()
    const routes = tables.get(set) ?? createRouteTable(open.map((index) => upstreams[index]!))
    tables.set(set, routes)
    jwtKeys.set(
      id,
      Object.freeze({
        secret: new Uint8Array(Buffer.from(secret, 'base64')),
        identity: Object.freeze({ name: id, routes }),
        audiences: Object.freeze([...claims.audiences]),
        issuers: Object.freeze([...claims.issuers]),
        requiresExpiry: claims.requiresExpiry,
        leewaySeconds: leewayMs / 1000,
      }),
    )
  }
  return jwtKeys
}

/** The key's UTF-8 bytes as a head carries them: one character a byte. */
function wireText(key: string | undefined): string | undefined {
  return key === undefined ? undefined : Buffer.from(key, 'utf8').toString('latin1')
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
