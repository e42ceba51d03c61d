import type { ServerDocument } from '../schema/document.ts'
import type { CorsSettings } from '../snapshot.ts'
import type { Scope } from './scope.ts'

/** RFC 6454 section 6.2, in the one spelling that browsers send: lower case, no path, no default port. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/
const DEFAULT_PORT = /^http:.*:80$|^https:.*:443$/

export function compileCors(document: ServerDocument['cors'], scope: Scope): CorsSettings | undefined {
  if (document === undefined) return undefined
  const place = ['server', 'cors', 'allow_origins']
  const origins = (document.allow_origins ?? []).filter((origin) => origin !== undefined)
  if (scope.isGiven(place) && origins.length === 0) scope.problem(place, 'must name an origin, or * for all')
  if (origins.length > 1 && origins.includes('*'))
    scope.problem(place, 'holds *, which stands for all: leave out the others')
  for (const [index, origin] of (document.allow_origins ?? []).entries()) {
    if (origin === undefined || origin === '*') continue
    const wrong = wrongWithOrigin(origin)
    if (wrong !== undefined) scope.problem([...place, index], wrong)
  }
  return { allowOrigins: origins }
}

function wrongWithOrigin(origin: string): string | undefined {
  if (origin.includes('*')) return 'must be an exact origin; a * is understood alone only'
  if (!ORIGIN.test(origin)) {
    return 'must be an origin as browsers send it: scheme, host and port in lower case, such as https://app.example, without a path or a slash at the end'
  }
  return DEFAULT_PORT.test(origin)
    ? "must be written without the scheme's default port, as browsers send it"
    : undefined
}
