import type { RefusedHead } from '../http/downstream.ts'
import type { RequestHead } from '../http/message.ts'
import { HeadReader } from './head-reader.ts'
import { parseRequestHead, readRequestLine } from './parse-request.ts'

const LEADING_JUNK: RefusedHead = { failure: 'bad_request_line', hasRequestLine: false, method: '', target: '' }

/** Reads request heads one after the other: bytes in, a head or the reason to refuse it out. */
export class RequestHeadReader {
  readonly #reader = new HeadReader()
  #result: RequestHead | RefusedHead | undefined = undefined

  /** A byte of a head has come and its end has not. */
  get hasBegun(): boolean {
    return this.#reader.hasBegun
  }

  /** Takes the head's part of `buffer[start..end)`; returns where it ends. */
  read(buffer: Buffer, start: number, end: number): number {
    const from = this.#reader.skipEmptyLines(buffer, start, end)
    if (from === -1) {
      this.#result = LEADING_JUNK
      return end
    }
    if (from === end) return end
    const at = this.#reader.read(buffer, from, end)
    if (this.#reader.state !== 'incomplete') this.#result = this.#judge()
    return at
  }

  #judge(): RequestHead | RefusedHead {
    const { state, text } = this.#reader
    if (state === 'whole') return parseRequestHead(text, 0)
    const line = readRequestLine(text)
    if (state === 'bare-line-feed')
      return { failure: endsFirstLineBare(text) ? 'bad_request_line' : 'bad_field', ...line }
    return { failure: line.hasRequestLine ? 'head_too_large' : 'target_too_long', ...line }
  }

  /** The head that has come to its end, once; undefined while there is none. */
  take(): RequestHead | RefusedHead | undefined {
    const result = this.#result
    if (result === undefined) return undefined
    this.#result = undefined
    this.#reader.reset()
    return result
  }

  /** Gives up waiting for the rest of a head. */
  refuse(failure: RefusedHead['failure']): RefusedHead {
    const line = readRequestLine(this.#reader.partial())
    this.#reader.reset()
    return { failure, ...line }
  }
}

function endsFirstLineBare(text: string): boolean {
  return text[text.indexOf('\n') - 1] !== '\r'
}
