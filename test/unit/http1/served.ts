import type { Downstream, DownstreamEvents, RefusedHead } from '../../../src/http/downstream.ts'
import { isRefused } from '../../../src/http/downstream.ts'
import type { RequestHead } from '../../../src/http/message.ts'
import { ServerConnection } from '../../../src/http1/server-connection.ts'
import { FakeSocket } from './fake-socket.ts'

/** One exchange of a served connection, as far as a test is concerned. */
export interface Served {
  readonly downstream: Downstream
  readonly head: RequestHead | RefusedHead
  body: string
}

/** A client's connection whose events are told as text, and whose exchanges wait for the test. */
export class ServedClient {
  readonly socket = new FakeSocket()
  readonly log: string[] = []
  readonly exchanges: Served[] = []
  readonly host: {
    readonly events: DownstreamEvents<Served>
    isDraining: boolean
    headTimeoutMs: number
    keepAliveTimeoutMs: number
    speaksHttp2(): never
    connectionIdle(): void
    connectionBusy(): void
    connectionClosing(): void
    connectionClosed(): void
  }
  readonly connection: ServerConnection<Served>
  /** Does something as soon as an exchange is served. */
  onServe: (exchange: Served) => void = () => {}
  /** What body bytes are answered with. */
  takesMore = true

  constructor() {
    const tell = (event: string) => (): void => {
      this.log.push(event)
    }
    this.host = {
      events: this.#events(),
      isDraining: false,
      headTimeoutMs: 1_000,
      keepAliveTimeoutMs: 5_000,
      speaksHttp2() {
        throw new Error('nobody speaks HTTP/2 here')
      },
      connectionIdle: tell('idle'),
      connectionBusy: tell('busy'),
      connectionClosing: tell('closing'),
      connectionClosed: tell('closed'),
    }
    this.connection = new ServerConnection<Served>(this.host, '127.0.0.1', false)
    this.connection.attach(this.socket.asSocket)
  }

  get last(): Served {
    return this.exchanges.at(-1)!
  }

  /** Returns whether reading goes on. */
  sends(bytes: string): boolean {
    const buffer = Buffer.from(bytes, 'latin1')
    return this.connection.onBytes(buffer, buffer.length)
  }

  /** What was told since it was asked last. */
  told(): string[] {
    return this.log.splice(0)
  }

  #events(): DownstreamEvents<Served> {
    const { log } = this
    return {
      open: (downstream, head) => {
        const exchange = { downstream, head, body: '' }
        this.exchanges.push(exchange)
        log.push(
          isRefused(head) ? `refused ${head.failure} ${head.method} ${head.target}` : `${head.method} ${head.target}`,
        )
        return exchange
      },
      serve: (exchange, before, buffer, start, end) => {
        exchange.body += before + buffer.toString('latin1', start, end)
        this.onServe(exchange)
      },
      requestBytes: (exchange, before, buffer, start, end) => {
        exchange.body += before + buffer.toString('latin1', start, end)
        return this.takesMore
      },
      requestEnd: () => log.push('end'),
      requestFailed: (_exchange, failure) => log.push(`failed ${failure}`),
      shutDown: () => log.push('shut down'),
      clientLeft: () => log.push('left'),
      clientDrained: () => log.push('drained'),
      exchangeExpired: () => log.push('expired'),
      bug: (_exchange, _downstream, error) => {
        throw error
      },
    }
  }
}
