import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { DEADLINE_MS, Watch } from './deadline.ts'
import type { Ending } from './message.ts'
import { latin1 } from './raw-client.ts'

/** How much of what comes is kept; the rest is only counted. */
const KEPT_BYTES = 1024 * 1024

/** One end of a connection on which nothing is read as messages. It answers no FIN by itself. */
export class RawEnd implements Disposable {
  readonly socket: net.Socket
  /** All that has come, in latin-1, up to a mebibyte. */
  received = ''
  receivedBytes = 0
  /** It has sent a 101: what comes is no request. */
  hasSwitched = false
  /** How the other side ended, once it did. A reset may follow a FIN. */
  ending: Ending | undefined
  readonly #watch = new Watch()

  constructor(socket: net.Socket, onData: () => void = () => {}) {
    this.socket = socket
    socket.on('data', (data: Buffer) => {
      this.receivedBytes += data.length
      if (this.receivedBytes <= KEPT_BYTES) this.received += data.toString('latin1')
      onData()
      this.#watch.notice()
    })
    const end = (how: Ending): void => {
      if (this.ending !== 'rst') this.ending = how
      this.#watch.notice()
    }
    socket.on('end', () => end('fin'))
    socket.on('error', () => end('rst'))
    socket.on('close', () => this.ending === undefined && end('rst'))
  }

  /** Resolves once the kernel has taken the bytes: false if the connection is gone instead. */
  write(bytes: string | Uint8Array): Promise<boolean> {
    if (typeof bytes === 'string') this.hasSwitched ||= bytes.includes('HTTP/1.1 101 ')
    if (this.socket.destroyed || this.socket.writableEnded) return Promise.resolve(false)
    return new Promise((resolve) => {
      this.socket.write(typeof bytes === 'string' ? latin1(bytes) : bytes, (error) => resolve(!error))
    })
  }

  fin(): void {
    this.socket.end()
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  until<T>(look: () => T | undefined | false, what: string, ms: number = DEADLINE_MS): Promise<T> {
    return this.#watch.until(
      look,
      () => `${what}; so far ${this.receivedBytes} bytes, ${this.ending ?? 'open'}: ${this.received.slice(0, 500)}`,
      ms,
    )
  }

  /** Resolves as soon as all that has come ends with that. */
  untilReceived(text: string): Promise<unknown> {
    return this.until(() => this.received.endsWith(text), `…${JSON.stringify(text)}`)
  }

  ended(how: Ending): Promise<unknown> {
    return this.until(() => this.ending === how, how)
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

export async function connectRaw(port: number): Promise<RawEnd> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  return new RawEnd(socket)
}

/** A server whose connections are raw ends. It answers each head of a request as it is told to, and nothing else. */
export class RawOrigin implements AsyncDisposable {
  readonly ends: RawEnd[] = []
  /** The heads of requests, in the order in which they came. */
  readonly heads: string[] = []
  answer: (end: RawEnd, head: string) => void
  readonly #server: net.Server
  readonly #watch = new Watch()

  constructor(answer: (end: RawEnd, head: string) => void, options: tls.TlsOptions | undefined) {
    this.answer = answer
    const accept = (socket: net.Socket): void => this.#accept(socket)
    this.#server =
      options === undefined
        ? net.createServer({ noDelay: true, allowHalfOpen: true }, accept)
        : tls.createServer({ ...options, noDelay: true, allowHalfOpen: true }, accept)
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get url(): string {
    const scheme = this.#server instanceof tls.Server ? 'https' : 'http'
    return `${scheme}://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`
  }

  /** The n-th connection (from 0) with a head on it. */
  end(n = 0): Promise<RawEnd> {
    return this.#watch.until(() => this.heads.length > n && this.ends[n], `head ${n} upstream`)
  }

  #accept(socket: net.Socket): void {
    let at = 0
    const end: RawEnd = new RawEnd(socket, () => {
      const headEnd = end.received.indexOf('\r\n\r\n', at)
      if (end.hasSwitched || headEnd === -1) return
      const head = end.received.slice(at, headEnd + 4)
      at = headEnd + 4
      this.heads.push(head)
      this.answer(end, head)
      this.#watch.notice()
    })
    this.ends.push(end)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.ends) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

export function startRawOrigin(
  answer: (end: RawEnd, head: string) => void,
  options?: tls.TlsOptions,
): Promise<RawOrigin> {
  return new RawOrigin(answer, options).listen()
}

/** What a WebSocket client sends first (RFC 6455 section 1.3), with these lines besides. */
export function upgrade(target: string, ...lines: string[]): string {
  return [
    `GET ${target} HTTP/1.1`,
    'Host: gateway.test',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    ...lines,
    '',
    '',
  ].join('\r\n')
}

/** What an upstream answers that agrees, spelled in its own way. */
export const SWITCH =
  'HTTP/1.1 101 Web Socket Protocol Handshake\r\nupgrade: WebSocket\r\nX-A:  1 \r\nconnection:  upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nx-request-id: req_1\r\n\r\n'
