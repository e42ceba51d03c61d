import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Downstream, DownstreamEvents } from '../../../src/http/downstream.ts'
import { Http2ServerConnection } from '../../../src/http2/server-connection.ts'
import { block, CODE, END_STREAM, frame, request, TYPE, u32 } from '../../support/http2-peer.ts'
import { FakeSocket } from '../http1/fake-socket.ts'

const END_HEADERS = 4
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

interface Opened {
  readonly downstream: Downstream<Opened>
}

const nothing = (): void => {}

/** Has a bug at the first stream, and then none. */
function events(opened: Opened[], bugs: unknown[]): DownstreamEvents<Opened> {
  let calls = 0
  return {
    open(downstream) {
      if (++calls === 1) throw new Error('a bug')
      opened.push({ downstream })
      return opened.at(-1)!
    },
    serve: nothing,
    requestBytes: () => true,
    requestEnd: nothing,
    requestFailed: nothing,
    shutDown: nothing,
    clientLeft: nothing,
    clientDrained: nothing,
    exchangeExpired: nothing,
    bug: (exchange, _downstream, error) => bugs.push([exchange, (error as Error).message]),
  }
}

for (const [what, ends] of [
  ['without content', END_STREAM],
  ['whose content is still to come', 0],
] as const) {
  test(`a bug before the exchange of a request ${what} costs its stream, and no other`, () => {
    const opened: Opened[] = []
    const bugs: unknown[] = []
    let idle = 0
    const socket = new FakeSocket()
    const connection = new Http2ServerConnection<Opened>(
      {
        events: events(opened, bugs),
        isDraining: false,
        headTimeoutMs: 600_000,
        keepAliveTimeoutMs: 600_000,
        speaksHttp2: nothing,
        connectionIdle: () => idle++,
        connectionBusy: nothing,
        connectionClosing: nothing,
        connectionClosed: nothing,
      },
      { peerIp: undefined, clientIp: undefined, tls: undefined, isOverLimit: false },
    )
    connection.attach(socket.asSocket)
    const feed = (...frames: Buffer[]): void => {
      const bytes = Buffer.concat(frames)
      const buffer = connection.nextReadBuffer()
      bytes.copy(buffer)
      connection.onBytes(buffer, bytes.length)
    }
    const head = (id: number): Buffer =>
      frame(TYPE.headers, END_HEADERS | ends, id, block(request(ends === 0 ? 'POST' : 'GET', '/x')))
    feed(PREFACE, frame(TYPE.settings, 0, 0), head(1))
    assert.deepEqual(bugs, [[undefined, 'a bug']])
    assert.equal(idle, 2, 'it carries nothing any more')
    connection.session.outbox.flush()
    const reset = frame(TYPE.rst, 0, 1, u32(CODE.internal)).toString('latin1')
    assert.ok(socket.written.includes(reset), JSON.stringify(socket.written))
    feed(head(3))
    assert.equal(opened.length, 1)
    connection.close()
  })
}
