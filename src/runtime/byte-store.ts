const FIRST_BYTES = 1_024

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
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, wanted, this.length * 2))
    this.#buffer?.copy(grown, 0, 0, this.length)
    this.#buffer = grown
  }

  /** All of it, in memory that is the caller's from now on. */
  take(): Buffer {
    const taken = this.#buffer?.subarray(0, this.length) ?? Buffer.alloc(0)
    this.clear()
    return taken
  }

  clear(): void {
    this.#buffer = undefined
    this.length = 0
  }
}
