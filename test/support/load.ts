import { once } from 'node:events'
import net from 'node:net'
import { DEADLINE_MS, Watch } from './deadline.ts'
import { type Message, MessageReader } from './message.ts'
import { latin1 } from './raw-client.ts'

export interface LoadOptions {
  readonly port: number
  readonly host?: string
  /** How many connections, all of them opened at the start and kept. */
  readonly connections: number
  readonly perSecond: number
  /** The bytes of the n-th request. */
  readonly request: (n: number) => string
  /** What is wrong with the whole response to the n-th request, if anything. Default: that it is no 200. */
  readonly judge?: (response: Message, n: number) => string | undefined
}

export interface LoadFailure {
  /** Of which request. */
  readonly n: number
  readonly what: string
}

interface Lane {
  readonly socket: net.Socket
  /** The number of the request that waits for its response. */
  pending: number | undefined
}

const TICK_MS = 4
/** A load generator that was held up itself does not make up for more than this at once. */
const BACKLOG_MS = 100

/**
 * Requests at a steady rate over connections that are kept. A response that is late does not hold the others up as long as
 * there is an idle connection. No connection is opened again: where one is lost, that must be seen.
 */
export class Load implements Disposable {
  sent = 0
  answered = 0
  readonly failures: LoadFailure[] = []
  /** Connections that have ended, busy or idle. */
  ended = 0
  readonly #options: LoadOptions
  readonly #lanes: Lane[] = []
  #idle: Lane[] = []
  readonly #watch = new Watch()
  #timer: NodeJS.Timeout | undefined
  #startedAt = 0
  /** Requests that were due while there was no way to send them. */
  #forgiven = 0

  constructor(options: LoadOptions) {
    this.#options = options
  }

  async start(): Promise<this> {
    const { port, host = '127.0.0.1', connections } = this.#options
    for (let i = 0; i < connections; i++) {
      const socket = net.connect({ port, host, noDelay: true, allowHalfOpen: true })
      await once(socket, 'connect')
      this.#add(socket)
    }
    this.#startedAt = performance.now()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    return this
  }

  /** Numbers of the requests that wait for their responses. */
  pending(): number[] {
    return this.#lanes.flatMap((lane) => lane.pending ?? [])
  }

  /** Looks again after every response and every end of a connection. */
  until<T>(look: () => T | undefined | false, what: string, ms: number = DEADLINE_MS): Promise<T> {
    return this.#watch.until(
      look,
      () => `${what}; ${this.sent} sent, ${this.answered} answered, ${this.ended} connections ended`,
      ms,
    )
  }

  /** Until so many more requests have been answered than now. */
  async untilMore(count: number, ms?: number): Promise<void> {
    const wanted = this.answered + count
    await this.until(() => this.answered >= wanted, `${count} more responses`, ms)
  }

  /** Sends nothing more, and waits for the responses that are still to come. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.until(() => this.pending().length === 0, 'the last responses')
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    for (const { socket } of this.#lanes) socket.destroy()
  }

  #add(socket: net.Socket): void {
    const lane: Lane = { socket, pending: undefined }
    const reader = new MessageReader({
      kind: 'response',
      onHead: () => {},
      onEnd: (message) => this.#take(lane, message),
    })
    let isOver = false
    const end = (how: 'fin' | 'rst'): void => {
      if (isOver) return
      isOver = true
      this.ended++
      reader.end(how)
      if (lane.pending !== undefined) this.#fail(lane, `the connection ended without its response (${how})`)
      socket.destroy()
      this.#idle = this.#idle.filter((each) => each !== lane)
      this.#watch.notice()
    }
    socket.on('data', (data: Buffer) => {
      reader.push(data)
      if (reader.fault !== undefined) this.#fail(lane, reader.fault)
      this.#watch.notice()
    })
    socket.on('end', () => end('fin'))
    socket.on('error', () => end('rst'))
    socket.on('close', () => end('rst'))
    this.#lanes.push(lane)
    this.#idle.push(lane)
  }

  #take(lane: Lane, message: Message): void {
    const n = lane.pending
    if (message.status >= 100 && message.status < 200) return
    if (n === undefined) {
      this.failures.push({ n: -1, what: `a response that nobody asked for: ${message.startLine}` })
      return
    }
    const wrong = message.state === 'complete' ? this.#judge(message, n) : `${message.startLine}, but ${message.state}`
    lane.pending = undefined
    this.answered++
    if (wrong !== undefined) this.failures.push({ n, what: wrong })
    if (message.value('connection')?.toLowerCase() !== 'close') this.#idle.push(lane)
  }

  #judge(message: Message, n: number): string | undefined {
    if (this.#options.judge !== undefined) return this.#options.judge(message, n)
    return message.status === 200 ? undefined : `${message.startLine} ${message.text}`
  }

  #fail(lane: Lane, what: string): void {
    this.failures.push({ n: lane.pending ?? -1, what })
    lane.pending = undefined
  }

  #tick(): void {
    const elapsed = performance.now() - this.#startedAt
    const due = (elapsed * this.#options.perSecond) / 1000 - this.#forgiven
    while (this.sent < due && this.#idle.length > 0) {
      const lane = this.#idle.shift()!
      lane.pending = this.sent++
      lane.socket.write(latin1(this.#options.request(lane.pending)))
    }
    const late = due - this.sent - (BACKLOG_MS * this.#options.perSecond) / 1000
    if (late > 0) this.#forgiven += late
  }
}

export function startLoad(options: LoadOptions): Promise<Load> {
  return new Load(options).start()
}
