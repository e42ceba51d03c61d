import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import net from 'node:net'
import { DEADLINE_MS, Watch } from './deadline.ts'
import { type Ending, type Message, MessageReader, quote } from './message.ts'

export const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

export interface ClientOptions {
  readonly host?: string
  /** Methods of the requests that will be sent, in order; GET where the list is silent. A response to HEAD has no body. */
  readonly methods?: readonly string[]
  /** Read nothing until `resume()`. */
  readonly paused?: boolean
  /** Body bytes of a response that are kept; the rest is only counted. */
  readonly keepBytes?: number
}

/** A client that writes the bytes it is given and reads responses strictly. It answers no FIN by itself. */
export class RawClient implements Disposable {
  readonly socket: net.Socket
  /** The final responses, in order of arrival, the one that is still arriving included. */
  readonly responses: Message[] = []
  /** Every head in order of arrival, interim responses included. */
  readonly heads: Message[] = []
  /** How the gateway ended the connection, once it did. */
  ending: Ending | undefined
  endedAt = 0
  receivedBytes = 0
  readonly #reader: MessageReader
  readonly #watch = new Watch()
  readonly #methods: string[]
  readonly #kept: Buffer[] = []
  readonly #keepBytes: number

  constructor(socket: net.Socket, options: ClientOptions) {
    this.socket = socket
    this.#methods = [...(options.methods ?? [])]
    this.#keepBytes = options.keepBytes ?? 16 * 1024 * 1024
    this.#reader = new MessageReader({
      kind: 'response',
      nextMethod: () => this.#methods.shift() ?? 'GET',
      onHead: (message) => {
        this.heads.push(message)
        if (message.status >= 200 || message.status === 0 || message.status === 101) this.responses.push(message)
      },
      onEnd: () => {},
      keepBytes: this.#keepBytes,
    })
    if (!options.paused) this.#read()
    socket.on('end', () => this.#end('fin'))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') this.#end('rst')
    })
    socket.on('close', () => this.#end('rst'))
  }

  #read(): void {
    this.socket.on('data', (data: Buffer) => {
      this.receivedBytes += data.length
      if (this.receivedBytes <= this.#keepBytes) this.#kept.push(data)
      this.#reader.push(data)
      this.#watch.notice()
    })
  }

  #end(how: Ending): void {
    if (this.ending !== undefined) return
    this.ending = how
    this.endedAt = performance.now()
    this.#reader.end(how)
    this.#watch.notice()
  }

  /** All bytes received so far, as they came. */
  get received(): string {
    return Buffer.concat(this.#kept).toString('latin1')
  }

  /** What cannot be read as a sequence of responses, if anything. */
  get fault(): string | undefined {
    return this.#reader.fault ?? this.heads.find((head) => head.fault !== undefined)?.fault
  }

  /** Resolves once the kernel has taken the bytes: false if the connection is gone instead. */
  write(bytes: string | Uint8Array): Promise<boolean> {
    if (this.socket.destroyed || this.socket.writableEnded) return Promise.resolve(false)
    return new Promise((resolve) => {
      this.socket.write(typeof bytes === 'string' ? latin1(bytes) : bytes, (error) => resolve(!error))
    })
  }

  /** Each piece in a segment of its own. */
  async writePieces(pieces: Iterable<string | Uint8Array>): Promise<void> {
    for (const piece of pieces) {
      if (!(await this.write(piece))) return
      await new Promise(setImmediate)
    }
  }

  /** Waits for something to be true of what has been received. */
  until<T>(look: () => T | undefined | false, what: string, ms: number = DEADLINE_MS): Promise<T> {
    return this.#watch.until(look, () => `${what}; so far ${this.describe()}`, ms)
  }

  /** The n-th final response (from 0), whole: complete or visibly truncated. */
  response(n = 0): Promise<Message> {
    return this.until(() => {
      const response = this.responses[n]
      if (response !== undefined && response.state !== 'open') return response
      if (this.ending !== undefined) throw new Error(`no response ${n}: ${this.describe()}`)
      return undefined
    }, `response ${n}`)
  }

  /** The head of the n-th final response (from 0). */
  responseHead(n = 0): Promise<Message> {
    return this.until(() => this.responses[n], `the head of response ${n}`)
  }

  /** Content of the n-th response that has arrived and holds `text`. */
  untilContent(text: string, n = 0): Promise<string> {
    return this.until(
      () => {
        const content = this.responses[n]?.text
        return content?.includes(text) ? content : undefined
      },
      `${quote(text)} in response ${n}`,
    )
  }

  /** Resolves when the gateway has ended the connection. */
  ended(ms: number = DEADLINE_MS): Promise<Ending> {
    return this.until(() => this.ending, 'the end of the connection', ms)
  }

  /** Resolves once the FIN has left. */
  fin(): Promise<void> {
    return new Promise((resolve) => this.socket.end(() => resolve()))
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** Stops reading: the kernel's buffer fills and the gateway has to wait. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    if (this.socket.listenerCount('data') === 0) this.#read()
    this.socket.resume()
  }

  describe(): string {
    const seen = this.responses.map(
      (message) => `${message.status} ${message.framing} ${message.state} (${message.contentBytes} bytes)`,
    )
    const rest = this.#reader.pending.length > 0 ? ` then ${quote(this.#reader.pending.toString('latin1'))}` : ''
    return `[${seen.join(', ')}]${rest} ${this.ending ?? 'open'}`
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

export async function connect(port: number, options: ClientOptions = {}): Promise<RawClient> {
  const socket = net.connect({ port, host: options.host ?? '127.0.0.1', noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  return new RawClient(socket, options)
}

/** One request on a connection of its own: its response, whole. */
export async function exchange(
  port: number,
  bytes: string | Uint8Array,
  options: ClientOptions = {},
): Promise<Message> {
  const start = typeof bytes === 'string' ? bytes : Buffer.from(bytes.subarray(0, 32)).toString('latin1')
  using client = await connect(port, { methods: [start.slice(0, start.indexOf(' '))], ...options })
  void client.write(bytes)
  return await client.response()
}

export async function connectUnix(path: string, options: ClientOptions = {}): Promise<RawClient> {
  const socket = net.connect({ path, allowHalfOpen: true })
  await once(socket, 'connect')
  return new RawClient(socket, options)
}
