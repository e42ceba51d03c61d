import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { constants, createBrotliCompress, createGzip } from 'node:zlib'
import { within } from '../support/deadline.ts'
import type { Message } from '../support/message.ts'
import { type Origin, type OriginConnection, type OriginRequest, startOrigin } from '../support/origin.ts'

/** Room for a request of 25 MiB, to be compared byte for byte. */
const KEEP_BYTES = 32 * 1024 * 1024
/** A whole upload of 25 MiB on a busy machine. */
const REQUEST_DEADLINE_MS = 30_000

export type Coding = 'gzip' | 'br'

/** An answer as it goes on the wire. */
export interface Reply {
  /** Status line and field lines, without those that frame the body. */
  readonly head: readonly string[]
  /** The content: with a length in one write, or a list of events, each in a write and a chunk of its own. */
  readonly content: Buffer | readonly Buffer[]
  /** Events that are sent before the script must be released for the others; of an answer with a length, nothing is. */
  readonly held?: number
  /** After that many events the provider breaks off. */
  readonly cut?: number
  /** It is sent as soon as the head of the request is there. */
  readonly isEarly?: boolean
  /** The same in other codings, for the client that accepts one. */
  readonly coded?: Reply & { readonly coding: Coding }
}

/** What one call will meet at the origin, and what the origin saw of it. */
export class Script {
  readonly replies: readonly Reply[]
  readonly requests: OriginRequest[] = []
  /** When each request was about to be answered. */
  readonly repliedAt: number[] = []
  /** The codings of the replies. */
  readonly codings: (Coding | undefined)[] = []
  readonly #requested = Promise.withResolvers<void>()
  readonly #released = Promise.withResolvers<void>()

  /** The n-th request gets the n-th reply; the last one is repeated. */
  constructor(replies: readonly Reply[]) {
    this.replies = replies
  }

  /** Resolves when the first request is here. */
  requested(): Promise<void> {
    return within(this.#requested.promise, 'the first request of a call')
  }

  /** Sends what was held back. */
  release(): void {
    this.#released.resolve()
  }

  /** The connections that its requests came on. */
  get connections(): OriginConnection[] {
    return [...new Set(this.requests.map((request) => request.connection))]
  }

  /** From the answer to the n-th request until the next request came. */
  pauseMs(n: number): number {
    return this.requests[n + 1]!.message.headAt - this.repliedAt[n]!
  }

  async answer(request: OriginRequest): Promise<void> {
    const reply = this.replies[Math.min(this.requests.push(request), this.replies.length) - 1]!
    const message = reply.isEarly ? request.message : await request.ended(REQUEST_DEADLINE_MS)
    if (message.state === 'truncated') return
    this.#requested.resolve()
    this.repliedAt.push(performance.now())
    const isCoded = reply.coded !== undefined && accepts(message, reply.coded.coding)
    this.codings.push(isCoded ? reply.coded?.coding : undefined)
    await this.#send(request.connection, isCoded ? reply.coded! : reply)
  }

  async #send(connection: OriginConnection, reply: Reply): Promise<void> {
    const { head, content } = reply
    if (Buffer.isBuffer(content)) {
      if (reply.held !== undefined) await this.#released.promise
      const lines = [...head, `Content-Length: ${content.length}`, '', '']
      await connection.write(Buffer.concat([Buffer.from(lines.join('\r\n')), content]))
      return
    }
    await connection.write([...head, 'Transfer-Encoding: chunked', '', ''].join('\r\n'))
    for (const [n, event] of content.entries()) {
      if (n === reply.held) await this.#released.promise
      if (n === reply.cut) return connection.fin()
      for (const piece of inPieces(event)) await connection.write(chunk(piece))
    }
    if (reply.held === content.length) await this.#released.promise
    await connection.write('0\r\n\r\n')
  }
}

/** An event with other than ASCII comes in two chunks, whose boundary is within a character. */
function inPieces(event: Buffer): Buffer[] {
  const inside = event.findIndex((byte) => byte > 0x7f) + 1
  return inside > 0 && inside < event.length ? [event.subarray(0, inside), event.subarray(inside)] : [event]
}

function chunk(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')])
}

function accepts(message: Message, coding: Coding): boolean {
  return message
    .values('accept-encoding')
    .join(',')
    .split(',')
    .some((item) => item.trim().split(';')[0] === coding)
}

/** A provider that says what was written down before. It records what it receives, byte for byte. */
export class ScriptedOrigin {
  readonly #origin: Origin
  #script = new Script([])

  constructor(origin: Origin) {
    this.#origin = origin
    origin.answer = (request) => this.#script.answer(request)
  }

  get url(): string {
    return this.#origin.url
  }

  close(): Promise<void> {
    return this.#origin.close()
  }

  /** What comes from now on is answered so. */
  play(replies: readonly Reply[]): Script {
    this.#script = new Script(replies)
    return this.#script
  }
}

export async function startScriptedOrigin(): Promise<ScriptedOrigin> {
  return new ScriptedOrigin(await startOrigin('', { keepBytes: KEEP_BYTES }))
}

/** The head of a provider's answer: with two fields of one name, and one that belongs to the connection. */
function headOf(status: number, reason: string, type: string, fields: readonly string[]): string[] {
  return [
    `HTTP/1.1 ${status} ${reason}`,
    'Date: Sat, 14 Nov 2026 09:00:00 GMT',
    `Content-Type: ${type}`,
    'Connection: keep-alive',
    ...fields,
    'Set-Cookie: __cf_bm=first; path=/; HttpOnly',
    'Set-Cookie: _cfuvid=second; path=/; HttpOnly',
    'Server: cloudflare',
  ]
}

export function whole(body: object, fields: readonly string[]): Reply {
  return { head: headOf(200, 'OK', 'application/json', fields), content: Buffer.from(JSON.stringify(body)) }
}

export function refusal(status: number, body: object, fields: readonly string[]): Reply {
  const head = headOf(status, `Reason ${status}`, 'application/json', fields)
  return { head, content: Buffer.from(JSON.stringify(body)) }
}

export function stream(type: string, events: readonly string[], fields: readonly string[]): Reply {
  return { head: headOf(200, 'OK', type, fields), content: events.map((event) => Buffer.from(event)) }
}

/** Adds a compressed form, for the client that accepts it: of a stream, each event can be read as soon as it is there. */
export async function compressible(reply: Reply, coding: Coding): Promise<Reply> {
  const pieces = Buffer.isBuffer(reply.content) ? [reply.content] : reply.content
  const coded = await compress(pieces, coding)
  const content = Buffer.isBuffer(reply.content) ? Buffer.concat(coded) : coded
  return { ...reply, coded: { ...reply, head: [...reply.head, `Content-Encoding: ${coding}`], content, coding } }
}

/** Compressed pieces: one for each, which can be read without the next, and one for the end. */
async function compress(pieces: readonly Buffer[], coding: Coding): Promise<Buffer[]> {
  const compressor = coding === 'gzip' ? createGzip() : createBrotliCompress()
  const flush = coding === 'gzip' ? constants.Z_SYNC_FLUSH : constants.BROTLI_OPERATION_FLUSH
  let made: Buffer[] = []
  compressor.on('data', (data: Buffer) => made.push(data))
  const compressed: Buffer[] = []
  const take = (): void => {
    compressed.push(Buffer.concat(made))
    made = []
  }
  for (const piece of pieces) {
    await new Promise((resolve) => compressor.write(piece, resolve))
    await new Promise<void>((resolve) => compressor.flush(flush, resolve))
    take()
  }
  compressor.end()
  await once(compressor, 'end')
  take()
  return compressed
}
