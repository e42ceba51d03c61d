import type { Buffer } from 'node:buffer'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { DEADLINE_MS, Watch } from './deadline.ts'
import { type Ending, type Message, MessageReader } from './message.ts'
import { latin1 } from './raw-client.ts'

/** What the origin does with a request. Bytes are sent once the request is whole; a function runs as soon as its head is there. */
export type Answer = string | Uint8Array | ((request: OriginRequest) => void | Promise<void>)

export interface OriginOptions {
  /** Serve TLS with this certificate. */
  readonly tls?: tls.TlsOptions
  /** Body bytes of a request that are kept; the rest is only counted. */
  readonly keepBytes?: number
  /** Accept connections but read nothing from them until `resume()`. */
  readonly paused?: boolean
  /** Where it listens; default any free port of 127.0.0.1. */
  readonly host?: string
  readonly port?: number
  /** Path of a Unix socket to listen on instead. */
  readonly socket?: string
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

export class OriginRequest {
  readonly message: Message
  readonly connection: OriginConnection
  readonly #watch: Watch

  constructor(message: Message, connection: OriginConnection, watch: Watch) {
    this.message = message
    this.connection = connection
    this.#watch = watch
  }

  get head(): string {
    return this.message.head
  }

  get method(): string {
    return this.message.method
  }

  get target(): string {
    return this.message.target
  }

  get lines(): string[] {
    return this.message.lines
  }

  get text(): string {
    return this.message.text
  }

  values(name: string): string[] {
    return this.message.values(name)
  }

  /** Resolves when the body is whole, or will never be: see `message.state`. */
  ended(ms: number = DEADLINE_MS): Promise<Message> {
    return this.until(() => this.message.state !== 'open' && this.message, 'the end of the request body', ms)
  }

  until<T>(look: () => T | undefined | false, what: string, ms: number = DEADLINE_MS): Promise<T> {
    return this.#watch.until(
      look,
      () => `${what} (${this.message.startLine}, ${this.message.bodyBytes} body bytes)`,
      ms,
    )
  }
}

export class OriginConnection {
  readonly socket: net.Socket
  readonly requests: OriginRequest[] = []
  /** How the gateway ended it, once it did. */
  ending: Ending | undefined
  endedAt = 0
  /** What on it cannot be read as requests, if anything. */
  fault: string | undefined
  readonly #watch: Watch

  constructor(socket: net.Socket, watch: Watch) {
    this.socket = socket
    this.#watch = watch
  }

  /** Resolves once the kernel has taken the bytes: false if the connection is gone instead. */
  write(bytes: string | Uint8Array): Promise<boolean> {
    if (this.socket.destroyed || this.socket.writableEnded) return Promise.resolve(false)
    return new Promise((resolve) => {
      this.socket.write(typeof bytes === 'string' ? latin1(bytes) : bytes, (error) => resolve(!error))
    })
  }

  /** Resolves once the FIN has left. */
  fin(): Promise<void> {
    return new Promise((resolve) => this.socket.end(() => resolve()))
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Resolves when the gateway has ended the connection. */
  ended(ms: number = DEADLINE_MS): Promise<Ending> {
    return this.#watch.until(() => this.ending, 'the end of an upstream connection', ms)
  }
}

/** A provider's stand-in: records what arrives, byte for byte, and answers what it is told to. */
export class Origin implements AsyncDisposable {
  readonly requests: OriginRequest[] = []
  readonly connections: OriginConnection[] = []
  answer: Answer
  /** What a function that answers has thrown. */
  readonly failures: unknown[] = []
  readonly #options: OriginOptions
  readonly #server: net.Server
  /** The connections below TLS, where there is any, and those whose handshake failed. */
  readonly #sockets = new Set<net.Socket>()
  readonly #watch = new Watch()

  constructor(answer: Answer, options: OriginOptions) {
    this.answer = answer
    this.#options = options
    const accept = (socket: net.Socket): void => this.#accept(socket)
    this.#server = options.tls
      ? tls.createServer({ ...options.tls, noDelay: true, allowHalfOpen: true }, accept)
      : net.createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: options.paused === true }, accept)
    this.#server.on('tlsClientError', () => {})
    this.#server.on('connection', (socket: net.Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  async listen(): Promise<this> {
    const { socket, port = 0, host = '127.0.0.1' } = this.#options
    if (socket === undefined) this.#server.listen(port, host)
    else this.#server.listen(socket)
    await once(this.#server, 'listening')
    return this
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  get url(): string {
    return `${this.#options.tls ? 'https' : 'http'}://${this.#options.host ?? '127.0.0.1'}:${this.port}`
  }

  /** The n-th request (from 0), as soon as its head is there. */
  request(n = 0): Promise<OriginRequest> {
    return this.until(() => this.requests[n], `request ${n} upstream`)
  }

  /** The n-th connection (from 0). */
  connection(n = 0): Promise<OriginConnection> {
    return this.until(() => this.connections[n], `upstream connection ${n}`)
  }

  until<T>(look: () => T | undefined | false, what: string, ms: number = DEADLINE_MS): Promise<T> {
    return this.#watch.until(
      look,
      () =>
        `${what}; ${this.connections.length} connections, requests: ${this.requests.map((r) => r.message.startLine)}`,
      ms,
    )
  }

  /** No new connections from now on: they are refused. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const socket of this.#sockets) socket.destroy()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.close()
  }

  #accept(socket: net.Socket): void {
    const connection = new OriginConnection(socket, this.#watch)
    this.connections.push(connection)
    const reader = new MessageReader({
      kind: 'request',
      onHead: (message) => {
        const request = new OriginRequest(message, connection, this.#watch)
        connection.requests.push(request)
        this.requests.push(request)
        if (typeof this.answer === 'function') this.#run(this.answer, request)
      },
      onEnd: (message) => {
        if (typeof this.answer !== 'function' && message.state === 'complete') void connection.write(this.answer)
      },
      ...(this.#options.keepBytes === undefined ? {} : { keepBytes: this.#options.keepBytes }),
    })
    const end = (how: Ending): void => {
      if (connection.ending !== undefined) return
      connection.ending = how
      connection.endedAt = performance.now()
      reader.end(how)
      connection.fault ??= reader.fault
      this.#watch.notice()
    }
    socket.on('data', (data: Buffer) => {
      reader.push(data)
      connection.fault ??= reader.fault
      this.#watch.notice()
    })
    socket.on('end', () => {
      end('fin')
      socket.end()
    })
    socket.on('error', () => end('rst'))
    socket.on('close', () => end('rst'))
    if (this.#options.paused) socket.pause()
    this.#watch.notice()
  }

  #run(answer: (request: OriginRequest) => void | Promise<void>, request: OriginRequest): void {
    Promise.resolve()
      .then(() => answer(request))
      .catch((error: unknown) => {
        this.failures.push(error)
        request.connection.reset()
      })
  }
}

export function startOrigin(answer: Answer = OK, options: OriginOptions = {}): Promise<Origin> {
  return new Origin(answer, options).listen()
}
