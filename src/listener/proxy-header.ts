import { isIPv4, isIPv6 } from 'node:net'
import { formatAddress, parseAddress } from '../http/address.ts'
import { LF } from '../http/octets.ts'

/**
 * The header of the PROXY protocol, versions 1 and 2 (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt): bytes in,
 * the client's address or a fault out, resumable at any byte. What never can become a header is a fault with the byte that says so.
 */

/** Why there is no header; the log shows it. */
export type ProxyFault = 'no_header' | 'malformed' | 'too_long'

const V1_SIGNATURE = Buffer.from('PROXY ')
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n')
/** The longest line of version 1, its line end included (section 2.1). */
const V1_MAX_BYTES = 107
const V2_HEAD_BYTES = 16
/** What follows the addresses (certificates of clients, names of endpoints) is skipped; the protocol would allow 64 KiB of it. */
const V2_MAX_BYTES = 16_384

const V1_LINE = /^PROXY (?:UNKNOWN(?: .*)?|(TCP[46]) (\S+) (\S+) (\d{1,5}) (\d{1,5}))\r\n$/

/** Section 2.2: commands, families and their block of addresses. */
const LOCAL = 0
const PROXY = 1
const UNSPECIFIED = 0
const INET = 1
const INET6 = 2
const UNIX = 3
const MAX_TRANSPORT = 2
const ADDRESS_BYTES = [0, 12, 36, 216] as const

export class ProxyHeaderReader {
  state: 'incomplete' | 'whole' | ProxyFault = 'incomplete'
  /** The header names a client (`LOCAL` and `UNKNOWN` do not: then it is the connection's own other end). */
  namesClient = false
  /** Undefined for one that has reached the proxy through a Unix socket. */
  clientIp: string | undefined = undefined
  readonly #kept = Buffer.allocUnsafeSlow(V2_HEAD_BYTES + ADDRESS_BYTES[UNIX])
  #length = 0
  #signature = V1_SIGNATURE
  /** Of version 2, once its first 16 bytes are there. */
  #addressBytes = 0
  /** Bytes behind the addresses. */
  #toSkip = 0

  get hasBegun(): boolean {
    return this.#length > 0
  }

  /** Takes the header's part of `buffer[start..end)`; returns where it ends. Look at `state` then. */
  read(buffer: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && this.state === 'incomplete') {
      if (this.#isSkipping) {
        const skipped = Math.min(this.#toSkip, end - at)
        at += skipped
        this.#toSkip -= skipped
        this.#endIfSkipped()
      } else {
        const octet = buffer[at++]!
        this.#kept[this.#length++] = octet
        this.#judge(octet)
      }
    }
    return at
  }

  get #isSkipping(): boolean {
    return this.#length >= V2_HEAD_BYTES && this.#isV2 && this.#length === V2_HEAD_BYTES + this.#addressBytes
  }

  get #isV2(): boolean {
    return this.#signature === V2_SIGNATURE
  }

  #judge(octet: number): void {
    const length = this.#length
    if (length === 1 && octet !== V1_SIGNATURE[0]) this.#signature = V2_SIGNATURE
    if (length <= this.#signature.length) {
      if (octet !== this.#signature[length - 1]) this.state = 'no_header'
    } else if (!this.#isV2) {
      if (octet === LF) this.#endV1()
      else if (length === V1_MAX_BYTES) this.state = 'too_long'
    } else if (length === V2_HEAD_BYTES) this.#beginV2()
    else if (length === V2_HEAD_BYTES + this.#addressBytes) this.#endV2()
  }

  #endV1(): void {
    this.state = 'malformed'
    const match = V1_LINE.exec(this.#kept.toString('latin1', 0, this.#length))
    if (match === null) return
    const [, protocol, source, destination, ...ports] = match
    if (protocol !== undefined) {
      const isOfFamily = protocol === 'TCP4' ? isIPv4 : isIPv6
      if (!isOfFamily(source!) || !isOfFamily(destination!)) return
      const address = parseAddress(source!)
      if (address === undefined || parseAddress(destination!) === undefined) return
      if (ports.some((port) => Number(port) > 65_535)) return
      this.namesClient = true
      this.clientIp = formatAddress(address)
    }
    this.state = 'whole'
  }

  #beginV2(): void {
    const command = this.#kept[12]!
    const family = this.#kept[13]! >> 4
    const transport = this.#kept[13]! & 0xf
    const rest = this.#kept.readUInt16BE(14)
    const isLocal = (command & 0xf) === LOCAL
    if (command >> 4 !== 2 || (command & 0xf) > PROXY) this.state = 'malformed'
    else if (V2_HEAD_BYTES + rest > V2_MAX_BYTES) this.state = 'too_long'
    // The rest of a LOCAL header means nothing, whatever it says.
    else if (!isLocal && (family > UNIX || transport > MAX_TRANSPORT)) this.state = 'malformed'
    else if (!isLocal && family !== UNSPECIFIED && transport !== UNSPECIFIED) {
      this.#addressBytes = ADDRESS_BYTES[family as 1 | 2 | 3]
      if (rest < this.#addressBytes) this.state = 'malformed'
    }
    this.#toSkip = rest - this.#addressBytes
    if (this.#addressBytes === 0) this.#endIfSkipped()
  }

  #endV2(): void {
    const family = this.#kept[13]! >> 4
    this.namesClient = true
    if (family === INET) this.clientIp = this.#kept.subarray(16, 20).join('.')
    else if (family === INET6) {
      this.clientIp = formatAddress([16, 18, 20, 22, 24, 26, 28, 30].map((at) => this.#kept.readUInt16BE(at)))
    }
    this.#endIfSkipped()
  }

  #endIfSkipped(): void {
    if (this.state === 'incomplete' && this.#toSkip === 0) this.state = 'whole'
  }
}
