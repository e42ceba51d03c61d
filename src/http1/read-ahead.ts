/** Bytes of a connection that were read ahead of their turn, in order, in memory of their own. */
export class ReadAhead {
  #pieces: Buffer[] = []
  bytes = 0

  get isEmpty(): boolean {
    return this.#pieces.length === 0
  }

  /** Copies `buffer[start..end)` to the end. */
  add(buffer: Buffer, start: number, end: number): void {
    if (start === end) return
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)))
    this.bytes += end - start
  }

  take(): Buffer {
    const piece = this.#pieces.shift()!
    this.bytes -= piece.length
    return piece
  }

  /** The rest of what was taken last. */
  putBack(piece: Buffer): void {
    if (piece.length === 0) return
    this.#pieces.unshift(piece)
    this.bytes += piece.length
  }

  clear(): void {
    this.#pieces = []
    this.bytes = 0
  }
}
