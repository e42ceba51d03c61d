import { decodeHuffman } from './huffman.ts'
import { TABLE_BYTES } from './settings.ts'
import { STATIC_LENGTH, STATIC_NAMES, STATIC_VALUES } from './static-table.ts'

/** What an entry costs beside its name and its value (RFC 7541 section 4.1). */
const ENTRY_BYTES = 32
/** Changes of the table's size that one block may begin with: two are all that anybody needs (RFC 7541 section 4.2). */
const MAX_SIZE_CHANGES = 4
/** A number of more octets is none that anybody means. */
const MAX_INTEGER_SHIFT = 28

/** The fields of one block, in order; used again for the next one. Latin-1: one character is one octet. */
export class FieldList {
  readonly names: string[] = []
  readonly values: string[] = []
  count = 0
  /** Its size as SETTINGS_MAX_HEADER_LIST_SIZE counts it. */
  bytes = 0
  /** It has become larger than was allowed: the rest was read and not kept. */
  isTooLarge = false

  add(name: string, value: string, maxBytes: number): void {
    this.bytes += name.length + value.length + ENTRY_BYTES
    if (this.bytes > maxBytes) this.isTooLarge = true
    if (this.isTooLarge) return
    this.names[this.count] = name
    this.values[this.count++] = value
  }

  clear(): void {
    this.count = 0
    this.bytes = 0
    this.isTooLarge = false
  }
}

/** One for all connections: what was decoded last, and is read before anything else is. A connection that is idle holds none. */
const list = new FieldList()

/**
 * Reads header blocks (RFC 7541). Nothing of a list that is too large is kept, whatever references its few octets hold; the
 * table goes on all the same, since the blocks that follow need it.
 */
export class HpackDecoder {
  readonly #maxListBytes: number
  /** The dynamic table: the newest entry is the last one. `#first` of them have gone. */
  #names: string[] = []
  #values: string[] = []
  #first = 0
  #bytes = 0
  #maxBytes = TABLE_BYTES
  #at = 0
  #end = 0
  #buffer!: Buffer
  /** Goes up with every change of the table. */
  changes = 0

  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes
  }

  /** What the last call of `decode` has read, of any decoder: valid until the next one. */
  get list(): FieldList {
    return list
  }

  /** A whole block; false: it cannot be decoded, and nothing on this connection can from now on. */
  decode(buffer: Buffer, start: number, end: number): boolean {
    this.#buffer = buffer
    this.#at = start
    this.#end = end
    list.clear()
    let sizeChanges = 0
    while (this.#at < end) {
      const octet = buffer[this.#at]!
      if (octet >= 0x80) {
        if (!this.#indexed()) return false
      } else if (octet >= 0x40) {
        if (!this.#literal(0x3f, true)) return false
      } else if (octet >= 0x20) {
        if (list.bytes > 0 || ++sizeChanges > MAX_SIZE_CHANGES || !this.#resize()) return false
      } else if (!this.#literal(0x0f, false)) return false
    }
    return true
  }

  #indexed(): boolean {
    const index = this.#integer(0x7f)
    if (index <= 0) return false
    if (index <= STATIC_LENGTH) {
      list.add(STATIC_NAMES[index]!, STATIC_VALUES[index]!, this.#maxListBytes)
      return true
    }
    const at = this.#names.length - (index - STATIC_LENGTH)
    if (at < this.#first) return false
    list.add(this.#names[at]!, this.#values[at]!, this.#maxListBytes)
    return true
  }

  #literal(mask: number, isIndexed: boolean): boolean {
    const index = this.#integer(mask)
    if (index === -1) return false
    const name = index === 0 ? this.#string() : this.#nameAt(index)
    if (name === undefined) return false
    const value = this.#string()
    if (value === undefined) return false
    list.add(name, value, this.#maxListBytes)
    if (isIndexed) this.#insert(name, value)
    return true
  }

  #nameAt(index: number): string | undefined {
    if (index <= STATIC_LENGTH) return STATIC_NAMES[index]
    const at = this.#names.length - (index - STATIC_LENGTH)
    return at < this.#first ? undefined : this.#names[at]
  }

  #insert(name: string, value: string): void {
    this.changes++
    this.#names.push(name)
    this.#values.push(value)
    this.#bytes += name.length + value.length + ENTRY_BYTES
    this.#evict()
  }

  #resize(): boolean {
    const size = this.#integer(0x1f)
    if (size === -1 || size > TABLE_BYTES) return false
    this.changes++
    this.#maxBytes = size
    this.#evict()
    return true
  }

  #evict(): void {
    while (this.#bytes > this.#maxBytes) {
      const at = this.#first++
      this.#bytes -= this.#names[at]!.length + this.#values[at]!.length + ENTRY_BYTES
      this.#names[at] = ''
      this.#values[at] = ''
    }
    if (this.#first < 256 || this.#first < this.#names.length / 2) return
    this.#names = this.#names.slice(this.#first)
    this.#values = this.#values.slice(this.#first)
    this.#first = 0
  }

  /** RFC 7541 section 5.1; -1: cut off or too large. */
  #integer(mask: number): number {
    const buffer = this.#buffer
    let value = buffer[this.#at++]! & mask
    if (value < mask) return value
    for (let shift = 0; shift <= MAX_INTEGER_SHIFT; shift += 7) {
      if (this.#at >= this.#end) return -1
      const octet = buffer[this.#at++]!
      value += (octet & 0x7f) * 2 ** shift
      if (octet < 0x80) return value
    }
    return -1
  }

  /** RFC 7541 section 5.2. */
  #string(): string | undefined {
    if (this.#at >= this.#end) return undefined
    const isHuffman = this.#buffer[this.#at]! >= 0x80
    const length = this.#integer(0x7f)
    const start = this.#at
    const end = start + length
    if (length === -1 || end > this.#end) return undefined
    this.#at = end
    if (!isHuffman) return this.#buffer.toString('latin1', start, end)
    const target = scratchFor(length)
    const decoded = decodeHuffman(this.#buffer, start, end, target)
    return decoded === -1 ? undefined : target.toString('latin1', 0, decoded)
  }
}

/** Where codes become octets, of any connection: no code is shorter than five bits. */
let scratch = Buffer.allocUnsafeSlow(8_192)

function scratchFor(length: number): Buffer {
  const wanted = Math.ceil((length * 8) / 5)
  if (wanted <= scratch.length) return scratch
  // Rare: what one large field needs is not kept.
  if (wanted > 65_536) return Buffer.allocUnsafeSlow(wanted)
  scratch = Buffer.allocUnsafeSlow(wanted)
  return scratch
}
