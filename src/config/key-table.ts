/**
 * The static keys as a few large pieces: strings and typed arrays that another thread takes over in no time, whatever the
 * number of keys. (An object for each of 5000 keys, with its list of 20 names, takes 10 to 29 ms.) Written and read here.
 *
 * A key is found by its digest: the first 32 bits choose a slot, and the slots from there on hold key numbers (plus one)
 * until an empty one. Half of the slots are empty at least. What an attacker sends is hashed before, so that nobody chooses
 * where a look-up begins, but by trying.
 */
import { createRouteTable } from './route-table.ts'
import type { Identity, RouteTable, StaticKeys, Upstream } from './snapshot.ts'

/** Without tables of objects: strings are cut where they are needed. */
export interface PackedKeys {
  readonly count: number
  /** SHA-256 of the keys, lower-case hex, one after the other. */
  readonly digests: string
  readonly slots: Uint32Array
  /** Ids or places, one after the other. */
  readonly names: string
  readonly nameEnds: Uint32Array
  /** For each key the number of the set of upstreams that it opens; 0: all. */
  readonly sets: Uint32Array
  /** Indexes of upstreams, set after set; each in rising order. */
  readonly members: Uint32Array
  /** Where each set ends in `members`; set 0 is empty. */
  readonly memberEnds: Uint32Array
}

export interface KeyToPack {
  /** SHA-256 of the key, lower-case hex. */
  readonly digest: string
  /** Its id, or its place. */
  readonly name: string
  /** Indexes of the upstreams that it opens, in rising order, each once; empty: all. */
  readonly upstreams: readonly number[]
}

const DIGEST_LENGTH = 64
/** Hex digits of a digest that choose the first slot. */
const SLOT_DIGITS = 8

export function packKeys(keys: readonly KeyToPack[]): PackedKeys {
  const slots = new Uint32Array(2 ** Math.ceil(Math.log2(keys.length * 2 + 1)))
  const numbers = new Map<string, number>([['', 0]])
  const members: number[] = []
  const memberEnds = [0]
  const sets = keys.map(({ digest, upstreams }, index) => {
    let slot = firstSlot(digest, slots.length)
    while (slots[slot] !== 0) slot = (slot + 1) % slots.length
    slots[slot] = index + 1
    const set = upstreams.join()
    const known = numbers.get(set)
    if (known !== undefined) return known
    for (const upstream of upstreams) members.push(upstream)
    numbers.set(set, memberEnds.length)
    return memberEnds.push(members.length) - 1
  })
  let end = 0
  return {
    count: keys.length,
    digests: keys.map(({ digest }) => digest).join(''),
    slots,
    names: keys.map(({ name }) => name).join(''),
    nameEnds: Uint32Array.from(keys, ({ name }) => (end += name.length)),
    sets: Uint32Array.from(sets),
    members: Uint32Array.from(members),
    memberEnds: Uint32Array.from(memberEnds),
  }
}

/** What went in. It takes time for each key. */
export function unpackKeys({ count, digests, names, nameEnds, sets, members, memberEnds }: PackedKeys): KeyToPack[] {
  return Array.from({ length: count }, (_, index) => {
    const set = sets[index]!
    return {
      digest: digests.slice(index * DIGEST_LENGTH, (index + 1) * DIGEST_LENGTH),
      name: names.slice(index === 0 ? 0 : nameEnds[index - 1], nameEnds[index]),
      upstreams: set === 0 ? [] : [...members.subarray(memberEnds[set - 1], memberEnds[set])],
    }
  })
}

function firstSlot(digest: string, count: number): number {
  return (Number.parseInt(digest.slice(0, SLOT_DIGITS), 16) >>> 0) % count
}

/** Identities and route tables are made when a key is first used: a reload costs the same for one key and for thousands. */
export function createKeyTable(packed: PackedKeys, upstreams: readonly Upstream[], all: RouteTable): StaticKeys {
  const { count, digests, slots, names, nameEnds, sets, members, memberEnds } = packed
  const identities = new Map<number, Identity>()
  const tables = new Map<number, RouteTable>([[0, all]])

  function indexOf(digest: string): number {
    if (digest.length !== DIGEST_LENGTH) return -1
    for (let slot = firstSlot(digest, slots.length); ; slot = (slot + 1) % slots.length) {
      const index = slots[slot]! - 1
      if (index === -1 || digests.startsWith(digest, index * DIGEST_LENGTH)) return index
    }
  }

  function routesOf(set: number): RouteTable {
    const known = tables.get(set)
    if (known !== undefined) return known
    const open = Array.from(members.subarray(memberEnds[set - 1], memberEnds[set]), (index) => upstreams[index]!)
    const table = createRouteTable(open)
    tables.set(set, table)
    return table
  }

  function identityOf(index: number): Identity {
    const known = identities.get(index)
    if (known !== undefined) return known
    const name = names.slice(index === 0 ? 0 : nameEnds[index - 1], nameEnds[index])
    const identity = Object.freeze({ name, routes: routesOf(sets[index]!) })
    identities.set(index, identity)
    return identity
  }

  return Object.freeze({
    size: count,
    get(digest: string) {
      const index = indexOf(digest)
      return index === -1 ? undefined : identityOf(index)
    },
    has: (digest: string) => indexOf(digest) !== -1,
  })
}
