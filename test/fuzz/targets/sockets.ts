import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import fc from 'fast-check'
import { type Downstream, type DownstreamEvents, isRefused, type OwnAnswer } from '../../../src/http/downstream.ts'
import type { RequestHead } from '../../../src/http/message.ts'
import { connectionSpecificEdit, encodeHead } from '../../../src/http1/encoder.ts'
import { ServerConnection } from '../../../src/http1/server-connection.ts'
import { adoptAccepted } from '../../../src/runtime/sockets.ts'
import { cut, places, request, type Sample } from '../messages.ts'
import type { ValueTarget } from '../target.ts'

/*
 * Requests through a pair of real sockets, as many at once as a client likes, to a server whose exchanges hold back and are
 * finished at odd moments. Every request must arrive as it is to go on, in order, and get its own answer.
 */

/** What one exchange does: before it takes its body, before each further piece of it, and before its answer. */
type Manner = 'at once' | 'a turn later' | 'some turns later'

interface Served {
  readonly downstream: Downstream
  readonly manner: Manner
  bytes: string
}

const arrived: string[] = []
let manners: readonly Manner[] = []
let server: net.Server | undefined
const connections = new Set<ServerConnection<Served>>()

function later(manner: Manner, act: () => void): void {
  if (manner === 'at once') act()
  else if (manner === 'a turn later') setImmediate(act)
  else setTimeout(act, 1)
}

function answer({ downstream, bytes, manner }: Served): void {
  later(manner, () => {
    arrived.push(bytes)
    const content = String(arrived.length)
    const own: OwnAnswer = { status: 200, reason: 'OK', fields: [], content }
    downstream.response.sendAnswer(own, false)
    downstream.response.whenFlushed(() => downstream.finish(true))
  })
}

function forwarded(head: RequestHead): string {
  const edits = head.lines.map((line) => connectionSpecificEdit(head.text, line))
  return encodeHead(head, {
    startLine: `${head.method} ${head.pathAndQuery} HTTP/1.1\r\n`,
    lines: head.lines,
    edits,
    appended: '',
  })
}

const events: DownstreamEvents<Served> = {
  open(downstream, head) {
    assert.ok(!isRefused(head), 'failure' in head ? head.failure : '')
    return { downstream, manner: manners[arrived.length % manners.length]!, bytes: forwarded(head) }
  },
  serve(exchange, before, buffer, start, end) {
    const { downstream, manner } = exchange
    exchange.bytes += before + buffer.toString('latin1', start, end)
    if (downstream.isRequestComplete) answer(exchange)
    else if (manner !== 'at once') {
      downstream.pauseRequest()
      later(manner, () => downstream.resumeRequest())
    }
  },
  requestBytes(exchange, before, buffer, start, end) {
    exchange.bytes += before + buffer.toString('latin1', start, end)
    if (exchange.manner === 'at once' || exchange.downstream.isRequestComplete) return true
    later(exchange.manner, () => exchange.downstream.resumeRequest())
    return false
  },
  requestEnd: answer,
  requestFailed: (_exchange, failure) => assert.fail(failure),
  shutDown() {},
  clientLeft() {},
  clientDrained() {},
  exchangeExpired() {},
  bug: (_exchange, _downstream, error) => assert.fail(error as Error),
}

const host = {
  events,
  isDraining: false,
  headTimeoutMs: 10_000,
  keepAliveTimeoutMs: 10_000,
  connectionIdle() {},
  connectionBusy() {},
  connectionClosing() {},
  connectionClosed: (connection: ServerConnection<Served>) => connections.delete(connection),
}

async function listen(): Promise<net.Server> {
  const listening = net.createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true }, (socket) => {
    const connection = new ServerConnection<Served>(host, undefined, false)
    connections.add(connection)
    connection.attach(adoptAccepted(socket, connection))
  })
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  return listening
}

/** Sends the pieces, each by itself, and reads as many answers as there are requests. */
async function talk(port: number, pieces: readonly string[], answers: number): Promise<string> {
  const socket = net.connect(port, '127.0.0.1').setNoDelay()
  await once(socket, 'connect')
  let received = ''
  const all = new Promise<void>((resolve) => {
    socket.on('data', (data) => {
      received += data.toString('latin1')
      if (received.split('HTTP/1.1').length > answers) resolve()
    })
  })
  for (const piece of pieces) {
    socket.write(piece, 'latin1')
    await new Promise((resolve) => setImmediate(resolve))
  }
  await all
  socket.destroy()
  return received
}

export interface Talk {
  readonly samples: readonly Sample[]
  readonly at: readonly number[]
  readonly manners: readonly Manner[]
}

const manner = fc.constantFrom<Manner>('at once', 'a turn later', 'some turns later')

export const sockets: ValueTarget<Talk> = {
  name: 'sockets',
  about: 'requests over real sockets arrive byte for byte and in order',
  values: (scale) =>
    fc.record({
      samples: fc.array(request, { minLength: 1, maxLength: 8 * scale }),
      at: places,
      manners: fc.array(manner, { minLength: 1, maxLength: 4 }),
    }),
  async check(talked) {
    server ??= await listen()
    arrived.length = 0
    manners = talked.manners
    const { samples } = talked
    const pieces = cut(samples.map(({ bytes }) => bytes).join(''), talked.at)
    const received = await talk((server.address() as AddressInfo).port, pieces, samples.length)
    assert.deepEqual(
      arrived,
      samples.map(({ passed }) => passed),
    )
    const expected = samples.map((_, i) => `HTTP/1.1 200 OK\r\nContent-Length: ${`${i + 1}`.length}\r\n\r\n${i + 1}`)
    assert.equal(received, expected.join(''))
    return 'arrived'
  },
  close() {
    server?.close()
    server = undefined
    for (const connection of connections) connection.close()
  },
}
