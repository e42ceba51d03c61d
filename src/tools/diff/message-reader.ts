import { type Framing, type Head, type Message, membersOf, statusOf, valuesOf } from './message.ts'

/**
 * Bytes → one message. It judges the gateway, so it shares no code with the gateway's own parsers: a mistake there must not
 * hide itself here. It is lenient where those are strict, since what another hop has broken is to be shown.
 */

/** What is compared is held in memory. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024
/** Of a head or of a line: far above what any hop takes, and little enough to be searched again with every read. */
const MAX_LINE_BYTES = 1024 * 1024
/** Chunks, trailers and interim responses together: each is an object of its own, however few its bytes are. */
const MAX_PARTS = 1_000_000
const EMPTY = Buffer.alloc(0)

type Step = 'head' | 'length' | 'size' | 'data' | 'data-end' | 'trailers' | 'until-close' | 'over'

export class MessageReader {
  /** The head, once it is there (of a response: the final one). */
  head: Head | undefined
  /** Counts heads and content bytes together: each is something that the other end can wait for. */
  readonly progress: Progress
  readonly interim: Head[] = []
  /** The request's method; undefined where the message is a request itself. */
  readonly #method: string | undefined
  #step: Step = 'head'
  #framing: Framing = 'none'
  #pending: Buffer = EMPTY
  #left = 0
  #end: Message['end'] = 'cut'
  #fault: string | undefined
  #rawBytes = 0
  #parts = 0
  readonly #raw: Buffer[] = []
  readonly #content: Buffer[] = []
  readonly #chunkLines: string[] = []
  readonly #trailers: string[] = []

  /** @param method of the request that is answered; undefined to read a request */
  constructor(method: string | undefined, progress: Progress = new Progress()) {
    this.#method = method
    this.progress = progress
  }

  get isOver(): boolean {
    return this.#step === 'over'
  }

  push(bytes: Buffer): void {
    this.#raw.push(bytes)
    this.#rawBytes += bytes.length
    if (this.#rawBytes > MAX_MESSAGE_BYTES) this.giveUp('it is larger than 256 MiB')
    let rest = this.#pending.length > 0 ? Buffer.concat([this.#pending, bytes]) : bytes
    this.#pending = EMPTY
    while (rest.length > 0 && !this.isOver) {
      const taken = this.#take(rest)
      if (taken === 0) break
      rest = rest.subarray(taken)
      if (this.#parts > MAX_PARTS) this.giveUp(`it has more than ${MAX_PARTS} parts`)
    }
    this.#pending = rest
    if (rest.length > MAX_LINE_BYTES && !this.isOver) this.giveUp('a head or a line of it is larger than 1 MiB')
  }

  /** The connection has ended: in order, or by a reset. */
  close(inOrder: boolean): void {
    if (this.isOver) return
    this.#finish(this.#step === 'until-close' && inOrder ? 'whole' : 'cut')
  }

  /** What is still to come will not be read. */
  giveUp(fault: string): void {
    if (this.isOver) return
    this.#fault = fault
    this.#finish('unreadable')
  }

  /** Whatever has come so far. */
  message(): Message {
    const raw = Buffer.concat(this.#raw)
    const surplus = this.isOver && this.#fault === undefined ? this.#pending : EMPTY
    const head = this.head ?? this.#brokenHead()
    return {
      startLine: head.startLine,
      lines: head.lines,
      interim: this.interim,
      framing: this.#framing,
      content: Buffer.concat(this.#content),
      chunkLines: this.#chunkLines,
      trailers: this.#trailers,
      end: this.#end,
      fault: this.#fault,
      surplus,
      raw: raw.subarray(0, raw.length - surplus.length),
    }
  }

  #brokenHead(): Head {
    const [startLine = '', ...lines] = this.#pending.toString('latin1').split('\r\n')
    return { startLine, lines: lines.filter((line) => line !== '') }
  }

  #take(rest: Buffer): number {
    switch (this.#step) {
      case 'head':
        return this.#takeHead(rest)
      case 'size':
        return this.#takeSize(rest)
      case 'data-end':
        return this.#takeDataEnd(rest)
      case 'trailers':
        return this.#takeTrailer(rest)
      case 'until-close':
        this.#keep(rest)
        return rest.length
      default:
        return this.#takeData(rest)
    }
  }

  #takeHead(rest: Buffer): number {
    const end = rest.indexOf('\r\n\r\n', 0, 'latin1')
    if (end === -1) return 0
    const [startLine = '', ...lines] = rest.toString('latin1', 0, end).split('\r\n')
    const head = { startLine, lines }
    const status = statusOf(startLine)
    this.#parts++
    if (this.#method !== undefined && status >= 100 && status < 200 && status !== 101) {
      this.interim.push(head)
    } else {
      this.head = head
      this.#startBody(head, status)
    }
    this.progress.advance(1)
    return end + 4
  }

  #startBody({ lines }: Head, status: number): void {
    const isResponse = this.#method !== undefined
    const length = valuesOf(lines, 'content-length')[0]
    if (isResponse && (this.#method === 'HEAD' || status < 200 || status === 204 || status === 304)) {
      this.#finish('whole')
    } else if (membersOf(lines, 'transfer-encoding').includes('chunked')) {
      this.#framing = 'chunked'
      this.#step = 'size'
    } else if (length !== undefined) {
      this.#framing = 'length'
      this.#left = Number(length)
      if (!/^\d+$/.test(length)) this.giveUp('its length is none')
      else if (this.#left === 0) this.#finish('whole')
      else this.#step = 'length'
    } else if (isResponse) {
      this.#framing = 'until-close'
      this.#step = 'until-close'
    } else this.#finish('whole')
  }

  #takeData(rest: Buffer): number {
    const data = rest.subarray(0, Math.min(rest.length, this.#left))
    this.#left -= data.length
    if (this.#left === 0) {
      if (this.#step === 'data') this.#step = 'data-end'
      else this.#finish('whole')
    }
    this.#keep(data)
    return data.length
  }

  #takeSize(rest: Buffer): number {
    const line = lineOf(rest)
    if (line === undefined) return 0
    const digits = /^[0-9A-Fa-f]{1,12}(?=$|[\t ;])/.exec(line)?.[0]
    this.#parts++
    this.#chunkLines.push(line)
    if (digits === undefined) this.giveUp('a chunk-size line has no size')
    else {
      this.#left = Number.parseInt(digits, 16)
      this.#step = this.#left > 0 ? 'data' : 'trailers'
    }
    return line.length + 2
  }

  #takeDataEnd(rest: Buffer): number {
    if (rest.length < 2) return 0
    if (rest[0] !== 0x0d || rest[1] !== 0x0a) this.giveUp('the data of a chunk goes on beyond its size')
    else this.#step = 'size'
    return 2
  }

  #takeTrailer(rest: Buffer): number {
    const line = lineOf(rest)
    if (line === undefined) return 0
    this.#parts++
    if (line === '') this.#finish('whole')
    else this.#trailers.push(line)
    return line.length + 2
  }

  #keep(data: Buffer): void {
    this.#content.push(data)
    this.progress.advance(data.length)
  }

  #finish(end: Message['end']): void {
    this.#end = end
    this.#step = 'over'
  }
}

function lineOf(rest: Buffer): string | undefined {
  const end = rest.indexOf('\r\n', 0, 'latin1')
  return end === -1 ? undefined : rest.toString('latin1', 0, end)
}

/** How much has arrived at one end, for the other end to wait for: that is how it shows that nothing is held back. */
export class Progress {
  made = 0
  readonly #waiting = new Set<() => void>()

  advance(by: number): void {
    this.made += by
    for (const look of [...this.#waiting]) look()
  }

  /** Resolves with true as soon as that much has arrived, or with false when it has not within the time. */
  reached(amount: number, ms: number): Promise<boolean> {
    if (this.made >= amount) return Promise.resolve(true)
    return new Promise((resolve) => {
      const end = (isReached: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(isReached)
      }
      const timer = setTimeout(() => end(false), ms)
      const look = (): void => {
        if (this.made >= amount) end(true)
      }
      this.#waiting.add(look)
    })
  }
}
