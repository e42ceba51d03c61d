import { isIPv6 } from 'node:net'

/**
 * Addresses in the order in which a new connection tries them: those of one family take turns at the places of that family.
 * The resolver has put the families in order (RFC 6724), and knows which of them works here; within one, its order is mostly chance.
 * `turn`: one more for each connection.
 */
export function inTurn<T extends { readonly host: string }>(addresses: readonly T[], turn: number): readonly T[] {
  if (addresses.length < 2) return addresses
  const families = { v4: [] as T[], v6: [] as T[], other: [] as T[] }
  for (const address of addresses) families[familyOf(address)].push(address)
  const taken = { v4: 0, v6: 0, other: 0 }
  return addresses.map((address) => {
    const family = familyOf(address)
    const members = families[family]
    return members[(turn + taken[family]++) % members.length]!
  })
}

function familyOf({ host }: { readonly host: string }): 'v4' | 'v6' | 'other' {
  if (host === '') return 'other'
  return isIPv6(host) ? 'v6' : 'v4'
}
