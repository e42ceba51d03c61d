/** So many are remembered: what their client has sent before it knew has come by then. */
const MAX_REMEMBERED = 128

/** Streams that we have reset of late: what still comes of them is not held against their client (RFC 9113 section 5.1). */
export class ResetStreams {
  #ids: Set<number> | undefined = undefined

  has(id: number): boolean {
    return this.#ids?.has(id) === true
  }

  add(id: number): void {
    this.#ids ??= new Set()
    this.#ids.add(id)
    if (this.#ids.size <= MAX_REMEMBERED) return
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest)
      return
    }
  }
}
