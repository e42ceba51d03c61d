const FIRST_BYTES = 1_024
/** From here on a buffer grows by what is wanted and a quarter: what is kept costs what it is long. */
const DOUBLED_UP_TO_BYTES = 16_384

/** Large buffers that were given up: heads of many kilobytes that come in pieces would else be garbage by the megabyte. */
const spares: Buffer[] = []
const MAX_SPARES = 32
const LARGE_BYTES = { least: 24_576, most: 66_560 } as const

/** Bytes kept for later in one growing buffer, so that many small pieces cost no more than their bytes. */
export class ByteStore {
  #buffer: Buffer | undefined = undefined
  length = 0

  add(buffer: Buffer, start: number, end: number): void {
    this.#reserve(end - start)
    if (end > start) buffer.copy(this.#buffer!, this.length, start, end)
    this.length += end - start
  }

  /** latin-1. */
  addText(text: string): void {
    this.#reserve(text.length)
    if (text !== '') this.#buffer!.write(text, this.length, 'latin1')
    this.length += text.length
  }

  #reserve(length: number): void {
    const wanted = this.length + length
    if (wanted === 0 || (this.#buffer !== undefined && wanted <= this.#buffer.length)) return
    const grown = allocate(wanted)
    this.#buffer?.copy(grown, 0, 0, this.length)
    giveUp(this.#buffer)
    this.#buffer = grown
  }

  /** All of it, for a look. */
  get bytes(): Buffer {
    return this.#buffer?.subarray(0, this.length) ?? Buffer.alloc(0)
  }

  /** All of it, in memory that is the caller's from now on. */
  take(): Buffer {
    const taken = this.bytes
    this.#buffer = undefined
    this.length = 0
    return taken
  }

  clear(): void {
    giveUp(this.#buffer)
    this.#buffer = undefined
    this.length = 0
  }
}

function allocate(wanted: number): Buffer {
  if (wanted >= LARGE_BYTES.least && wanted <= LARGE_BYTES.most)
    return spares.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES.most)
  const room = wanted <= DOUBLED_UP_TO_BYTES ? wanted * 2 : wanted + wanted / 4
  return Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, Math.floor(room)))
}

function giveUp(buffer: Buffer | undefined): void {
  if (buffer?.length !== LARGE_BYTES.most) return
  if (spares.length < MAX_SPARES) spares.push(buffer)
}
