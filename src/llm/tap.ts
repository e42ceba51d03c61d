import { type Content, readContent } from './content.ts'
import { contentWordsOf } from './content-words.ts'
import type { FieldOf, Found } from './dialect.ts'
import { fieldsOfBedrock } from './dialects/bedrock.ts'
import type { Estimator } from './estimate.ts'
import { bytesBehindContent, type ContentSeeker, seekContent } from './first-content.ts'
import { type Coding, codingOf, Inflater } from './inflate.ts'
import { parsed } from './json-text.ts'
import type { ModelSeeker } from './model-seeker.ts'
import { type DialectName, readAnswer } from './read-answer.ts'
import { seekModel } from './request-model.ts'
import { givenUp, settle, settleTunnel, unused } from './settle.ts'
import { type TargetWords, wordsOf } from './target-words.ts'
import { BROKEN, type Counts, modelOf, type UnknownReason, type Usage } from './usage.ts'
import { Waiting } from './waiting.ts'
import { Tunnel, type TunnelUsage } from './websocket-tap.ts'
import { type Kept, Window } from './window.ts'

/**
 * Looks at an exchange that has already gone on, and says at its end what it has used. Nothing that it does can change, hold or
 * end the exchange: it has no results, and no method throws. Every call may be left out but `end`, which gives its memory back.
 */
export interface Tap {
  /** `target` is the request's, from its path on. */
  requestHead(target: string, contentType: string | undefined): void
  /** Whether fields of the answer are asked for besides its type and coding: Bedrock has counts in some. */
  readonly readsFields: boolean
  /** Whether content of the request is still looked at: there may be much of it that says nothing. */
  readonly looksAtRequest: boolean
  /** Content of the request as it leaves. The octets are looked at during the call alone. */
  request(bytes: Buffer): void
  /** The head of the final answer. `field` gives a field of it by its name in lower case; it is asked during the call alone. */
  responseHead(status: number, field: FieldOf): void
  /** Content of the answer, without its chunks: `buffer[start..end)`. The octets are copied, as far as they count. */
  response(buffer: Buffer, start?: number, end?: number): void
  /** `complete`: both messages came to their end. `requestBytes`: all content of the request, where it was not all offered. */
  end(how: 'complete' | 'broken', requestBytes?: number): void
  /** The callback is called once: at once if all is known, else when compressed content has been decoded. */
  result(callback: (usage: Usage) => void): void
}

export interface TapOptions {
  readonly dialect: DialectName | 'auto'
  /** One for each thread. */
  readonly estimator: Estimator
  /** When it began, on the clock of `now`; else now. */
  readonly startedMs?: number
  /** A monotonic clock in milliseconds, read at the first content of a stream. */
  readonly now: () => number
  /** Called with each turn of a tunnel, whose sum is the usage at its end. */
  readonly onTurn?: (counts: Counts, model: string | undefined) => void
}

/** Ends the type of an event of the output. What follows repeats all of it, and is no measure of how long it was. */
const DELTA = Buffer.from('.delta"')

const NO_WORDS: TargetWords = { model: undefined, dialect: undefined, isOfResponses: false, isOfBedrock: false }
const NO_FIELD: FieldOf = () => undefined

/** Of a compressed stream, so many pieces are told apart: a first event with content comes soon. */
const MAX_TIMES = 8

export class ContentTap implements Tap {
  readonly #options: TapOptions
  readonly #startedMs: number
  readonly #window = new Window()
  readonly #waiting = new Waiting()
  #target: TargetWords | undefined
  #seeker: ModelSeeker | undefined
  #requestBytes = 0
  #status = 0
  #contentType = ''
  #field: FieldOf = NO_FIELD
  #isRead = false
  /** What comes is kept, and nothing else is done with it. */
  #isPlain = false
  #isDecodable = true
  #inflater: Inflater | undefined
  #tunnel: Tunnel | undefined
  #start: ContentSeeker | undefined
  #startAt: number | undefined
  /** Of a stream of responses: where the last event of the output was, as far as it came whole. */
  #deltaAt: number | undefined
  #isOfResponses = false
  /** When the first pieces of a stream came that is inflated later. */
  #times: number[] | undefined
  #ttftMs: number | undefined
  #failure: UnknownReason | undefined
  #isEnded = false
  #how: 'complete' | 'broken' = 'broken'
  #usage: Usage | undefined
  #callback: ((usage: Usage) => void) | undefined

  constructor(options: TapOptions) {
    this.#options = options
    this.#startedMs = options.startedMs ?? options.now()
  }

  requestHead(target: string, contentType: string | undefined): void {
    try {
      this.#target = wordsOf(target)
      if (this.#target.model === undefined) this.#seeker = seekModel(contentType ?? '')
    } catch {
      this.#giveUp('bug')
    }
  }

  get readsFields(): boolean {
    return this.#target?.isOfBedrock === true
  }

  get looksAtRequest(): boolean {
    return this.#tunnel !== undefined || (this.#seeker !== undefined && this.#seeker.model === undefined)
  }

  request(bytes: Buffer): void {
    try {
      this.#tunnel?.client(bytes)
      this.#requestBytes += bytes.length
      const seeker = this.#seeker
      if (seeker !== undefined && seeker.model === undefined && !this.#isEnded) seeker.add(bytes)
    } catch {
      this.#giveUp('bug')
    }
  }

  responseHead(status: number, field: FieldOf): void {
    if (this.#isEnded) return
    this.#seeker?.release()
    try {
      this.#status = status
      if (status === 101) {
        // Frames of something else would be none.
        if (!/^websocket$/i.test(field('upgrade') ?? 'websocket')) return
        this.#isRead = true
        this.#tunnel = new Tunnel(this.#options, field('sec-websocket-extensions'))
        return
      }
      this.#contentType = field('content-type') ?? ''
      if (this.readsFields) this.#field = fieldsOfBedrock(field)
      const { mayBeRead, isStream } = contentWordsOf(this.#contentType)
      if (!mayBeRead) return
      const coding = codingOf(field('content-encoding'))
      this.#isRead = true
      this.#isDecodable = coding !== undefined
      if (isStream) {
        this.#start = seekContent()
        this.#isOfResponses = this.#target?.isOfResponses === true
        if (coding) this.#times = []
      }
      if (coding) this.#inflater = this.#openInflater(coding)
    } catch {
      this.#giveUp('bug')
    }
  }

  response(buffer: Buffer, start = 0, end: number = buffer.length): void {
    if (!this.#isRead || this.#isEnded) return
    try {
      // What an event of a stream costs: nothing is allocated for it.
      if (this.#isPlain) {
        this.#window.add(buffer, start, end)
        return
      }
      if (!this.#isDecodable) this.#giveUp('coding')
      else if (this.#tunnel !== undefined) this.#tunnel.server(buffer.subarray(start, end))
      else if (this.#inflater !== undefined) this.#inflate(this.#inflater, buffer.subarray(start, end))
      else this.#take(buffer, start, end, 0)
    } catch {
      this.#giveUp('bug')
    }
  }

  end(how: 'complete' | 'broken', requestBytes: number = this.#requestBytes): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#requestBytes = requestBytes
    this.#how = how
    this.#seeker?.release()
    try {
      if (this.#tunnel !== undefined) this.#tunnel.end((found) => this.#conclude(found))
      else if (this.#inflater === undefined) this.#conclude()
      else this.#inflater.end()
    } catch {
      this.#giveUp('bug')
      this.#conclude()
    }
  }

  result(callback: (usage: Usage) => void): void {
    if (this.#usage !== undefined) callback(this.#usage)
    else this.#callback = callback
  }

  #openInflater(coding: Coding): Inflater {
    return new Inflater(coding, {
      output: (bytes, marks) => {
        try {
          this.#take(bytes, 0, bytes.length, marks)
        } catch {
          this.#giveUp('bug')
        }
      },
      over: (failure) => {
        if (failure !== undefined) this.#giveUp(failure)
        this.#conclude()
      },
    })
  }

  /** The first pieces are told apart, since what is decoded at the end does not say when it came. */
  #inflate(inflater: Inflater, bytes: Buffer): void {
    const times = this.#times
    if (times !== undefined && times.length < MAX_TIMES) {
      inflater.mark()
      times.push(this.#options.now())
    }
    inflater.add(bytes)
  }

  #take(buffer: Buffer, start: number, end: number, marks: number): void {
    const from = this.#window.total === 0 ? this.#waiting.skip(buffer, start, end) : start
    const seeker = this.#start
    if (seeker !== undefined) {
      if (seeker.add(buffer.subarray(from, end))) {
        this.#startAt = this.#window.total
        const nowMs = this.#inflater === undefined ? this.#options.now() : this.#timeOf(marks)
        if (nowMs !== undefined) this.#ttftMs = nowMs - this.#startedMs
      }
      if (seeker.isOver) this.#start = undefined
    }
    if (this.#isOfResponses) {
      const at = buffer.subarray(from, end).lastIndexOf(DELTA)
      if (at !== -1) this.#deltaAt = this.#window.total + at
    }
    this.#window.add(buffer, from, end)
    this.#isPlain =
      this.#inflater === undefined && !this.#isOfResponses && this.#start === undefined && this.#window.total > 0
  }

  /** Behind the last mark nobody has looked at the clock. */
  #timeOf(marks: number): number | undefined {
    return this.#times === undefined || marks >= MAX_TIMES ? undefined : this.#times[marks - 1]
  }

  #giveUp(reason: UnknownReason): void {
    this.#failure ??= reason
    this.#isRead = false
    this.#window.release()
  }

  #conclude(tunnel?: TunnelUsage): void {
    if (this.#usage !== undefined) return
    try {
      this.#usage = this.#read(tunnel)
    } catch {
      this.#usage = BROKEN
    }
    this.#window.release()
    const callback = this.#callback
    this.#callback = undefined
    callback?.(this.#usage)
  }

  #read(tunnel: TunnelUsage | undefined): Usage {
    const requestModel = modelOf(this.#seeker?.model) ?? this.#target?.model
    const about = { requestModel, ttftMs: this.#ttftMs }
    if (this.#failure !== undefined) return givenUp(this.#failure, about)
    if (tunnel !== undefined) return settleTunnel(tunnel, about)
    if (!this.#isRead || this.#window.total === 0) return unused(about)
    const kept = this.#window.read()
    const content = readContent(kept, this.#contentType, this.#how === 'complete')
    const hasDocuments = content !== undefined && content.first.length + content.last.length > 0
    const found = hasDocuments
      ? readAnswer(content, this.#options.dialect, this.#target ?? NO_WORDS, this.#contentType, this.#field)
      : undefined
    return settle(content, found, {
      ...about,
      isWhole: this.#how === 'complete',
      status: this.#status,
      isGarbled: content === undefined && this.#contentType !== '' && !isScalar(kept),
      estimator: this.#options.estimator,
      requestBytes: this.#requestBytes,
      ...this.#measure(kept, content, found),
    })
  }

  /** How much of the answer has to do with how many tokens it has. */
  #measure(
    kept: Kept,
    content: Content | undefined,
    found: Found | undefined,
  ): { outputBytes: number; learnedBytes: number | undefined } {
    const { total } = this.#window
    if (content === undefined || !content.isStream) return { outputBytes: total, learnedBytes: total }
    const outputBytes = total - (this.#startAt ?? total)
    if (found?.isRepeated === true) {
      const learnedBytes = this.#deltaAt === undefined ? undefined : this.#deltaAt - (this.#startAt ?? 0)
      return { outputBytes, learnedBytes }
    }
    return { outputBytes, learnedBytes: outputBytes - bytesBehindContent(kept.isCut ? kept.tail : kept.head) }
  }
}

/** `null`, `true`, a number or a text: JSON, but nothing that could say more. */
function isScalar({ head, isCut }: Kept): boolean {
  return !isCut && (head.toString('latin1').trim() === '' || parsed(head.toString('utf8')) !== undefined)
}
