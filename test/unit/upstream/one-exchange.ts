import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import type { Upstream } from '../../../src/config/snapshot.ts'
import type { ResponseHead } from '../../../src/http/message.ts'
import type { UpstreamEvents } from '../../../src/http/upstream-connection.ts'
import type { ClientConnection } from '../../../src/http1/client-connection.ts'
import { NO_BYTES } from '../../../src/runtime/outlet.ts'
import type { Pool } from '../../../src/upstream/pool.ts'
import { upstream } from '../exchange/exchange-of.ts'

/** What a connection tells of one exchange, as text: one event a line. */
export class Told {
  readonly connection: ClientConnection<Told>
  readonly log: string[] = []
  /** What came of the body. */
  body = ''
  /** Bytes are held back until `resumeResponse`. */
  holds = false
  readonly #over = Promise.withResolvers<void>()

  constructor(connection: ClientConnection<Told>) {
    this.connection = connection
  }

  /** The response is whole, or nothing more will come of it. */
  get over(): Promise<void> {
    return this.#over.promise
  }

  end(event: string): void {
    this.log.push(event)
    this.#over.resolve()
  }
}

function take(told: Told, before: string, buffer: Buffer, start: number, end: number, isComplete: boolean): boolean {
  told.body += before + buffer.toString('latin1', start, end)
  if (isComplete) told.end('whole')
  return !told.holds
}

export const events: UpstreamEvents<Told> = {
  interim(told, head) {
    told.log.push(`interim ${head.status}`)
    return !told.holds
  },
  responseHead(told, head: ResponseHead, before, buffer, start, end, isComplete) {
    told.log.push(`head ${head.status}`)
    return take(told, before, buffer, start, end, isComplete)
  },
  switched: (told, _head, buffer, start, end) => take(told, '', buffer, start, end, false),
  responseBytes: take,
  responseEnd(told) {
    told.end('end')
    // As whoever has got the whole of a response does.
    told.connection.release(true)
  },
  upstreamFailed: (told, failure, anyByte) => told.end(anyByte ? `${failure} after a byte` : failure),
  upstreamDrained: (told) => told.log.push('drained'),
  upstreamExpired: (told) => told.end('expired'),
  bytesRelayed: (told) => told.body.length,
  bug(told, error) {
    told?.end('bug')
    throw error
  },
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

/** Sends a request on the connection; the caller awaits `over` and releases. */
export function ask(connection: ClientConnection<Told>, method = 'GET'): Told {
  const told = new Told(connection)
  connection.begin(told, false, false)
  connection.sendHead(REQUEST, method, '', NO_BYTES, 0, 0)
  return told
}

/** An upstream in the clear at this port. */
export function upstreamAt(port: number, host = '127.0.0.1'): Upstream {
  return upstream({
    target: { scheme: 'http', host, port, authority: `${host}:${port}`, basePath: '' },
    apiKey: undefined,
    endpoint: `http://${host}:${port}`,
    connectTimeoutMs: 1_000,
    responseTimeoutMs: 1_000,
    idleTimeoutMs: 1_000,
    keepAliveTimeoutMs: 20_000,
    maxConnectionAgeMs: 600_000,
  })
}

/** A server that answers every request with the same bytes. */
export interface Answering extends AsyncDisposable {
  readonly port: number
  /** Its connections, in the order of their coming. */
  readonly sockets: net.Socket[]
  answer: string
}

export async function answering(answer: string, host = '127.0.0.1'): Promise<Answering> {
  const server = net.createServer((socket) => {
    answers.sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      if (data.toString('latin1').endsWith('\r\n\r\n')) socket.write(answers.answer, 'latin1')
    })
  })
  server.listen(0, host)
  await once(server, 'listening')
  const answers: Answering = {
    port: (server.address() as AddressInfo).port,
    sockets: [],
    answer,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of answers.sockets) socket.destroy()
      await once(server, 'close')
    },
  }
  return answers
}

export function connect(pool: Pool<Told>, upstream = upstreamAt(0)): Promise<ClientConnection<Told>> {
  return new Promise((resolve, reject) => {
    pool.connect(upstream, {
      trying() {},
      connected: resolve,
      failed: (failure) => reject(new Error(failure)),
    })
  })
}

/** A connection that has carried one whole exchange; it is not released. */
export async function used(pool: Pool<Told>, upstream?: Upstream): Promise<ClientConnection<Told>> {
  const connection = await connect(pool, upstream)
  await ask(connection).over
  return connection
}

/** Turns the event loop until this holds; the test's time limit ends it. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}
