/** Document → settings. Everything that a single value cannot tell is checked here; every problem found is reported. */

import { DEFAULTS } from '../schema/defaults.ts'
import type { ConfigurationDocument } from '../schema/document.ts'
import type { Settings } from '../settings.ts'
import { compileAdmin } from './admin.ts'
import { compileJwtKeys, compileStaticKeys } from './keys.ts'
import { compileLedger } from './ledger.ts'
import { compilePrices, compilePriceTable } from './prices.ts'
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
  // What is there and wrong has been reported; what would follow from taking it for a no is not.
  const mayAllowAnonymous =
    allowsAnonymous || (server.allow_anonymous === undefined && scope.isGiven(['server', 'allow_anonymous']))
  if (allowsAnonymous && hasKeys) {
    scope.problem(
      ['server', 'allow_anonymous'],
      'is true although keys are configured; remove it, or the keys under api_keys',
    )
  }
  const upstreamNames = Object.keys(upstreams).filter((name) => typeof upstreams[name] !== 'number')
  const areKnown = document.upstreams !== undefined || !scope.isGiven(['upstreams'])
  const compiled = compileServer(server, scope)
  return {
    isDefault: false,
    server: compiled,
    admin: compileAdmin(document.admin, compiled.bindAddress, scope),
    allowAnonymous: allowsAnonymous,
    upstreams: compileUpstreams(upstreams, { allowsAnonymous: mayAllowAnonymous, hasKeys }, scope),
    staticKeys: compileStaticKeys(keys, areKnown ? upstreamNames : undefined, scope),
    ledger: compileLedger(document.ledger, scope),
    prices: compilePrices(document.usage, scope),
    priceTable: compilePriceTable(document.usage, scope),
    jwtKeys: compileJwtKeys(keys, areKnown ? upstreamNames : undefined, scope),
  }
}
