import type { FailureCode } from '../failure.ts'
import type { Exchange } from './exchange.ts'

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
