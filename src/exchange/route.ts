import type { RouteTable } from '../config/snapshot.ts'
import type { FailureCode } from '../failure.ts'
import type { Exchange } from './exchange.ts'

/** So many prefixes are told, and so many characters of them. */
const MAX_TOLD = 20
const MAX_TOLD_LENGTH = 1_000

/**
 * What a client may use, for the person whose path was wrong: prefixes of its own routes and no others. No full stop stands behind
 * the last one, which will be copied. It begins with a blank; empty where no prefix is short enough.
 */
export function openPrefixes(routes: RouteTable): string {
  const told: string[] = []
  let left = MAX_TOLD_LENGTH
  for (const prefix of routes.prefixes(MAX_TOLD)) {
    left -= prefix.length
    if (left < 0) break
    told.push(prefix)
  }
  if (told.length === 0) return ''
  const rest = routes.size - told.length
  return ` Open to you: ${told.join(', ')}${rest === 0 ? '' : ` and ${rest} more.`}`
}

/** The upstream with the longest matching prefix among those open to the client (unknown and closed ones look the same). */
export function route(exchange: Exchange): FailureCode | undefined {
  const head = exchange.head!
  const { routes } = exchange.identity!
  // Anonymous: a key that opens nothing has been refused at the door.
  if (routes.isEmpty) return 'no_upstream'
  const path =
    head.pathLength === head.pathAndQuery.length ? head.pathAndQuery : head.pathAndQuery.slice(0, head.pathLength)
  const upstream = routes.find(path)
  if (upstream === undefined) return 'no_route'
  exchange.upstream = upstream
  return undefined
}
