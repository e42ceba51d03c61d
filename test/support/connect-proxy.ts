import { once } from 'node:events'
import net from 'node:net'
import { Watch } from './deadline.ts'

/** What a proxy answers to a CONNECT: a head of its own, or a tunnel to a port of 127.0.0.1 behind this head. */
export interface ProxyAnswer {
  readonly head: string
  /** Undefined: no tunnel, and it hangs up. */
  readonly port?: number
  /** Sent together with the head, as if the target had spoken at once. */
  readonly first?: string
}

export const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n'

/** An HTTP proxy that knows CONNECT only. It records what it is asked, and what has passed. */
export class ConnectProxy implements AsyncDisposable {
  /** The heads of CONNECT requests, in the order of their coming. */
  readonly heads: string[] = []
  /** What clients have sent into each tunnel. */
  readonly sent: Buffer[][] = []
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  readonly #watch = new Watch()
  readonly #answer: (head: string) => ProxyAnswer | undefined

  /** `answer` returns undefined where the proxy is to say nothing at all. */
  constructor(answer: (head: string) => ProxyAnswer | undefined) {
    this.#answer = answer
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#accept(socket))
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size
  }

  until<T>(look: () => T | undefined | false, what: string): Promise<T> {
    return this.#watch.until(look, what)
  }

  #accept(client: net.Socket): void {
    this.#keep(client)
    let head = ''
    const onData = (data: Buffer): void => {
      head += data.toString('latin1')
      const end = head.indexOf('\r\n\r\n') + 4
      if (end === 3) return
      client.off('data', onData)
      this.heads.push(head.slice(0, end))
      const answer = this.#answer(head.slice(0, end))
      if (answer !== undefined) this.#carryOut(client, answer)
      this.#watch.notice()
    }
    client.on('data', onData)
  }

  #carryOut(client: net.Socket, { head, port, first = '' }: ProxyAnswer): void {
    client.write(head + first, 'latin1')
    if (port === undefined) {
      client.end()
      return
    }
    const sent: Buffer[] = []
    this.sent.push(sent)
    const target = net.connect({ port, host: '127.0.0.1', noDelay: true })
    this.#keep(target)
    client.on('data', (data: Buffer) => sent.push(data))
    client.pipe(target).pipe(client)
    client.on('close', () => target.destroy())
    target.on('close', () => client.destroy())
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#watch.notice()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }
}

export function startConnectProxy(answer: (head: string) => ProxyAnswer | undefined): Promise<ConnectProxy> {
  return new ConnectProxy(answer).listen()
}
