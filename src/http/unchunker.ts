import { CR, HEX_VALUE, LF } from './octets.ts'

/**
 * Takes chunk framing off a body that goes to an HTTP/2 side, or is read. The path of a request relays bodies with the framing that they have in
 * HTTP/1; whoever follows them has checked it and taken out extensions already, so this only counts.
 */
const STATE = { size: 0, sizeLf: 1, data: 2, dataCr: 3, dataLf: 4, trailer: 5, done: 6 } as const

export class Unchunker {
  #state: number = STATE.size
  #left = 0
  #line = ''
  /** The lines of the trailer section, each with its CRLF. */
  trailers = ''
  /** After `next`: a piece of content; empty if `pieceStart` is `pieceEnd`. */
  pieceStart = 0
  pieceEnd = 0

  get isDone(): boolean {
    return this.#state === STATE.done
  }

  start(): void {
    this.#state = STATE.size
    this.#left = 0
    this.#line = ''
    this.trailers = ''
  }

  /** Reads `buffer[at..end)` up to the end of its next piece; returns where to go on. */
  next(buffer: Buffer, at: number, end: number): number {
    let i = at
    while (i < end) {
      if (this.#state === STATE.data) {
        const taken = Math.min(this.#left, end - i)
        this.#left -= taken
        if (this.#left === 0) this.#state = STATE.dataCr
        this.pieceStart = i
        this.pieceEnd = i + taken
        return this.pieceEnd
      }
      this.#step(buffer[i++]!)
    }
    this.pieceStart = this.pieceEnd = end
    return end
  }

  /** Framing that comes as text: there is no content in it. */
  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.#step(text.charCodeAt(i))
  }

  #step(octet: number): void {
    switch (this.#state) {
      case STATE.size:
        if (octet === CR) this.#state = STATE.sizeLf
        else this.#left = this.#left * 16 + HEX_VALUE[octet]!
        break
      case STATE.sizeLf:
        this.#state = this.#left === 0 ? STATE.trailer : STATE.data
        break
      case STATE.dataCr:
        this.#state = STATE.dataLf
        break
      case STATE.dataLf:
        this.#state = STATE.size
        break
      case STATE.trailer:
        this.#line += String.fromCharCode(octet)
        if (octet === LF) this.#endLine()
    }
  }

  #endLine(): void {
    if (this.#line === '\r\n') this.#state = STATE.done
    else this.trailers += this.#line
    this.#line = ''
  }
}
