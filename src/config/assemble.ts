/**
 * Settings → configuration: the same facts, laid out for look-ups, and frozen. It runs on the threads that serve, while their
 * traffic waits: nothing here may take time for each key.
 */
import { createKeyTable } from './key-table.ts'
import { createRouteTable } from './route-table.ts'
import type { Settings } from './settings.ts'
import type { Identity, Snapshot } from './snapshot.ts'

export type Configuration = Omit<Snapshot, 'generation'>

export function assemble(settings: Settings): Configuration {
  const upstreams = settings.upstreams.map((upstream) => deepFreeze({ ...upstream, apiKey: wireText(upstream.apiKey) }))
  const all = createRouteTable(upstreams)
  const jwtKeys = new Map<string, { readonly secret: Uint8Array; readonly identity: Identity }>()
  for (const { id, secret } of settings.jwtKeys) {
    const identity = Object.freeze({ name: id, routes: all })
    jwtKeys.set(id, Object.freeze({ secret: new Uint8Array(Buffer.from(secret, 'base64')), identity }))
  }
  return Object.freeze({
    isDefault: settings.isDefault,
    server: deepFreeze({ ...settings.server }),
    anonymous: settings.allowAnonymous ? Object.freeze({ name: '', routes: all }) : undefined,
    keys: Object.freeze({ staticKeys: createKeyTable(settings.staticKeys, upstreams, all), jwtKeys }),
    upstreams: Object.freeze(upstreams),
  })
}

/** The key's UTF-8 bytes as a head carries them: one character a byte. */
function wireText(key: string | undefined): string | undefined {
  return key === undefined ? undefined : Buffer.from(key, 'utf8').toString('latin1')
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
