import { isIPv4, isIPv6 } from 'node:net'

/** IP addresses as numbers, so that each has one spelling and ranges can be told apart. */

/** Eight groups of 16 bits. An IPv4 address is the IPv6 address that it is mapped to (RFC 4291 section 2.5.5.2). */
export type Address = readonly number[]

/** Addresses that share their first `prefixLength` bits with `base`. IPv4 ranges hold IPv4 addresses only, IPv6 ranges no IPv4 ones. */
export interface AddressRange {
  readonly base: Address
  /** Of 128 bits: 96 more than an IPv4 range is written with. */
  readonly prefixLength: number
}

/** A set of peers: IP addresses, and whoever connects through a Unix socket. */
export interface PeerSet {
  readonly ranges: readonly AddressRange[]
  readonly hasUnix: boolean
}

const GROUPS = 8
/** In front of an IPv4 address that is mapped to IPv6. */
const MAPPED: Address = [0, 0, 0, 0, 0, 0xffff]
const MAPPED_BITS = 96
/** `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`. */
const MAX_ADDRESS_LENGTH = 45

/** Undefined for everything that is no address; a zone (`%eth0`) means something on one machine only, and is none. */
export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_ADDRESS_LENGTH) return undefined
  if (isIPv4(text)) return [...MAPPED, ...groupsOfIPv4(text)]
  if (!isIPv6(text) || text.includes('%')) return undefined
  const [before = '', after] = text.split('::', 2)
  const first = groupsOf(before)
  if (after === undefined) return first
  const last = groupsOf(after)
  return [...first, ...new Array<number>(GROUPS - first.length - last.length).fill(0), ...last]
}

function groupsOfIPv4(text: string): number[] {
  const [a, b, c, d] = text.split('.').map(Number)
  return [(a! << 8) | b!, (c! << 8) | d!]
}

/** A part of an IPv6 address without `::`, of which the last piece may be an IPv4 address. */
function groupsOf(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((piece) => (piece.includes('.') ? groupsOfIPv4(piece) : [Number.parseInt(piece, 16)]))
}

function isMapped(address: Address): boolean {
  return MAPPED.every((group, index) => address[index] === group)
}

/** The one spelling: RFC 5952, and IPv4 addresses as such. At most 39 characters. */
export function formatAddress(address: Address): string {
  if (isMapped(address)) {
    return address
      .slice(6)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join('.')
  }
  const { start, length } = longestZeros(address)
  const hex = address.map((group) => group.toString(16))
  if (length < 2) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}

/** The first of the longest runs (RFC 5952 section 4.2.3). */
function longestZeros(address: Address): { start: number; length: number } {
  let longest = { start: 0, length: 0 }
  let length = 0
  for (let i = 0; i < GROUPS; i++) {
    length = address[i] === 0 ? length + 1 : 0
    if (length > longest.length) longest = { start: i + 1 - length, length }
  }
  return longest
}

/** An address, or an address and a prefix length (`10.0.0.0/8`, RFC 4632 section 3.1); else what is wrong with the text. */
export function parseRange(text: string): AddressRange | { readonly wrong: string } {
  const [addressText = '', lengthText, ...rest] = text.split('/')
  const base = parseAddress(addressText)
  const bits = isIPv4(addressText) ? 32 : 128
  if (base === undefined || rest.length > 0 || (lengthText !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(lengthText))) {
    return { wrong: 'must be an address or a range of addresses: 10.0.0.0/8, 192.0.2.7, 2001:db8::/32; or unix' }
  }
  const length = Number(lengthText ?? bits)
  if (length > bits) return { wrong: `must have a length of ${bits} at most after the /` }
  const prefixLength = length + 128 - bits
  const masked = base.map((group, index) => group & maskOf(prefixLength, index))
  if (masked.some((group, index) => group !== base[index])) {
    return { wrong: `has bits behind its prefix; the range is ${formatAddress(masked)}/${length}` }
  }
  return { base, prefixLength }
}

/** The bits of a group that belong to a prefix. */
function maskOf(prefixLength: number, index: number): number {
  const bits = Math.min(16, Math.max(0, prefixLength - index * 16))
  return (0xffff << (16 - bits)) & 0xffff
}

function isInRange(address: Address, { base, prefixLength }: AddressRange): boolean {
  if (isMapped(address) !== (prefixLength >= MAPPED_BITS && isMapped(base))) return false
  for (let i = 0; i * 16 < prefixLength; i++) {
    if (((address[i]! ^ base[i]!) & maskOf(prefixLength, i)) !== 0) return false
  }
  return true
}

export function includesAddress(peers: PeerSet, address: Address): boolean {
  return peers.ranges.some((range) => isInRange(address, range))
}

/** `peer`: as the system writes it, perhaps with a zone; undefined for the other end of a Unix socket. */
export function includesPeer(peers: PeerSet, peer: string | undefined): boolean {
  if (peer === undefined) return peers.hasUnix
  const zone = peer.indexOf('%')
  const address = parseAddress(zone === -1 ? peer : peer.slice(0, zone))
  return address !== undefined && includesAddress(peers, address)
}
