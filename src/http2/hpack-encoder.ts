import { STATIC_INDEX, STATIC_LENGTH, STATIC_NAMES, STATIC_VALUES } from './static-table.ts'

/**
 * Writes header blocks (RFC 7541). It keeps no table: a block means the same whenever it is sent, so that one can be made before it is
 * known when its stream has its turn. Every literal is marked as never to be indexed: which of them their sender had marked so is
 * not known any more here, and that mark must not get lost (RFC 7541 section 6.2.3).
 */

const NEVER_INDEXED = 0x10
const NAME_INDEX_BITS = 0x0f
const LENGTH_BITS = 0x7f
const INDEXED = 0x80

const STATUS_INDEX: ReadonlyMap<number, number> = new Map(
  [...STATIC_NAMES.entries()]
    .filter(([, name]) => name === ':status')
    .map(([index]) => [Number(STATIC_VALUES[index]), index]),
)
/** Entries that are whole fields, by `name: value`. */
const WHOLE: ReadonlyMap<string, number> = new Map(
  Array.from({ length: STATIC_LENGTH }, (_, at) => at + 1)
    .filter((index) => STATIC_VALUES[index] !== '')
    .map((index) => [`${STATIC_NAMES[index]}: ${STATIC_VALUES[index]}`, index]),
)

/** At most, for a number of five octets at each place where one can stand. */
const FIELD_OVERHEAD = 12

/** One block at a time, in memory that the next one uses again. */
export class HpackEncoder {
  #buffer = Buffer.allocUnsafeSlow(4_096)
  #length = 0

  begin(): void {
    this.#length = 0
  }

  /** The block, valid until the next `begin`. */
  get block(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  status(status: number): void {
    const index = STATUS_INDEX.get(status)
    if (index === undefined) this.field(':status', `${status}`)
    else {
      this.#reserve(FIELD_OVERHEAD)
      this.#buffer[this.#length++] = INDEXED | index
    }
  }

  /** A pseudo-header field, of which some are in the table whole. */
  pseudo(name: string, value: string): void {
    const index = WHOLE.get(`${name}: ${value}`)
    if (index === undefined) this.field(name, value)
    else {
      this.#reserve(FIELD_OVERHEAD)
      this.#buffer[this.#length++] = INDEXED | index
    }
  }

  /** The name in lower case; both latin-1. */
  field(name: string, value: string): void {
    this.#reserve(name.length + value.length + FIELD_OVERHEAD)
    const index = STATIC_INDEX.get(name)
    if (index === undefined) {
      this.#buffer[this.#length++] = NEVER_INDEXED
      this.#string(name)
    } else this.#integer(NEVER_INDEXED, NAME_INDEX_BITS, index)
    this.#string(value)
  }

  #string(text: string): void {
    this.#integer(0, LENGTH_BITS, text.length)
    this.#length += this.#buffer.write(text, this.#length, 'latin1')
  }

  #integer(first: number, mask: number, value: number): void {
    const buffer = this.#buffer
    if (value < mask) {
      buffer[this.#length++] = first | value
      return
    }
    buffer[this.#length++] = first | mask
    let rest = value - mask
    while (rest >= 0x80) {
      buffer[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    buffer[this.#length++] = rest
  }

  #reserve(more: number): void {
    const wanted = this.#length + more
    if (wanted <= this.#buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}
