import type { ResponseHead } from '../http/message.ts'
import { Unchunker } from '../http/unchunker.ts'
import { trailerBlock } from './head-block.ts'
import type { StreamSender } from './stream-sender.ts'

/** Octets, or chunks, or as many as come until somebody says that it was all. */
export type ContentLength = number | 'chunked' | undefined

/** Of a response. What comes over HTTP/2 ends when its stream does: trailers may stand behind a length. */
export function contentLengthOf({ framing, contentLength, isHttp2 }: ResponseHead): ContentLength {
  if (framing === 'chunked') return framing
  return framing === 'length' && isHttp2 !== true ? contentLength : undefined
}

/** A body that goes out, in the form in which the path of a request relays it: what frames it there is taken off, and ends its stream. */
export class ContentSender {
  readonly #sender: StreamSender
  readonly #unchunker: Unchunker | undefined
  #left: number | undefined

  constructor(sender: StreamSender, length: ContentLength) {
    this.#sender = sender
    this.#unchunker = length === 'chunked' ? new Unchunker() : undefined
    this.#left = length === 'chunked' ? undefined : length
  }

  send(before: string, buffer: Buffer, start: number, end: number): void {
    if (this.#unchunker !== undefined) this.#sendChunks(this.#unchunker, before, buffer, start, end)
    else if (end > start) {
      this.#sender.content(buffer, start, end)
      if (this.#left === undefined) return
      this.#left -= end - start
      if (this.#left === 0) this.#sender.end()
    }
  }

  /** All of it has come. `trailers`: lines that its form had no place for. */
  end(trailers: string): void {
    if (trailers === '' || this.#unchunker !== undefined || this.#left !== undefined) this.#sender.end()
    else this.#sender.headers(trailerBlock(trailers)!, true)
  }

  #sendChunks(unchunker: Unchunker, before: string, buffer: Buffer, start: number, end: number): void {
    if (before !== '') unchunker.text(before)
    for (let at = start; at < end; ) {
      at = unchunker.next(buffer, at, end)
      const { pieceStart, pieceEnd } = unchunker
      if (pieceEnd > pieceStart) this.#sender.content(buffer, pieceStart, pieceEnd)
    }
    if (!unchunker.isDone) return
    const trailers = trailerBlock(unchunker.trailers)
    if (trailers === undefined) this.#sender.end()
    else this.#sender.headers(trailers, true)
  }
}
