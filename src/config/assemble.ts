/** Settings → configuration: the same facts, laid out for look-ups, and frozen. */
import { createRouteTable } from './route-table.ts'
import type { Settings } from './settings.ts'
import type { Identity, RouteTable, Snapshot, Upstream } from './snapshot.ts'

export type Configuration = Omit<Snapshot, 'generation'>

export function assemble(settings: Settings): Configuration {
  const upstreams = settings.upstreams.map((upstream) => deepFreeze({ ...upstream, apiKey: wireText(upstream.apiKey) }))
  const all = createRouteTable(upstreams)
  const routesOf = routesByNames(upstreams, all)
  const staticKeys = new Map<string, Identity>()
  for (const { digest, name, upstreams: names } of settings.staticKeys) {
    staticKeys.set(digest, Object.freeze({ name, routes: routesOf(names) }))
  }
  const jwtKeys = new Map<string, { readonly secret: Uint8Array; readonly identity: Identity }>()
  for (const { id, secret } of settings.jwtKeys) {
    const identity = Object.freeze({ name: id, routes: all })
    jwtKeys.set(id, Object.freeze({ secret: new Uint8Array(Buffer.from(secret, 'base64')), identity }))
  }
  return Object.freeze({
    server: deepFreeze({ ...settings.server }),
    anonymous: settings.allowAnonymous ? Object.freeze({ name: '', routes: all }) : undefined,
    keys: Object.freeze({ staticKeys, jwtKeys }),
    upstreams: Object.freeze(upstreams),
  })
}

/** The key's UTF-8 bytes as a head carries them: one character a byte. */
function wireText(key: string | undefined): string | undefined {
  return key === undefined ? undefined : Buffer.from(key, 'utf8').toString('latin1')
}

/** Keys with the same upstreams share one table. */
function routesByNames(upstreams: readonly Upstream[], all: RouteTable): (names: readonly string[]) => RouteTable {
  const tables = new Map<string, RouteTable>()
  return (names) => {
    if (names.length === 0) return all
    const open = upstreams.filter(({ name }) => names.includes(name))
    const key = JSON.stringify(open.map(({ name }) => name))
    const known = tables.get(key)
    if (known !== undefined) return known
    const table = createRouteTable(open)
    tables.set(key, table)
    return table
  }
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
