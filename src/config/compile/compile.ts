/** Document → settings. Everything that a single value cannot tell is checked here; every problem found is reported. */

import { DEFAULTS } from '../schema/defaults.ts'
import type { ConfigurationDocument } from '../schema/document.ts'
import type { Settings } from '../settings.ts'
import { compileJwtKeys, compileStaticKeys } from './keys.ts'
import type { Scope } from './scope.ts'
import { compileServer } from './server.ts'
import { compileUpstreams } from './upstreams.ts'

/** Worth something only if no problem was reported. */
export function compile(document: ConfigurationDocument, scope: Scope): Settings {
  const server = document.server ?? {}
  const upstreams = document.upstreams ?? {}
  const keys = document.api_keys ?? {}
  const allowsAnonymous = server.allow_anonymous ?? DEFAULTS.allow_anonymous
  const hasKeys = (keys.static ?? []).length + (keys.jwt ?? []).length > 0
  if (allowsAnonymous && hasKeys) {
    scope.problem(
      ['server', 'allow_anonymous'],
      'is true although keys are configured; remove it, or the keys under api_keys',
    )
  }
  const upstreamNames = Object.keys(upstreams).filter((name) => typeof upstreams[name] !== 'number')
  return {
    isDefault: false,
    server: compileServer(server, scope),
    allowAnonymous: allowsAnonymous,
    upstreams: compileUpstreams(upstreams, { allowsAnonymous, hasKeys }, scope),
    staticKeys: compileStaticKeys(keys, upstreamNames, scope),
    jwtKeys: compileJwtKeys(keys, upstreamNames, scope),
  }
}
