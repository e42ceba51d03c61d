/** Longest-prefix match: one look-up in a map for each length that a prefix has, however many upstreams there are. */
import { endsSegment } from '../http/target.ts'
import type { RouteTable, Upstream } from './snapshot.ts'

/** Prefixes must be distinct; they start with a slash and do not end in one, or are empty. */
export function createRouteTable(upstreams: readonly Upstream[]): RouteTable {
  const byPrefix = new Map(upstreams.map((upstream) => [upstream.prefix, upstream]))
  const lengths = [...new Set(upstreams.map(({ prefix }) => prefix.length))].sort((a, b) => b - a)

  function find(path: string): Upstream | undefined {
    for (const length of lengths) {
      if (!endsSegment(path, length)) continue
      const upstream = byPrefix.get(path.slice(0, length))
      if (upstream !== undefined) return upstream
    }
    return undefined
  }

  return Object.freeze({
    isEmpty: upstreams.length === 0,
    find,
    size: upstreams.length,
    prefixes: (limit: number) => upstreams.slice(0, limit).map(({ prefix }) => (prefix === '' ? '/' : prefix)),
  })
}
