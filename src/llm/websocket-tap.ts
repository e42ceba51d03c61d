import { constants, inflateRawSync } from 'node:zlib'
import { readContent } from './content.ts'
import { type Place, textAt } from './dialect.ts'
import { readGeminiUsage } from './dialects/gemini.ts'
import { LAST_EVENTS } from './dialects/openai-responses.ts'
import { readOpenAiUsage } from './dialects/openai-usage.ts'
import { beginningOf, type Document, wholeDocument } from './document.ts'
import type { Estimator } from './estimate.ts'
import { addCounts, type Counts, isSound, type JsonObject, modelOf, objectOf, type UnknownReason } from './usage.ts'
import { FrameReader } from './websocket.ts'
import { MessageInflater } from './websocket-inflate.ts'
import { type Kept, Window } from './window.ts'

/** What a tunnel comes to. */
export interface TunnelUsage {
  /** The sum of what was said. */
  readonly counts: Counts | undefined
  /** Output of a turn that went on when the tunnel ended, where it can be estimated. */
  readonly estimatedOutput: number | undefined
  readonly model: string | undefined
  readonly requestModel: string | undefined
  /** A turn was going on when it ended. */
  readonly isOpen: boolean
  readonly isUnsound: boolean
  readonly failure: UnknownReason | undefined
}

export interface TunnelOptions {
  readonly estimator: Estimator
  readonly onTurn?: ((counts: Counts, model: string | undefined) => void) | undefined
}

/** Realtime bills what it has heard apart from what it has answered. */
const TRANSCRIBED = 'conversation.item.input_audio_transcription.completed'

/** Words of which one stands in every message that says something; the deltas of an answer have none of them. */
const WORDS = ['usage', 'response.created', '"session', 'serverContent']

/** The names of what counts, in either dialect. */
const COUNT = /tokens$|seconds$|TokenCount$/

/** How a message of the output begins: `"type":"response.output_text.delta"`, or Gemini's. */
const OUTPUT = /\.delta"|"serverContent"/
const OUTPUT_WITHIN = 256

/**
 * Usage of a tunnel: Responses, Realtime and Gemini Live say it once a turn, and all turns are one exchange. Messages of the
 * provider are kept as the content of an answer is, one at a time.
 */
export class Tunnel {
  readonly #estimator: Estimator
  readonly #onTurn: TunnelOptions['onTurn']
  readonly #frames: FrameReader
  readonly #inflater: MessageInflater | undefined
  /** The message that goes on, and the one that is being inflated: in a tunnel that deflates, small ones come as they are. */
  readonly #window = new Window()
  readonly #inflated = new Window()
  #isDeflated = false
  #asked: ClientModel | undefined = new ClientModel()
  #requestModel: string | undefined
  #counts: Counts | undefined
  #model: string | undefined
  #openTurns = 0
  #turnBytes = 0
  #isUnsound = false
  #failure: UnknownReason | undefined

  /** `extensions`: that field of the answer that has switched. */
  constructor({ estimator, onTurn }: TunnelOptions, extensions: string | undefined) {
    this.#estimator = estimator
    this.#onTurn = onTurn
    if (/(?:^|,)\s*permessage-deflate\b/i.test(extensions ?? '')) {
      this.#inflater = new MessageInflater({
        piece: (bytes) => this.#guard(() => this.#inflated.add(bytes)),
        end: () => this.#guard(() => this.#endMessage(this.#inflated)),
        fail: (reason) => this.#fail(reason),
      })
    }
    this.#frames = new FrameReader({
      begin: (isDeflated) => {
        this.#isDeflated = isDeflated
        if (isDeflated && this.#inflater === undefined) this.#fail('malformed')
      },
      piece: (bytes) => {
        if (this.#isDeflated) this.#inflater?.add(bytes)
        else this.#window.add(bytes)
      },
      end: () => {
        if (this.#isDeflated) this.#inflater?.endMessage()
        else this.#endMessage(this.#window)
      },
    })
  }

  client(bytes: Buffer): void {
    if (this.#asked === undefined) return
    this.#asked.add(bytes)
    if (!this.#asked.isOver) return
    this.#requestModel = this.#asked.model
    this.#asked = undefined
  }

  server(bytes: Buffer): void {
    if (this.#failure !== undefined) return
    this.#frames.add(bytes)
    if (this.#frames.isMalformed) this.#fail('malformed')
  }

  /** Calls back when all messages have been read. */
  end(callback: (usage: TunnelUsage) => void): void {
    const conclude = (): void => {
      this.#release()
      callback(this.#usage())
    }
    if (this.#inflater === undefined || this.#failure !== undefined) conclude()
    else this.#inflater.after(conclude)
  }

  #usage(): TunnelUsage {
    const isOpen = this.#openTurns > 0
    const model = this.#model ?? this.#requestModel
    const isEstimable = isOpen && model !== undefined
    return {
      counts: this.#counts,
      estimatedOutput: isEstimable ? this.#estimator.tokensOf('turn', model, this.#turnBytes) : undefined,
      model: this.#model,
      requestModel: this.#requestModel ?? this.#asked?.model,
      isOpen,
      isUnsound: this.#isUnsound,
      failure: this.#failure,
    }
  }

  /** Around what a decoder calls later, when nobody else would catch it. */
  #guard(run: () => void): void {
    try {
      run()
    } catch {
      this.#fail('bug')
    }
  }

  #fail(reason: UnknownReason): void {
    this.#failure ??= reason
    this.#release()
  }

  #release(): void {
    this.#inflater?.close()
    this.#window.release()
    this.#inflated.release()
  }

  /** A message that was not deflated may have to wait for those before it that were. */
  #endMessage(window: Window): void {
    const kept = window.read()
    const { total } = window
    if (OUTPUT.test(kept.head.toString('latin1', 0, OUTPUT_WITHIN))) this.#turnBytes += total
    if (WORDS.some((word) => kept.head.includes(word) || kept.tail.includes(word))) {
      if (window === this.#inflated || this.#inflater === undefined) this.#read(kept)
      else {
        const copy = { ...kept, head: Buffer.from(kept.head), tail: Buffer.from(kept.tail) }
        const bytes = copy.head.length + copy.tail.length
        this.#inflater.after(() => this.#guard(() => this.#read(copy)), bytes)
      }
    }
    window.clear()
  }

  #read(kept: Kept): void {
    const content = readContent(kept, 'application/json', true)
    if (content === undefined) return
    const [end] = content.last
    const [start] = content.first
    if (start === undefined || end === undefined) return
    const type = textAt(start, 'type')
    if (type === '') this.#readLive(start, end)
    else if (type === 'response.created') this.#openTurns++
    else if (LAST_EVENTS.test(type)) {
      this.#openTurns = Math.max(0, this.#openTurns - 1)
      this.#add(end.get('response', 'usage') ?? start.get('response', 'usage'), readOpenAiUsage)
    } else if (type === TRANSCRIBED) this.#add(end.get('usage') ?? start.get('usage'), readOpenAiUsage)
    this.#model ??= modelOf(start.get('response', 'model')) ?? modelOf(start.get('session', 'model'))
  }

  /** Gemini Live: what it has used comes with the end of a turn, or shortly before. */
  #readLive(start: Document, end: Document): void {
    const usage = end.get('usageMetadata') ?? start.get('usageMetadata')
    const hasEnded = start.get('serverContent', 'turnComplete') === true
    if (objectOf(start.get('serverContent', 'modelTurn')) !== undefined) this.#openTurns = 1
    if (hasEnded || usage !== undefined) this.#openTurns = 0
    if (usage !== undefined) this.#add(usage, readGeminiUsage)
  }

  #add(value: unknown, normalise: (usage: JsonObject) => Counts): void {
    const bytes = this.#turnBytes
    this.#turnBytes = 0
    const usage = objectOf(value)
    const counts = usage === undefined ? undefined : normalise(usage)
    if (counts === undefined || !isSound(counts)) {
      // Vertex says `trafficType` alone at times: where nothing is counted, nothing is missing.
      const names = usage === undefined ? [] : Object.keys(usage).filter((name) => usage[name] !== null)
      this.#isUnsound ||= usage === undefined ? (value ?? null) !== null : names.some((name) => COUNT.test(name))
      return
    }
    this.#counts = this.#counts === undefined ? counts : addCounts(this.#counts, counts)
    const model = this.#model ?? this.#requestModel
    this.#onTurn?.(counts, model)
    if (model !== undefined) this.#estimator.learn('turn', model, bytes, counts.output ?? 0)
  }
}

/** Messages of the client in which the model is looked for: it names one before anything is used. */
const MAX_ASKED_BYTES = 65_536
/** Of each, so much is kept. If it is deflated, that is inflated, once and at once. */
const MAX_MESSAGE_BYTES = 8_192

/** The model that the client of a tunnel asks for. */
class ClientModel {
  readonly #frames: FrameReader
  /** The beginning of a message. */
  readonly #bytes = Buffer.allocUnsafe(MAX_MESSAGE_BYTES)
  #length = 0
  #seen = 0
  #isDeflated = false
  #isFirstDeflated = true
  model: string | undefined
  isOver = false

  constructor() {
    this.#frames = new FrameReader({
      begin: (isDeflated) => {
        this.#isDeflated = isDeflated
        this.#length = 0
      },
      piece: (bytes) => {
        this.#length += bytes.copy(this.#bytes, this.#length)
      },
      end: () => this.#endMessage(),
    })
  }

  add(bytes: Buffer): void {
    this.#frames.add(bytes)
    this.#seen += bytes.length
    if (this.#seen >= MAX_ASKED_BYTES || this.#frames.isMalformed) this.isOver = true
  }

  #endMessage(): void {
    if (this.isOver) return
    const text = this.#text()
    if (text === undefined) {
      this.isOver = true
      return
    }
    const whole = wholeDocument(text, 0, text.length)
    const document = whole.isWhole ? whole : beginningOf(text, 0, text.length)
    const places: readonly Place[] = [['model'], ['response', 'model'], ['session', 'model'], ['setup', 'model']]
    for (const place of places) this.model ??= modelOf(document.get(...place))
    this.isOver = this.model !== undefined
  }

  /** A deflated message can be read alone if no other deflated one came before it. */
  #text(): Buffer | undefined {
    const bytes = this.#bytes.subarray(0, this.#length)
    if (!this.#isDeflated) return bytes
    if (!this.#isFirstDeflated) return undefined
    this.#isFirstDeflated = false
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_ASKED_BYTES * 16 }
    try {
      return inflateRawSync(bytes, options)
    } catch {
      return undefined
    }
  }
}
