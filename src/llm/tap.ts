import { type Content, mayBeRead, readContent } from './content.ts'
import type { FieldOf, Found } from './dialect.ts'
import type { Estimator } from './estimate.ts'
import { type ContentSeeker, seekContent } from './first-content.ts'
import { codingOf, type Inflater, openInflater } from './inflate.ts'
import { parsed } from './json-text.ts'
import type { ModelSeeker } from './model-seeker.ts'
import { modelInTarget, splitTarget } from './path-model.ts'
import { type DialectName, readAnswer } from './read-answer.ts'
import { seekModel } from './request-model.ts'
import { givenUp, settle, unused } from './settle.ts'
import { modelOf, type UnknownReason, type Usage } from './usage.ts'
import { type Kept, Window } from './window.ts'

/**
 * Looks at an exchange that has already gone on, and says at its end what it has used. Nothing that it does can change, hold or
 * end the exchange: it has no results, and no method throws. Every call may be left out but `end`, which gives its memory back.
 */
export interface Tap {
  /** `target` is the request's, from its path on. */
  requestHead(target: string, contentType: string | undefined): void
  /** Content of the request as it leaves. The octets are looked at during the call alone. */
  request(bytes: Buffer): void
  /** The head of the final answer. `field` is asked during the call, and once more at the end. */
  responseHead(status: number, field: FieldOf): void
  /** Content of the answer, without its chunks. The octets are copied, as far as they count. */
  response(bytes: Buffer): void
  /** `complete`: both messages came to their end. */
  end(how: 'complete' | 'broken'): void
  /** The callback is called once: at once if all is known, else when compressed content has been decoded. */
  result(callback: (usage: Usage) => void): void
}

export interface TapOptions {
  readonly dialect: DialectName | 'auto'
  /** One for each thread. */
  readonly estimator: Estimator
  /** A monotonic clock in milliseconds, read at the start and at the first content of a stream. */
  readonly now: () => number
}

const STREAMS =
  /^(?:text\/event-stream|application\/vnd\.amazon\.eventstream|application\/(?:x-)?ndjson|application\/stream\+json)/i

export class ContentTap implements Tap {
  readonly #options: TapOptions
  readonly #startedMs: number
  readonly #window = new Window()
  #target = ''
  #seeker: ModelSeeker | undefined
  #requestBytes = 0
  #status = 0
  #contentType = ''
  #field: FieldOf = () => undefined
  #isRead = false
  #inflater: Inflater | undefined
  #start: ContentSeeker | undefined
  #startAt: number | undefined
  #ttftMs: number | undefined
  #failure: UnknownReason | undefined
  #isEnded = false
  #usage: Usage | undefined
  #callback: ((usage: Usage) => void) | undefined

  constructor(options: TapOptions) {
    this.#options = options
    this.#startedMs = options.now()
  }

  requestHead(target: string, contentType: string | undefined): void {
    try {
      this.#target = target
      this.#seeker = seekModel(contentType ?? '')
    } catch {
      this.#giveUp('bug')
    }
  }

  request(bytes: Buffer): void {
    try {
      this.#requestBytes += bytes.length
      const seeker = this.#seeker
      if (seeker !== undefined && seeker.model === undefined) seeker.add(bytes)
    } catch {
      this.#giveUp('bug')
    }
  }

  responseHead(status: number, field: FieldOf): void {
    try {
      this.#status = status
      this.#field = field
      this.#contentType = field('content-type') ?? ''
      if (!mayBeRead(this.#contentType)) return
      const coding = codingOf(field('content-encoding'))
      this.#isRead = true
      if (coding === undefined) this.#giveUp('coding')
      if (STREAMS.test(this.#contentType)) this.#start = seekContent()
      if (coding) this.#inflater = openInflater(coding, (bytes) => this.#take(bytes))
    } catch {
      this.#giveUp('bug')
    }
  }

  response(bytes: Buffer): void {
    if (!this.#isRead) return
    try {
      if (this.#inflater !== undefined) this.#inflater.add(bytes)
      else this.#take(bytes)
    } catch {
      this.#giveUp('bug')
    }
  }

  end(how: 'complete' | 'broken'): void {
    if (this.#isEnded) return
    this.#isEnded = true
    try {
      if (this.#inflater === undefined) this.#conclude(how)
      else {
        this.#inflater.end((failure) => {
          if (failure !== undefined) this.#giveUp(failure)
          this.#conclude(how)
        })
      }
    } catch {
      this.#giveUp('bug')
      this.#conclude(how)
    }
  }

  result(callback: (usage: Usage) => void): void {
    if (this.#usage !== undefined) callback(this.#usage)
    else this.#callback = callback
  }

  #take(bytes: Buffer): void {
    const start = this.#start
    if (start !== undefined) {
      if (start.add(bytes)) {
        this.#startAt = this.#window.total
        // What is inflated at the end was there long before.
        if (this.#inflater === undefined) this.#ttftMs = this.#options.now() - this.#startedMs
      }
      if (start.isOver) this.#start = undefined
    }
    this.#window.add(bytes)
  }

  #giveUp(reason: UnknownReason): void {
    this.#failure ??= reason
    this.#isRead = false
    this.#window.release()
  }

  #conclude(how: 'complete' | 'broken'): void {
    if (this.#usage !== undefined) return
    try {
      this.#usage = this.#read(how)
    } catch {
      this.#usage = givenUp('bug', { requestModel: undefined, ttftMs: this.#ttftMs })
    }
    this.#window.release()
    const callback = this.#callback
    this.#callback = undefined
    callback?.(this.#usage)
  }

  #read(how: 'complete' | 'broken'): Usage {
    const requestModel = modelOf(this.#seeker?.model) ?? modelOf(modelInTarget(this.#target))
    const about = { requestModel, ttftMs: this.#ttftMs }
    if (this.#failure !== undefined) return givenUp(this.#failure, about)
    if (!this.#isRead || this.#window.total === 0) return unused(about)
    const kept = this.#window.read()
    const content = readContent(kept, this.#contentType)
    const hasDocuments = content !== undefined && content.first.length + content.last.length > 0
    const [path] = splitTarget(this.#target)
    const found = hasDocuments
      ? readAnswer(content, this.#options.dialect, path, this.#contentType, this.#field)
      : undefined
    return settle(content, found, {
      ...about,
      isWhole: how === 'complete',
      status: this.#status,
      isGarbled: content === undefined && !isScalar(kept),
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
    if (found?.isRepeated !== true || outputBytes === 0) return { outputBytes, learnedBytes: outputBytes }
    const end = kept.isCut ? kept.tail : kept.head
    const lastDelta = end.lastIndexOf('.delta"')
    return { outputBytes, learnedBytes: lastDelta === -1 ? undefined : outputBytes - (end.length - lastDelta) }
  }
}

/** `null`, `true`, a number or a text: JSON, but nothing that could say more. */
function isScalar({ head, isCut }: Kept): boolean {
  return !isCut && (head.toString('latin1').trim() === '' || parsed(head.toString('utf8')) !== undefined)
}
