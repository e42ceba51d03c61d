import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Http2ClientConnection } from '../../../src/http2/client-connection.ts'
import type { ClientStream } from '../../../src/http2/client-stream.ts'
import { NO_BYTES } from '../../../src/runtime/outlet.ts'
import { block, CODE, END_STREAM, frame, TYPE, u32 } from '../../support/http2-peer.ts'
import { FakeSocket } from '../http1/fake-socket.ts'

const END_HEADERS = 4
const PING = frame(TYPE.ping, 0, 0, Buffer.from('fluxgate')).toString('latin1')
const SECOND = 1_000

/** A connection on which the upstream has said hello. */
function connected(): {
  connection: Http2ClientConnection<object>
  send(): ClientStream<object>
  feed(...frames: Buffer[]): void
  pings(): number
} {
  const socket = new FakeSocket()
  const nothing = (): void => {}
  const connection = new Http2ClientConnection<object>(
    {
      events: { responseHead: () => true, bytesRelayed: () => 0, upstreamFailed: nothing } as never,
      usualStreams: Number.POSITIVE_INFINITY,
      hasRoom: nothing,
      idle: nothing,
      closed: nothing,
    },
    'endpoint',
    { text: '127.0.0.1:1', host: '127.0.0.1' },
    'http',
  )
  connection.attach(socket.asSocket)
  const feed = (...frames: Buffer[]): void => {
    const bytes = Buffer.concat(frames)
    const buffer = connection.nextReadBuffer()
    bytes.copy(buffer)
    connection.onBytes(buffer, bytes.length)
  }
  feed(frame(TYPE.settings, 0, 0))
  return {
    connection,
    feed,
    send() {
      const stream = connection.newStream()
      stream.begin({}, false, false, false)
      stream.sendHead('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET', '', NO_BYTES, 0, 0)
      return stream
    },
    pings() {
      connection.session.outbox.flush()
      return socket.written.split(PING).length - 1
    },
  }
}

/** Looks twice a second, from one second to another. */
function pass({ connection }: { connection: Http2ClientConnection<object> }, from: number, to: number): void {
  for (let ms = from * SECOND; ms <= to * SECOND; ms += SECOND / 2) connection.lookAlive(ms)
}

test('an upstream that has gone without a word gets no other exchange', () => {
  const it = connected()
  pass(it, 0, 60)
  assert.equal(it.pings(), 0, 'nothing was asked, and nothing is awaited')
  const stream = it.send()
  pass(it, 60.5, 69)
  assert.equal(it.pings(), 0)
  pass(it, 69.5, 75)
  assert.equal(it.pings(), 1)
  assert.ok(it.connection.isUsable)
  pass(it, 75.5, 85)
  assert.equal(it.pings(), 1)
  assert.equal(it.connection.isUsable, false)
  assert.equal(stream.isOver, false, 'what it carries has a clock of its own')
  stream.release()
})

test('an upstream that thinks for long is asked once, and goes on', () => {
  const it = connected()
  pass(it, 0, 1)
  const stream = it.send()
  pass(it, 1.5, 15)
  assert.equal(it.pings(), 1)
  it.feed(frame(TYPE.ping, 1, 0, Buffer.from('fluxgate')))
  pass(it, 15.5, 600)
  assert.equal(it.pings(), 1)
  assert.ok(it.connection.isUsable)
  it.feed(frame(TYPE.headers, END_HEADERS | END_STREAM, 1, block([[':status', '200']])))
  stream.release()
  assert.equal(it.connection.busy, 0)
})

test('an upstream may refuse as much as it likes: what runs on the same connection goes on', () => {
  const it = connected()
  const running = it.send()
  for (let id = 3; id < 10_003; id += 2) {
    it.send()
    it.feed(frame(TYPE.rst, 0, id, u32(CODE.refused)))
  }
  assert.ok(it.connection.isUsable)
  assert.equal(it.connection.busy, 1)
  for (let i = 0; i < 2_500 && it.connection.isUsable; i++) it.feed(frame(TYPE.rst, 0, 3, u32(CODE.refused)))
  assert.equal(it.connection.isUsable, false, 'what has ended cannot be refused for ever')
  assert.ok(running.isOver)
})
