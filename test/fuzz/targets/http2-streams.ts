import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Downstream, DownstreamEvents, RefusedHead } from '../../../src/http/downstream.ts'
import type { RequestHead, ResponseHead } from '../../../src/http/message.ts'
import { parseResponseHead } from '../../../src/http1/parse-response.ts'
import { Http2ServerConnection } from '../../../src/http2/server-connection.ts'
import { NO_BYTES } from '../../../src/runtime/outlet.ts'
import { block, type FieldPair, frame, request, TYPE, u32 } from '../../support/http2-peer.ts'
import { FakeSocket } from '../../unit/http1/fake-socket.ts'
import type { ValueTarget } from '../target.ts'

/*
 * A client's HTTP/2 connection, with frames in any order and any pieces, while exchanges are answered, broken off, held back and let
 * go, and the socket takes nothing for a while. Whatever happens: our code throws nothing, each exchange is over once, no
 * answer that was broken off ends with END_STREAM, nothing of a stream follows its end, and no more exchanges run than streams may be open.
 */

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const HEADS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  'HTTP/1.1 200 OK\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n\r\n',
].map((text) => parseResponseHead(text, 'GET') as ResponseHead)
const BODY_OF = ['abcdef', '6\r\nabcdef\r\n0\r\nX-T: 1\r\n\r\n', 'abcdef', '']

interface Running {
  readonly downstream: Downstream<Running>
  readonly id: number
  answer: number | undefined
  isOver: boolean
  isCut: boolean
}

const id = fc.integer({ min: 1, max: 6 }).map((n) => 2 * n - 1)
const FIELDS: readonly (readonly FieldPair[])[] = [
  [],
  [['content-length', '6']],
  [['Upper', '1']],
  [['expect', '100-continue']],
  [[':path', '/again']],
]
const bytes = fc.oneof(
  fc
    .tuple(id, fc.constantFrom('GET', 'POST'), fc.constantFrom(...FIELDS), fc.boolean())
    .map(([stream, method, fields, ends]) =>
      frame(TYPE.headers, ends ? 5 : 4, stream, block(request(method, '/x', ...fields))),
    ),
  fc
    .tuple(id, fc.constantFrom('abcdef', 'abc', ''), fc.boolean())
    .map(([stream, text, ends]) => frame(TYPE.data, ends ? 1 : 0, stream, Buffer.from(text))),
  fc.tuple(id, fc.boolean()).map(([stream, ends]) => frame(TYPE.headers, ends ? 5 : 4, stream, block([['x-t', '1']]))),
  id.map((stream) => frame(TYPE.rst, 0, stream, u32(8))),
  fc
    .tuple(fc.oneof(id, fc.constant(0)), fc.constantFrom(0, 1, 5, 100_000))
    .map(([stream, by]) => frame(TYPE.window, 0, stream, u32(by))),
  fc
    .constantFrom(0, 1, 3, 65_535)
    .map((window) => frame(TYPE.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), u32(window)]))),
  fc.constant(frame(TYPE.ping, 0, 0, Buffer.alloc(8))),
  fc.uint8Array({ maxLength: 12 }).map((octets) => Buffer.from(octets)),
)

const nth = fc.nat(8)
type Step =
  | readonly [what: 'bytes', octets: number[], pieces: number]
  | readonly [what: string, nth: number, more: number]
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constant('bytes' as const),
      bytes.map((b) => [...b]),
      fc.integer({ min: 1, max: 3 }),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(
      fc.constantFrom('answer', 'own', 'body', 'finish', 'cut', 'reset', 'pause', 'resume', 'flush', 'choke', 'take'),
      nth,
      fc.nat(40),
    ),
  },
)

class Trial {
  readonly running: Running[] = []
  readonly socket = new FakeSocket()
  readonly connection: Http2ServerConnection<Running>
  closed = 0

  constructor() {
    const host = {
      events: this.#events(),
      isDraining: false,
      headTimeoutMs: 600_000,
      keepAliveTimeoutMs: 600_000,
      speaksHttp2: () => assert.fail('it does already'),
      connectionIdle() {},
      connectionBusy() {},
      connectionClosing() {},
      connectionClosed: () => {
        this.closed++
      },
    }
    this.connection = new Http2ServerConnection<Running>(host, {
      peerIp: '192.0.2.1',
      clientIp: '192.0.2.1',
      tls: undefined,
      isOverLimit: false,
    })
    this.connection.attach(this.socket.asSocket)
    this.feed(PREFACE, 1)
    this.feed(frame(TYPE.settings, 0, 0), 1)
  }

  #events(): DownstreamEvents<Running> {
    const end = (exchange: Running): void => this.end(exchange, true)
    return {
      open: (downstream, head: RequestHead | RefusedHead) => {
        const exchange = {
          downstream,
          id: (downstream as unknown as { id: number }).id,
          answer: undefined,
          isOver: false,
          isCut: false,
        }
        this.running.push(exchange)
        assert.ok(this.running.filter(({ isOver }) => !isOver).length <= 100)
        assert.equal(typeof head.method, 'string')
        return exchange
      },
      serve() {},
      requestBytes: (exchange, _before, buffer, start, stop) => {
        assert.equal(exchange.isOver, false)
        assert.ok(stop <= buffer.length && start <= stop)
        return start % 3 !== 0
      },
      requestEnd: (exchange) => assert.equal(exchange.downstream.isRequestComplete, true),
      requestFailed: end,
      shutDown: end,
      clientLeft: end,
      clientDrained() {},
      exchangeExpired: end,
      bug: (_exchange, _downstream, error) => {
        throw error
      },
    }
  }

  end(exchange: Running, isCut: boolean): void {
    if (exchange.isOver) return
    exchange.isOver = true
    exchange.isCut = isCut
    if (isCut) exchange.downstream.cut(false)
    exchange.downstream.finish(false)
  }

  feed(all: Buffer, pieces: number): void {
    const length = Math.ceil(all.length / pieces)
    for (let at = 0; at < all.length; at += length) {
      const piece = all.subarray(at, at + length)
      const buffer = this.connection.nextReadBuffer()
      piece.copy(buffer)
      this.connection.onBytes(buffer, piece.length)
    }
  }

  do([what, which, more]: Step): void {
    if (what === 'bytes') this.feed(Buffer.from(which as number[]), more)
    else if (what === 'flush') this.connection.session.outbox.flush()
    else if (what === 'choke') this.socket.isChoked = true
    else if (what === 'take' && more % 2 === 0) this.socket.drain()
    else if (what === 'take') this.socket.take(more)
    else this.#act(what, which as number, more)
  }

  #act(what: string, which: number, more: number): void {
    const exchange = this.running[which]
    if (exchange === undefined || exchange.isOver) return
    const { downstream } = exchange
    switch (what) {
      case 'answer':
        if (exchange.answer !== undefined) return
        exchange.answer = more % HEADS.length
        downstream.response.sendHead(HEADS[exchange.answer]!, false, '', NO_BYTES, 0, 0)
        break
      case 'own':
        if (exchange.answer !== undefined) return
        exchange.answer = 3
        downstream.response.sendAnswer({ status: 401, reason: '', fields: [['A', 'b']], content: 'no' }, false)
        downstream.response.whenFlushed(() => this.end(exchange, false))
        break
      case 'body': {
        const body = Buffer.from(BODY_OF[exchange.answer ?? 3]!)
        if (body.length === 0) return
        downstream.response.sendBytes('', body, 0, body.length)
        exchange.answer = 3
        downstream.response.whenFlushed(() => this.end(exchange, false))
        break
      }
      case 'finish':
        if (exchange.answer === 3) downstream.response.whenFlushed(() => this.end(exchange, false))
        break
      case 'cut':
        this.end(exchange, true)
        break
      case 'pause':
        downstream.pauseRequest()
        break
      case 'resume':
        downstream.resumeRequest()
    }
  }
}

/** What was sent on each stream: `head`, `data`, `end`, `reset`. */
function sentOn(written: string): Map<number, string[]> {
  const sent = new Map<number, string[]>()
  const all = Buffer.from(written, 'latin1')
  for (let at = 0; at + 9 <= all.length; ) {
    const [length, type, flags, stream] = [all.readUIntBE(at, 3), all[at + 3]!, all[at + 4]!, all.readUInt32BE(at + 5)]
    at += 9 + length
    assert.ok(at <= all.length, 'whole frames')
    if (stream === 0 || type === TYPE.window) continue
    const log = sent.get(stream) ?? []
    sent.set(stream, log)
    log.push(type === TYPE.rst ? 'reset' : type === TYPE.headers ? 'head' : 'data')
    if (type !== TYPE.rst && (flags & 1) !== 0) log.push('end')
  }
  return sent
}

export const http2Streams: ValueTarget<readonly Step[]> = {
  name: 'http2-streams',
  about: "frames of a client in any order: no exception, each exchange over once, nothing behind a stream's end",
  values: (scale) => fc.array(step, { maxLength: 20 * scale, size: 'max' }),
  async check(steps) {
    const trial = new Trial()
    try {
      for (const each of steps) trial.do(each)
      trial.socket.drain()
      await new Promise(setImmediate)
      trial.socket.drain()
    } finally {
      trial.connection.close()
      trial.socket.drain()
    }
    assert.equal(trial.closed, 1)
    for (const exchange of trial.running)
      assert.equal(exchange.isOver, true, `the exchange of stream ${exchange.id} is over`)
    for (const [stream, log] of sentOn(trial.socket.written)) {
      const end = log.indexOf('end')
      if (end !== -1)
        assert.deepEqual(
          log.slice(end + 1).filter((what) => what !== 'reset'),
          [],
          `nothing behind the end of ${stream}`,
        )
      const reset = log.indexOf('reset')
      if (reset !== -1)
        assert.deepEqual(
          log.slice(reset + 1).filter((what) => what !== 'reset'),
          [],
          `nothing behind the reset of ${stream}`,
        )
      const cut = trial.running.find((each) => each.id === stream && each.isCut && each.answer !== 3)
      if (cut !== undefined) assert.equal(end, -1, `${stream} was broken off, and ends`)
    }
    return `${trial.running.length > 0 ? 'served' : 'nothing'} ${sentOn(trial.socket.written).size > 0}`
  },
}
