/**
 * A client of the operations door: HTTP/1.0 and 1.1, one head after the other, no content. `node:http` is not used here, for it
 * parses all heads of a read in one go: 3400 pipelined ones, which fit into one, hold up the thread for half a second (measured).
 */
import type net from 'node:net'
import type { Writable } from 'node:stream'

const HEAD_MS = 5000
const ANSWER_MS = 10_000
/** For whoever has been told to go, to read that. */
const LINGER_MS = 1000
const MAX_HEAD_LENGTH = 16 * 1024

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

export interface AdminRequest {
  readonly method: string
  /** Without a query. */
  readonly path: string
  /** By name in lower case; of several lines the last one. */
  readonly fields: ReadonlyMap<string, string>
}

export interface AdminReply {
  /** The client has gone. */
  readonly isGone: boolean
  /** Answers in one piece. It ends the connection where it says that something is wrong. */
  send(status: number, content: string, fields?: Readonly<Record<string, string>>): void
  /** Begins an answer of unknown length; `write` and `end` go on. */
  begin(fields: Readonly<Record<string, string>>): void
  /** Resolves when there is room for more. */
  write(content: string | Buffer): Promise<void>
  end(): void
}

export class AdminConnection {
  readonly #socket: net.Socket
  readonly #answer: (request: AdminRequest, reply: AdminReply) => Promise<void>
  /** No whole head has come of the next request, or none will. */
  isWaiting = true
  /** The whole answer has been written, and waits for its client to read: whoever waits for nothing else of us gives way to another one. */
  #isAnswered = false
  #text = ''
  #timer: NodeJS.Timeout | undefined
  #isLeaving = false

  constructor(
    socket: net.Socket,
    answer: (request: AdminRequest, reply: AdminReply) => Promise<void>,
    onWaiting: () => void,
    onClosed: () => void,
    mayKeep: () => boolean,
  ) {
    this.#socket = socket
    this.#answer = answer
    this.#onWaiting = onWaiting
    this.#mayKeep = mayKeep
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      clearTimeout(this.#timer)
      onClosed()
    })
    socket.on('data', (bytes: Buffer) => {
      if (this.#isLeaving) return
      this.#text += bytes.toString('latin1')
      if (this.isWaiting) this.#next()
      else socket.pause()
    })
    socket.on('end', () => {
      if (this.isWaiting || this.#isLeaving) socket.destroy()
    })
    this.#limit(HEAD_MS)
    socket.resume()
  }

  readonly #onWaiting: () => void
  readonly #mayKeep: () => boolean

  get givesWay(): boolean {
    return this.isWaiting || this.#isAnswered
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #limit(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#socket.destroy(), ms)
  }

  #next(): void {
    const end = this.#text.indexOf('\r\n\r\n')
    if (end === -1 ? this.#text.length > MAX_HEAD_LENGTH : end > MAX_HEAD_LENGTH) {
      this.#leave(431)
      return
    }
    if (end === -1) {
      this.#socket.resume()
      return
    }
    const head = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 4)
    this.isWaiting = false
    this.#limit(ANSWER_MS)
    const parsed = parseHead(head)
    if (parsed === undefined) this.#leave(400)
    else this.#serve(parsed)
  }

  #serve({ request, isOld, keeps }: ParsedHead): void {
    const reply = new Reply(this.#socket, request.method === 'HEAD', isOld, keeps && this.#mayKeep(), () => {
      this.#isAnswered = true
      this.#onWaiting()
      if (!reply.keeps) this.#goOn()
      // Whoever asks and does not read is not asked for more, or answers would pile up.
      else if (this.#socket.writableNeedDrain) this.#socket.once('drain', () => this.#awaitNext())
      // One head in a turn of the event loop.
      else setImmediate(() => this.#awaitNext())
    })
    this.#answer(request, reply).catch(() => this.#socket.destroy())
  }

  #awaitNext(): void {
    if (this.#socket.destroyed) return
    this.#isAnswered = false
    this.isWaiting = true
    this.#onWaiting()
    this.#limit(HEAD_MS)
    this.#next()
  }

  #leave(status: number): void {
    this.isWaiting = false
    this.#isAnswered = true
    this.#socket.write(`HTTP/1.1 ${status} ${REASONS[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    this.#goOn()
  }

  /** What comes now is nobody's; the last answer is still on its way. */
  #goOn(): void {
    this.#isLeaving = true
    this.#socket.end()
    this.#socket.resume()
    this.#socket.once('finish', () => {
      this.isWaiting = true
      this.#limit(LINGER_MS)
    })
  }
}

interface ParsedHead {
  readonly request: AdminRequest
  /** HTTP/1.0: nothing is known of chunks. */
  readonly isOld: boolean
  readonly keeps: boolean
}

function parseHead(head: string): ParsedHead | undefined {
  const [line = '', ...lines] = head.split('\r\n')
  const match = /^([A-Z]+) (\S+) HTTP\/1\.([01])$/.exec(line)
  if (match === null) return undefined
  const [, method = '', target = '', minor] = match
  const fields = new Map<string, string>()
  for (const each of lines) {
    const colon = each.indexOf(':')
    const name = each.slice(0, Math.max(0, colon))
    const value = withoutBlanks(each, colon + 1)
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[\0\r\n]/.test(value)) return undefined
    fields.set(name.toLowerCase(), value)
  }
  const options = (fields.get('connection') ?? '').toLowerCase()
  const isOld = minor === '0'
  // Content is read by nobody, so what stands behind the head cannot be told from the next one.
  const hasContent = fields.has('transfer-encoding') || !/^0*$/.test(fields.get('content-length') ?? '')
  return {
    request: { method, path: target.replace(/^https?:\/\/[^/]*/i, '').split('?', 1)[0]!, fields },
    isOld,
    keeps: !hasContent && (isOld ? options.includes('keep-alive') : !options.includes('close')),
  }
}

/** What stands from `start` on, without blanks around it. Not by one pattern, which goes back and forth: a thousand blanks took it half a second. */
function withoutBlanks(line: string, start: number): string {
  const isBlank = (at: number): boolean => line[at] === ' ' || line[at] === '\t'
  let end = line.length
  while (start < end && isBlank(start)) start++
  while (end > start && isBlank(end - 1)) end--
  return line.slice(start, end)
}

class Reply implements AdminReply {
  keeps: boolean
  readonly #socket: net.Socket
  readonly #isHead: boolean
  readonly #isOld: boolean
  readonly #ended: () => void

  constructor(socket: net.Socket, isHead: boolean, isOld: boolean, keeps: boolean, ended: () => void) {
    this.#socket = socket
    this.#isHead = isHead
    this.#isOld = isOld
    this.keeps = keeps
    this.#ended = ended
  }

  get isGone(): boolean {
    return this.#socket.destroyed
  }

  send(status: number, content: string, fields: Readonly<Record<string, string>> = {}): void {
    if (status >= 400) this.keeps = false
    const length = { 'Content-Length': String(Buffer.byteLength(content)) }
    this.#socket.write(
      this.#head(status, { 'Content-Type': 'text/plain; charset=utf-8', ...fields, ...length }) +
        (this.#isHead ? '' : content),
    )
    this.#ended()
  }

  begin(fields: Readonly<Record<string, string>>): void {
    // What an old client gets ends with its connection.
    if (this.#isOld) this.keeps = false
    this.#socket.write(this.#head(200, this.#isOld ? fields : { ...fields, 'Transfer-Encoding': 'chunked' }))
  }

  write(content: string | Buffer): Promise<void> {
    const length = Buffer.byteLength(content)
    if (this.#isHead || length === 0) return Promise.resolve()
    if (!this.#isOld) this.#socket.write(`${length.toString(16)}\r\n`)
    const hasRoom = this.#socket.write(content)
    const hasMore = this.#isOld ? hasRoom : this.#socket.write('\r\n')
    return hasMore ? Promise.resolve() : drained(this.#socket)
  }

  end(): void {
    if (!this.#isHead && !this.#isOld) this.#socket.write('0\r\n\r\n')
    this.#ended()
  }

  #head(status: number, fields: Readonly<Record<string, string>>): string {
    const all = { ...fields, 'Cache-Control': 'no-store', ...(this.keeps ? {} : { Connection: 'close' }) }
    if (this.keeps && this.#isOld) Object.assign(all, { Connection: 'keep-alive' })
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    return `HTTP/1.1 ${status} ${REASONS[status]}\r\nDate: ${new Date().toUTCString()}\r\n${lines.join('')}\r\n`
  }
}

/** There is room again, or never will be. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) {
      resolve()
      return
    }
    const go = (): void => {
      stream.off('drain', go)
      stream.off('close', go)
      resolve()
    }
    stream.once('drain', go)
    stream.once('close', go)
  })
}
