import type { Cause } from '../../src/cause.ts'
import { FAILURES, type FailureCode } from '../../src/failure.ts'
import { isRefused, type RefusedHead } from '../../src/http/downstream.ts'
import type { RequestHead, ResponseHead } from '../../src/http/message.ts'
import { BodyFollower } from '../../src/http1/body-follower.ts'
import { connectionSpecificEdit, encodeHead, encodeResponseHead } from '../../src/http1/encoder.ts'
import { HeadReader } from '../../src/http1/head-reader.ts'
import { parseResponseHead } from '../../src/http1/parse-response.ts'
import { RequestHeadReader } from '../../src/http1/request-head-reader.ts'

/** What became of one message. */
export interface Passed {
  /** What the log says of its head; empty: the head was refused or never became whole. */
  readonly description: string
  /** The head as it goes on. */
  readonly head: string
  body: string
  ending: string
}

/** What stands before what was read, where no codec may ever look: an end of everything, if one does. */
const BEFORE = Buffer.from('\r\n\r\n0\r\n\r\n')

/** What may stand behind it, left over from an earlier read: an end of everything, or the second half of a line end. */
export const LEFT_OVERS: readonly string[] = ['\r\n\r\n0\r\n\r\n', '\n\r\n0\r\n\r\n']

/**
 * The bytes of one direction of a connection through the codecs, put together as the connections put them together:
 * head reader, parser, encoder, body follower. Text is latin-1.
 */
export class Passage {
  readonly messages: Passed[] = []
  #surplus = ''
  /** The method that is answered; undefined: these are requests. */
  readonly #answers: string | undefined
  readonly #requestHeads = new RequestHeadReader()
  readonly #heads = new HeadReader()
  readonly #body = new BodyFollower()
  #phase: 'head' | 'body' | 'done' | 'over' = 'head'

  readonly #behind: Buffer

  constructor(answers?: string, behind = LEFT_OVERS[0]!) {
    this.#answers = answers
    this.#behind = Buffer.from(behind)
  }

  /** Reads these bytes at once, from the middle of a buffer that other bytes surround. */
  read(bytes: string): void {
    const buffer = Buffer.concat([BEFORE, Buffer.from(bytes, 'latin1'), this.#behind])
    const end = buffer.length - this.#behind.length
    let at = BEFORE.length
    while (at < end) {
      if (this.#phase === 'over') return
      if (this.#phase === 'done') {
        this.#surplus += buffer.toString('latin1', at, end)
        return
      }
      at = this.#phase === 'head' ? this.#readHead(buffer, at, end) : this.#readBody(buffer, at, end)
    }
  }

  /** The connection ends. */
  finish(): void {
    if (this.#phase === 'head' && (this.#heads.hasBegun || this.#requestHeads.hasBegun))
      this.#add('', '', 'ends in the head')
    if (this.#phase === 'body') this.messages.at(-1)!.ending = this.#body.end() ? 'end' : 'ends in the body'
  }

  /** What went on. */
  get passed(): string {
    return this.messages.map(({ head, body }) => head + body).join('')
  }

  get log(): string[] {
    const log = this.messages.flatMap(({ description, body, ending }) =>
      [description, body && `body ${body}`, ending].filter((event) => event !== ''),
    )
    if (this.#surplus !== '') log.push(`surplus ${this.#surplus}`)
    return log
  }

  #add(description: string, head: string, ending: string): void {
    this.messages.push({ description, head, body: '', ending })
  }

  #readHead(buffer: Buffer, start: number, end: number): number {
    if (this.#answers === undefined) {
      const at = this.#requestHeads.read(buffer, start, end)
      const head = this.#requestHeads.take()
      return head === undefined ? at : this.#openRequest(head, at, end)
    }
    const at = this.#heads.read(buffer, start, end)
    const { state, text } = this.#heads
    if (state === 'incomplete') return at
    this.#heads.reset()
    // One that broke must be refused by what is there of it.
    const head = state === 'too-large' ? 'head_too_large' : parseResponseHead(text, this.#answers)
    return this.#openResponse(head, at, end)
  }

  #refuse(code: FailureCode, end: number): number {
    this.#add('', '', `refused ${FAILURES[code].status} ${code}`)
    this.#phase = 'over'
    return end
  }

  #openRequest(head: RequestHead | RefusedHead, at: number, end: number): number {
    if (isRefused(head)) return this.#refuse(head.failure, end)
    const edits = head.lines.map((line) => connectionSpecificEdit(head.text, line))
    this.#add(
      describeRequest(head),
      encodeHead(head, {
        startLine: `${head.method} ${head.pathAndQuery} HTTP/1.1\r\n`,
        lines: head.lines,
        edits,
        appended: '',
      }),
      '',
    )
    this.#open(head)
    return at
  }

  #openResponse(head: ResponseHead | Cause, at: number, end: number): number {
    if (typeof head === 'string' || head.status === 101) return this.#refuse('upstream_protocol', end)
    const text = encodeResponseHead(head, false)
    if (head.status < 200) this.#add(`interim ${head.status}`, text, '')
    else {
      this.#add(describeResponse(head), text, '')
      this.#open(head)
    }
    return at
  }

  #open(head: RequestHead | ResponseHead): void {
    this.#body.start(head.framing, head.contentLength)
    if (this.#body.isDone) this.#end()
    else this.#phase = 'body'
  }

  #readBody(buffer: Buffer, start: number, end: number): number {
    const at = this.#body.follow(buffer, start, end)
    const message = this.messages.at(-1)!
    message.body += this.#body.before + buffer.toString('latin1', start, this.#body.runEnd)
    if (this.#body.isFailed) {
      const code = this.#answers === undefined ? 'bad_chunk' : 'upstream_protocol'
      message.ending = `broken ${FAILURES[code].status} ${code}`
      this.#phase = 'over'
      return end
    }
    if (this.#body.isDone) this.#end()
    return at
  }

  #end(): void {
    this.messages.at(-1)!.ending = 'end'
    this.#phase = this.#answers === undefined ? 'head' : 'done'
  }
}

function framingOf(head: RequestHead | ResponseHead): string {
  return head.framing === 'length' ? `length=${head.contentLength}` : head.framing
}

function describeRequest(head: RequestHead): string {
  const words = ['request', head.method, head.target, framingOf(head)]
  if (head.wantsClose) words.push('close')
  if (head.expectsContinue) words.push('continue')
  if (head.isWebSocketUpgrade) words.push('websocket')
  if (head.hasUnknownExpectation) words.push('expectation')
  return words.join(' ')
}

function describeResponse(head: ResponseHead): string {
  const words = ['response', head.status, framingOf(head)]
  if (head.isHttp10) words.push('http/1.0')
  if (head.endsConnection) words.push('last')
  if (head.hasBothFramings) words.push('both')
  if (head.keepAliveSeconds !== undefined) words.push(`keep-alive=${head.keepAliveSeconds}`)
  return words.join(' ')
}

/** The bytes in these pieces through the codecs, to the end of the connection. */
export function pass(pieces: readonly string[], answers?: string, behind?: string): Passage {
  const passage = new Passage(answers, behind)
  for (const piece of pieces) passage.read(piece)
  passage.finish()
  return passage
}
