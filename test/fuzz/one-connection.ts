import assert from 'node:assert/strict'
import type { Snapshot, Upstream } from '../../src/config/snapshot.ts'
import type { Exchange, Path } from '../../src/exchange/exchange.ts'
import { downstreamEvents, upstreamEvents } from '../../src/exchange/serve.ts'
import { ClientConnection } from '../../src/http1/client-connection.ts'
import { ServerConnection } from '../../src/http1/server-connection.ts'
import { createRecordFormatter } from '../../src/observe/access-log.ts'
import { plainMetering } from '../support/metering.ts'
import { FakeSocket } from '../unit/http1/fake-socket.ts'

/*
 * The whole path of a request between sockets that are read and written here: one client's connection at a time, and the connections to
 * its upstream, which answers what it is told to.
 */

/** What a client sends, what it is answered, and how the bytes come. */
export interface Turn {
  readonly request: string
  readonly response: string
  /** Places where reads end, in either. */
  readonly at: readonly number[]
  /** An idle connection has been idle for long. */
  readonly isStale: boolean
  /** Neither side takes anything before the other has said all. */
  readonly isChoked: boolean
}

/** All that can be seen of it. */
export interface Seen {
  readonly toUpstream: string
  readonly toClient: string
  readonly records: readonly string[]
  /** The client's connection: idle, busy, closing, closed. */
  readonly state: string
}

interface Reader {
  onBytes(buffer: Buffer, length: number): boolean
  nextReadBuffer(): Buffer
}

const ADDRESS = '192.0.2.7:80'
const format = createRecordFormatter({ level: 'trace', format: 'json', colour: false })
const TIMES = /"(?:time|duration_ms|ttfb_ms)":(?:"[^"]*"|[\d.]+)/g
/** In the place of what has been read: whoever looks at it later sees nothing that was ever sent. */
const STALE = 0x21

/** Reads it in pieces, each into the memory that Node would use, which holds it no longer than the call. */
async function read(reader: Reader, socket: FakeSocket, text: string, at: readonly number[]): Promise<void> {
  const bytes = Buffer.from(text, 'latin1')
  let from = 0
  const ends = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  while (from < bytes.length && !socket.destroyed) {
    if (socket.isPaused) await new Promise(setImmediate)
    if (socket.isPaused) return
    const buffer = reader.nextReadBuffer()
    const to = ends.find((end) => end > from) ?? bytes.length
    const length = Math.min(to - from, buffer.length)
    bytes.copy(buffer, 0, from, from + length)
    from += length
    if (!reader.onBytes(buffer, length)) socket.isPaused = true
    buffer.fill(STALE, 0, length)
  }
}

export class OneConnection {
  readonly path: Path
  #client!: FakeSocket
  #connection!: ServerConnection<Exchange>
  readonly #upstreams: FakeSocket[] = []
  readonly #idle: ClientConnection<Exchange>[] = []
  readonly #sockets = new Map<ClientConnection<Exchange>, FakeSocket>()
  readonly #records: string[] = []
  #asked: ClientConnection<Exchange> | undefined = undefined
  #isStale = false
  #isChoked = false
  #state = ''

  constructor(snapshot: Snapshot) {
    const pool = {
      take: () => this.#take(),
      connect: (_upstream: Upstream, events: { connected(connection: ClientConnection<Exchange>): void }) => {
        setImmediate(() => {
          events.connected(this.#open())
        })
        return () => {}
      },
    }
    this.path = {
      snapshot,
      catchUp: undefined,
      pools: { of: () => pool } as unknown as Path['pools'],
      writeRecord: (record, from) => this.#records.push(format(record, from).replaceAll(TIMES, '')),
      reportRefusal() {},
      traffic: undefined,
      metering: plainMetering(),
      reportBug: (error) => assert.fail(error as Error),
    }
    this.#connect()
  }

  #connect(): void {
    this.#client = new FakeSocket()
    const tell = (state: string) => (): void => {
      this.#state = state
    }
    this.#connection = new ServerConnection<Exchange>(
      {
        events: downstreamEvents(this.path),
        isDraining: false,
        headTimeoutMs: 600_000,
        keepAliveTimeoutMs: 600_000,
        speaksHttp2() {
          throw new Error('nobody speaks HTTP/2 here')
        },
        connectionIdle: tell('idle'),
        connectionBusy: tell('busy'),
        connectionClosing: tell('closing'),
        connectionClosed: tell('closed'),
      },
      '192.0.2.1',
      false,
    )
    this.#connection.attach(this.#client.asSocket)
  }

  #take(): { connection: ClientConnection<Exchange>; isStale: boolean } | undefined {
    const connection = this.#idle.pop()
    if (connection === undefined) return undefined
    return { connection, isStale: this.#isStale }
  }

  #open(): ClientConnection<Exchange> {
    const socket = new FakeSocket()
    this.#upstreams.push(socket)
    const keep = (): void => void this.#idle.push(connection)
    const connection: ClientConnection<Exchange> = new ClientConnection<Exchange>(
      {
        events: upstreamEvents((error) => assert.fail(error as Error)),
        keep,
        putBack: keep,
        keepsForOwner: () => true,
        closed: () => {
          if (this.#idle.includes(connection)) this.#idle.splice(this.#idle.indexOf(connection), 1)
        },
      },
      '',
      ADDRESS,
    )
    const begin = connection.begin.bind(connection)
    connection.begin = (exchange, readsHead, mayUpgrade) => {
      this.#asked = connection
      socket.isChoked = this.#isChoked
      begin(exchange, readsHead, mayUpgrade)
    }
    this.#sockets.set(connection, socket)
    connection.attach(socket.asSocket)
    return connection
  }

  async say({ request, response, at, isStale, isChoked }: Turn): Promise<Seen> {
    this.#isStale = isStale
    this.#isChoked = isChoked
    const before = { toClient: this.#client.written.length, records: this.#records.length }
    const toUpstream = this.#upstreams.map(({ written }) => written.length)
    await read(this.#connection, this.#client, request, at)
    // A stale connection takes a turn, a new one another; and requests that were sent together are answered one by one.
    for (let answered = 0; answered < 4; answered++) {
      for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate)
      const asked = this.#asked
      if (asked === undefined) break
      this.#asked = undefined
      await this.#answer(asked, response, at)
    }
    return {
      toUpstream: this.#upstreams.map(({ written }, i) => written.slice(toUpstream[i] ?? 0)).join(''),
      toClient: this.#client.written.slice(before.toClient),
      records: this.#records.slice(before.records),
      state: this.#state,
    }
  }

  async #answer(asked: ClientConnection<Exchange>, response: string, at: readonly number[]): Promise<void> {
    const socket = this.#sockets.get(asked)!
    const records = this.#records.length
    this.#client.isChoked = this.#isChoked
    socket.drain()
    await read(asked, socket, response, at)
    this.#client.drain()
    await new Promise(setImmediate)
    // It ends with its connection, or never.
    if (this.#records.length === records && this.#asked === undefined) socket.emit('end')
    await new Promise(setImmediate)
    this.#client.drain()
  }

  /** Whether a next request is read as one. */
  async isReady(): Promise<boolean> {
    const probe = 'GET /probe HTTP/1.1\r\nHost: a\r\n\r\n'
    const { records } = await this.say({ request: probe, response: '', at: [], isStale: false, isChoked: false })
    return records.length === 1 && records[0]!.includes('"method":"GET","request_url":"/probe"')
  }

  /** The client goes on on another connection, beside which those to the upstream stay. */
  async hangUp(): Promise<void> {
    this.#connection.close()
    await new Promise(setImmediate)
    this.#asked = undefined
    this.#connect()
  }

  close(): void {
    this.#connection.close()
    for (const connection of this.#sockets.keys()) connection.close()
  }
}
