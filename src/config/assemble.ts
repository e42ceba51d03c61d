/**
 * Settings → configuration: the same facts, laid out for look-ups, and frozen. It runs on the threads that serve, while their
 * traffic waits: nothing here may take time for each key.
 */
import { createFieldRules } from '../http/field-rules.ts'
import { createKeyTable } from './key-table.ts'
import { createRouteTable } from './route-table.ts'
import type { Settings, UpstreamSettings } from './settings.ts'
import type { Identity, OwnField, Snapshot, Upstream } from './snapshot.ts'

export type Configuration = Omit<Snapshot, 'generation'>

export function assemble(settings: Settings): Configuration {
  const upstreams = settings.upstreams.map(assembleUpstream)
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
    withOwnField: Object.freeze(upstreams.filter(hasOwnField).sort((a, b) => b.prefix.length - a.prefix.length)),
  })
}

function assembleUpstream(settings: UpstreamSettings): Upstream {
  const fields = settings.fields && createFieldRules(settings.fields)
  return Object.freeze({ ...deepFreeze({ ...settings, apiKey: wireText(settings.apiKey) }), fields })
}

function hasOwnField(upstream: Upstream): upstream is Upstream & { readonly credential: OwnField } {
  return typeof upstream.credential === 'object'
}

/** The key's UTF-8 bytes as a head carries them: one character a byte. */
function wireText(key: string | undefined): string | undefined {
  return key === undefined ? undefined : Buffer.from(key, 'utf8').toString('latin1')
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
