import { Buffer } from 'node:buffer'

/**
 * A strict and independent reader of HTTP/1.1 messages. The tests judge the gateway by it, so it shares no code with the
 * gateway, keeps every byte as it came, and names whatever it finds wrong instead of repairing it.
 */

export interface Field {
  /** The whole line, without its CRLF. */
  readonly line: string
  readonly name: string
  /** Without the white space around it. */
  readonly value: string
}

/** `close`: the body ends where the connection does. */
export type Framing = 'none' | 'length' | 'chunked' | 'close'

/** How the sender's half of a connection ended. */
export type Ending = 'fin' | 'rst'

const EMPTY = Buffer.alloc(0)
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/1\.1$/
const STATUS_LINE = /^HTTP\/1\.1 (\d{3})(?: ([\t\x20-\x7e\x80-\xff]*))?$/
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)$/

export class Message {
  /** Start line and header section as received, with the empty line that ends them. */
  readonly head: string
  readonly startLine: string
  readonly fields: readonly Field[]
  readonly headAt: number = performance.now()
  /** The interim responses that came before this response. */
  readonly interim: readonly Message[]
  readonly framing: Framing
  /** What Content-Length announces. */
  readonly length: number
  /** Field lines of the trailer section. */
  readonly trailers: string[] = []
  /** Sizes of the chunks, without the last one. */
  readonly chunks: number[] = []
  state: 'open' | 'complete' | 'truncated' = 'open'
  /** What is wrong with it, if anything. */
  fault: string | undefined
  /** Bytes of the message body on the wire. */
  bodyBytes = 0
  contentBytes = 0
  endedAt = 0
  readonly #raw: Buffer[] = []
  readonly #content: Buffer[] = []

  constructor(head: string, kind: 'request' | 'response', method: string, interim: readonly Message[]) {
    this.head = head
    this.interim = interim
    const [startLine = '', ...lines] = head.slice(0, -4).split('\r\n')
    this.startLine = startLine
    if (!(kind === 'request' ? REQUEST_LINE : STATUS_LINE).test(startLine))
      this.fault = `start line ${quote(startLine)}`
    this.fields = lines.map((line) => {
      const parts = FIELD_LINE.exec(line)
      if (parts === null) this.fault ??= `field line ${quote(line)}`
      return { line, name: parts?.[1] ?? '', value: (parts?.[2] ?? '').replace(/^[\t ]+|[\t ]+$/g, '') }
    })
    const codings = this.values('transfer-encoding')
    const lengths = this.values('content-length')
    if (codings.length + lengths.length > 1) this.fault ??= 'two framing fields'
    if (codings.some((coding) => coding.toLowerCase() !== 'chunked'))
      this.fault ??= `transfer coding ${quote(`${codings}`)}`
    if (lengths.some((length) => !/^\d{1,19}$/.test(length))) this.fault ??= `content length ${quote(`${lengths}`)}`
    // Beyond 2^53 it is not exact any more, and that far away that it does not matter.
    this.length = this.fault === undefined ? Number(lengths[0] ?? 0) : 0
    const bodiless =
      kind === 'response' && (method === 'HEAD' || this.status < 200 || this.status === 204 || this.status === 304)
    if (bodiless) this.framing = 'none'
    else if (codings.length > 0) this.framing = 'chunked'
    else if (lengths.length > 0) this.framing = 'length'
    else this.framing = kind === 'response' ? 'close' : 'none'
  }

  get method(): string {
    return this.startLine.slice(0, this.startLine.indexOf(' '))
  }

  get target(): string {
    return this.startLine.split(' ')[1] ?? ''
  }

  get status(): number {
    return Number(STATUS_LINE.exec(this.startLine)?.[1] ?? 0)
  }

  get reason(): string {
    return STATUS_LINE.exec(this.startLine)?.[2] ?? ''
  }

  /** The values of all field lines with this name, in order. */
  values(name: string): string[] {
    return this.fields.filter((field) => field.name.toLowerCase() === name.toLowerCase()).map((field) => field.value)
  }

  /** The only value of this name; undefined when there is none, or more than one. */
  value(name: string): string | undefined {
    const values = this.values(name)
    return values.length === 1 ? values[0] : undefined
  }

  /** The header section, line by line. */
  get lines(): string[] {
    return this.fields.map((field) => field.line)
  }

  /** The message body as it was on the wire, chunk framing and trailer section included. */
  get rawBody(): Buffer {
    return Buffer.concat(this.#raw)
  }

  get content(): Buffer {
    return Buffer.concat(this.framing === 'chunked' ? this.#content : this.#raw)
  }

  get text(): string {
    return this.content.toString('latin1')
  }

  keep(wire: Buffer, content: boolean, limit: number): void {
    this.bodyBytes += wire.length
    if (content) this.contentBytes += wire.length
    if (this.bodyBytes > limit) return
    this.#raw.push(wire)
    if (content && this.framing === 'chunked') this.#content.push(wire)
  }
}

export const quote = (text: string): string => JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)

export interface ReaderOptions {
  readonly kind: 'request' | 'response'
  readonly onHead: (message: Message) => void
  readonly onBody?: (message: Message, data: Buffer) => void
  readonly onEnd: (message: Message) => void
  /** The method of the request that the next final response answers. */
  readonly nextMethod?: () => string
  /** Body bytes of a message that are kept; the rest is only counted. */
  readonly keepBytes?: number
}

type Step = 'head' | 'length' | 'size' | 'data' | 'data-end' | 'trailers' | 'close' | 'broken'

export class MessageReader {
  readonly #options: ReaderOptions
  #step: Step = 'head'
  #pending: Buffer = EMPTY
  #left = 0
  #message: Message | undefined
  #interim: Message[] = []
  /** Why no message can be read from this connection any more. */
  fault: string | undefined

  constructor(options: ReaderOptions) {
    this.#options = options
  }

  /** Bytes that do not make a whole message head yet. */
  get pending(): Buffer {
    return this.#pending
  }

  push(data: Buffer): void {
    let rest = this.#pending.length > 0 ? Buffer.concat([this.#pending, data]) : data
    this.#pending = EMPTY
    while (rest.length > 0) {
      const taken = this.#take(rest)
      if (taken === 0) {
        this.#pending = rest
        return
      }
      rest = rest.subarray(taken)
    }
  }

  end(how: Ending): void {
    if (this.#message === undefined) {
      if (this.#pending.length > 0) this.fault ??= `ends with ${quote(this.#pending.toString('latin1'))}`
      return
    }
    this.#finish(this.#step === 'close' && how === 'fin' ? 'complete' : 'truncated')
  }

  #take(rest: Buffer): number {
    switch (this.#step) {
      case 'head':
        return this.#takeHead(rest)
      case 'length':
      case 'data':
        return this.#takeData(rest)
      case 'size':
        return this.#takeSize(rest)
      case 'data-end':
        return this.#takeDataEnd(rest)
      case 'trailers':
        return this.#takeTrailer(rest)
      case 'close':
        this.#keep(rest, true)
        return rest.length
      case 'broken':
        return 0
    }
  }

  #takeHead(rest: Buffer): number {
    const end = rest.indexOf('\r\n\r\n', 0, 'latin1')
    if (end < 0) return 0
    const head = rest.toString('latin1', 0, end + 4)
    const isInterim = this.#options.kind === 'response' && /^HTTP\/1\.1 1(?!01)\d\d /.test(head)
    const method = this.#options.kind === 'request' || isInterim ? '' : (this.#options.nextMethod?.() ?? 'GET')
    const message = new Message(head, this.#options.kind, method, isInterim ? [] : this.#interim)
    if (isInterim) this.#interim.push(message)
    else this.#interim = []
    this.#message = message
    this.#options.onHead(message)
    if (message.fault !== undefined) this.#break(message.fault)
    else if (message.framing === 'chunked') this.#step = 'size'
    else if (message.framing === 'close') this.#step = 'close'
    else if (message.framing === 'length' && message.length > 0) {
      this.#step = 'length'
      this.#left = message.length
    } else this.#finish('complete')
    return end + 4
  }

  #takeData(rest: Buffer): number {
    const data = rest.subarray(0, Math.min(rest.length, this.#left))
    this.#left -= data.length
    this.#keep(data, true)
    if (this.#left === 0) {
      if (this.#step === 'data') this.#step = 'data-end'
      else this.#finish('complete')
    }
    return data.length
  }

  #takeSize(rest: Buffer): number {
    const line = this.#takeLine(rest)
    if (line === undefined) return 0
    if (!/^[0-9A-Fa-f]{1,12}$/.test(line)) return this.#break(`chunk-size line ${quote(line)}`, rest)
    this.#left = Number.parseInt(line, 16)
    if (this.#left > 0) this.#message!.chunks.push(this.#left)
    this.#step = this.#left > 0 ? 'data' : 'trailers'
    return line.length + 2
  }

  #takeDataEnd(rest: Buffer): number {
    if (rest.length < 2) return 0
    if (rest[0] !== 0x0d || rest[1] !== 0x0a) return this.#break('chunk data without its CRLF', rest)
    this.#keep(rest.subarray(0, 2), false)
    this.#step = 'size'
    return 2
  }

  #takeTrailer(rest: Buffer): number {
    const line = this.#takeLine(rest)
    if (line === undefined) return 0
    if (line === '') this.#finish('complete')
    else if (!FIELD_LINE.test(line)) return this.#break(`trailer line ${quote(line)}`, rest)
    else this.#message!.trailers.push(line)
    return line.length + 2
  }

  #takeLine(rest: Buffer): string | undefined {
    const end = rest.indexOf('\r\n', 0, 'latin1')
    if (end < 0) return undefined
    this.#keep(rest.subarray(0, end + 2), false)
    return rest.toString('latin1', 0, end)
  }

  #keep(data: Buffer, content: boolean): void {
    const message = this.#message!
    message.keep(data, content, this.#options.keepBytes ?? 16 * 1024 * 1024)
    if (content) this.#options.onBody?.(message, data)
  }

  #break(fault: string, rest: Buffer = EMPTY): number {
    this.fault = fault
    if (this.#message !== undefined) {
      this.#message.fault ??= fault
      this.#finish('truncated')
    }
    this.#step = 'broken'
    return rest.length
  }

  #finish(state: 'complete' | 'truncated'): void {
    const message = this.#message!
    message.state = state
    message.endedAt = performance.now()
    this.#message = undefined
    this.#step = 'head'
    this.#options.onEnd(message)
  }
}
