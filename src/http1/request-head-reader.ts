import type { FailureCode } from '../failure.ts'
import { isRefused, type RefusedHead } from '../http/downstream.ts'
import type { RequestHead } from '../http/message.ts'
import { parseFieldSection } from './field-section.ts'
import { HeadReader } from './head-reader.ts'
import { parseRequestHead, parseRequestLine, readRequestLine } from './parse-request.ts'
import { RepeatedRequests } from './repeated-requests.ts'

const LEADING_JUNK: RefusedHead = { failure: 'bad_request_line', hasRequestLine: false, method: '', target: '' }
const CLIENT_HELLO: RefusedHead = { failure: 'tls_on_plain_port', hasRequestLine: false, method: '', target: '' }
/** ContentType handshake (RFC 8446 section 5.1), the first byte that a TLS client sends. */
const TLS_HANDSHAKE = 0x16

/**
 * Reads request heads one after the other: bytes in, a head or the reason to refuse it out. What can never become a request is
 * refused with the byte that says so.
 */
export class RequestHeadReader {
  readonly #reader = new HeadReader()
  #repeats: RepeatedRequests | undefined = undefined
  #result: RequestHead | RefusedHead | undefined = undefined
  #isLineJudged = false
  /** A head was let through. */
  #isKept = false

  /** A byte of a head has come and its end has not. */
  get hasBegun(): boolean {
    return this.#reader.hasBegun
  }

  /** Takes the head's part of `buffer[start..end)`; returns where it ends. */
  read(buffer: Buffer, start: number, end: number): number {
    const repeats = this.#repeats
    const repeated = repeats !== undefined && this.#reader.isFresh ? repeats.read(buffer, start, end) : -1
    if (repeated === -1) return this.#readNew(buffer, start, end)
    this.#result = repeats!.head
    return repeated
  }

  #readNew(buffer: Buffer, start: number, end: number): number {
    const from = this.#reader.skipEmptyLines(buffer, start, end)
    if (from === -1) {
      this.#result = LEADING_JUNK
      return end
    }
    if (from === end) return end
    if (buffer[from] === TLS_HANDSHAKE && !this.#reader.hasBegun) {
      this.#result = CLIENT_HELLO
      return end
    }
    const at = this.#reader.read(buffer, from, end)
    if (this.#reader.state !== 'incomplete') this.#result = this.#judge()
    else if (!this.#isLineJudged && this.#reader.hasStartLine) this.#judgeLine()
    return at
  }

  #judge(): RequestHead | RefusedHead {
    const { state, text } = this.#reader
    if (state === 'whole') return parseRequestHead(text, 0)
    const line = readRequestLine(text)
    if (state === 'broken') {
      const failure = failureAt(text, this.#reader.brokenAt)
      if (failure !== 'bad_field') return { failure, ...line }
      // The line stands before the field, and is judged before it, as in a head that comes whole.
      const judged = parseRequestLine(text, 0)
      if (isRefused(judged)) return judged
      return { failure, ...line, cause: parseFieldSection(text, text.indexOf('\n') + 1).cause }
    }
    return { failure: line.hasRequestLine ? 'head_too_large' : 'target_too_long', ...line }
  }

  #judgeLine(): void {
    this.#isLineJudged = true
    const line = parseRequestLine(this.#reader.partial(), 0)
    if (isRefused(line)) this.#result = line
  }

  /** The head that has come to its end, once; undefined while there is none. */
  take(): RequestHead | RefusedHead | undefined {
    const result = this.#result
    if (result === undefined) return undefined
    this.#result = undefined
    this.#reset()
    return result
  }

  /**
   * What has become of a head: one that was let through is known when it comes again. The first of a connection is not: most connections
   * that are idle by the thousand have had one request.
   */
  learn(head: RequestHead): void {
    if (head.repeated !== undefined) this.#repeats?.forget()
    else if (head.clearance === undefined) return
    else if (this.#repeats !== undefined) this.#repeats.learn(head)
    else if (this.#isKept) {
      this.#repeats = new RepeatedRequests()
      this.#repeats.learn(head)
    } else this.#isKept = true
  }

  /** Gives up waiting for the rest of a head. */
  refuse(failure: RefusedHead['failure']): RefusedHead {
    const line = readRequestLine(this.#reader.partial())
    this.#reset()
    return { failure, ...line }
  }

  #reset(): void {
    this.#reader.reset()
    this.#isLineJudged = false
  }
}

/** What the parser of whole heads says of the same octet. */
function failureAt(text: string, brokenAt: number): FailureCode {
  const before = text.slice(0, brokenAt)
  if (before.includes('\n')) return 'bad_field'
  const isLineEnd = before.endsWith('\r') || text[brokenAt] === '\n'
  return !isLineEnd && before.split(' ', 3).length === 2 ? 'bad_target' : 'bad_request_line'
}
