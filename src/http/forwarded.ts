import { type Address, includesAddress, type PeerSet, parseAddress } from './address.ts'
import { fieldValue, linesNamed } from './lines.ts'
import type { RequestHead } from './message.ts'

/** Whom a request comes from, as the proxies say through which it came. */

/** No chain of proxies is longer; a walk that goes on and on would be work that a client chooses. */
const MAX_HOPS = 64
/** An address in brackets with a port, and something to spare. */
const MAX_NODE_LENGTH = 64
/** A line of `Forwarded` has to be read from its start, however few of its elements count: one of 64 KiB would cost milliseconds. */
const MAX_FORWARDED_LENGTH = 8_192

/**
 * The client of a request that a trusted proxy has sent: walking from the proxy towards the client, the first address that is
 * not trusted, or the last one if all are. What is no address (`unknown`, `_hidden`, an empty entry, anything) ends the walk:
 * beyond it, everything could have been made up. Undefined: the fields tell nothing, and the proxy is all that is known.
 * `Forwarded` (RFC 7239) counts only where there is no `X-Forwarded-For`; several lines of a field are one list.
 */
export function forwardedClient(head: RequestHead, trusted: PeerSet): Address | undefined {
  const lists = valuesOf(head, 'x-forwarded-for')
  const nodes = lists.length > 0 ? lastEntries(lists.join(',')) : lastForwarded(valuesOf(head, 'forwarded'))
  let known: Address | undefined
  for (const node of nodes) {
    const address = node === undefined ? undefined : addressOf(node)
    if (address === undefined) return known
    known = address
    if (!includesAddress(trusted, address)) return known
  }
  return known
}

/** The values of a field, in order. */
function valuesOf(head: RequestHead, lowerCaseName: string): string[] {
  return linesNamed(head, lowerCaseName).map((line) => fieldValue(head.text, line))
}

/** The last entries of a list, last first. */
function lastEntries(list: string): string[] {
  const entries: string[] = []
  for (let end = list.length; end >= 0 && entries.length < MAX_HOPS; ) {
    const comma = end === 0 ? -1 : list.lastIndexOf(',', end - 1)
    entries.push(list.slice(comma + 1, end))
    end = comma
  }
  return entries
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
/**
 * A pair or nothing, and what ends it. White space around the separators is what people write, whatever the grammar says. (No two
 * runs of it may meet: the ways to share a long one between them would be tried one by one.)
 */
const PAIR = new RegExp(`[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)")[ \\t]*)?([,;]|$)`, 'y')

/** The `for` of the last elements, last first; undefined for an element without one. */
function lastForwarded(lines: readonly string[]): (string | undefined)[] {
  // A line is read for itself: an open quote in one that a client has sent must not swallow what a proxy has added.
  return lines
    .flatMap((line) => forwardedNodes(line) ?? [undefined])
    .slice(-MAX_HOPS)
    .reverse()
}

/** Undefined if the line follows no grammar, or is too long for a chain of proxies. It must be read from its start: a quoted text may hold commas. */
function forwardedNodes(line: string): (string | undefined)[] | undefined {
  if (line.length > MAX_FORWARDED_LENGTH) return undefined
  const nodes: (string | undefined)[] = []
  let node: string | undefined
  let count = 0
  for (PAIR.lastIndex = 0; ; ) {
    const match = PAIR.exec(line)
    if (match === null) return undefined
    const [, name, token, quoted, separator] = match
    if (name?.toLowerCase() === 'for') {
      count++
      node = token ?? quoted!.replace(/\\(.)/g, '$1')
    }
    if (separator === ';') continue
    // A name may occur once in an element (RFC 7239 section 4).
    nodes.push(count === 1 ? node : undefined)
    count = 0
    if (separator === '') return nodes
  }
}

/** An address with or without a port; an IPv6 address may stand in brackets, and must if a port follows. */
const BRACKETED = /^\[([^\]]*:[^\]]*)\](?::(?:\d{1,5}|_[\w.-]+))?$/
const IPV4_WITH_PORT = /^([\d.]+):(?:\d{1,5}|_[\w.-]+)$/

function addressOf(text: string): Address | undefined {
  if (text.length > MAX_NODE_LENGTH) return undefined
  const node = text.replace(/^[ \t]+|[ \t]+$/g, '')
  return parseAddress((BRACKETED.exec(node) ?? IPV4_WITH_PORT.exec(node))?.[1] ?? node)
}
