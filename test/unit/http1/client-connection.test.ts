import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OwnedConnection } from '../../../src/http/owned-connection.ts'
import { ClientConnection } from '../../../src/http1/client-connection.ts'
import { FakeTime } from '../runtime/fake-time.ts'
import { ask, events, type Told } from '../upstream/one-exchange.ts'
import { FakeSocket } from './fake-socket.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const ENDLESS = 'HTTP/1.1 200 OK\r\n\r\n'
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

class Upstream {
  readonly socket = new FakeSocket()
  readonly home = { events, kept: 0, putBack: 0, keepsForOwner: true, closed: 0 }
  readonly connection: ClientConnection<Told>

  constructor() {
    const { home } = this
    this.connection = new ClientConnection<Told>(
      {
        events,
        keep: () => home.kept++,
        putBack: () => home.putBack++,
        keepsForOwner: () => home.keepsForOwner,
        closed: () => home.closed++,
      },
      'http://127.0.0.1:80',
      '127.0.0.1',
    )
    this.connection.attach(this.socket.asSocket)
  }

  /** Returns whether reading goes on. */
  says(bytes: string): boolean {
    const buffer = Buffer.from(bytes, 'latin1')
    return this.connection.onBytes(buffer, buffer.length)
  }
}

/** An upstream whose connection has carried one exchange. */
function reused(): Upstream {
  const upstream = new Upstream()
  ask(upstream.connection)
  upstream.says(OK)
  upstream.connection.release(true)
  assert.equal(upstream.home.kept, 1)
  return upstream
}

const FIN = Symbol('FIN')
const RESET = Symbol('reset')

describe('what a connection tells of its exchange', () => {
  for (const [what, steps, log, method] of [
    ['head and body in one read', [`${LENGTH}hello`], ['head 200', 'whole']],
    ['head and body in two', [LENGTH, 'hello'], ['head 200', 'whole']],
    ['a response to HEAD', [LENGTH], ['head 200', 'whole'], 'HEAD'],
    ['interim responses', [CONTINUE, `${CONTINUE}${OK}`], ['interim 100', 'interim 100', 'head 200', 'whole']],
    ['a body until its connection ends', [ENDLESS, 'x', FIN], ['head 200', 'end']],
    ['the same, empty', [ENDLESS, FIN], ['head 200', 'end']],
    ['a body until its connection breaks', [ENDLESS, 'x', RESET], ['head 200', 'upstream_truncated after a byte']],
    ['a FIN and no byte', [FIN], ['upstream_reset']],
    ['a reset and no byte', [RESET], ['upstream_reset']],
    ['a FIN after a byte', ['H', FIN], ['upstream_reset after a byte']],
    ['a FIN after an interim response', [CONTINUE, FIN], ['interim 100', 'upstream_reset after a byte']],
    ['a FIN in a length', [LENGTH, 'hell', FIN], ['head 200', 'upstream_truncated after a byte']],
    ['a FIN in a chunk', [CHUNKED, '5\r\nhell', FIN], ['head 200', 'upstream_truncated after a byte']],
    ['a FIN before the last chunk', [CHUNKED, '1\r\nx\r\n', FIN], ['head 200', 'upstream_truncated after a byte']],
    ['chunks that break in the first read', [`${CHUNKED}z`], ['upstream_protocol after a byte']],
    ['chunks that break later', [CHUNKED, 'z'], ['head 200', 'upstream_protocol after a byte']],
    ['another protocol, known before its first line ends', ['SSH-2.0'], ['upstream_protocol after a byte']],
    ['another protocol, one byte after the other', ['H', 'T', 'P'], ['upstream_protocol after a byte']],
    ['a status line that comes slowly', ['HT', 'TP/1', '.1 200 OK\r\n', '\r\n', FIN], ['head 200', 'end']],
    ['a 101', ['HTTP/1.1 101 Switching Protocols\r\n\r\n'], ['upstream_protocol']],
    ['32 interim responses', [CONTINUE.repeat(32) + OK], [...Array(32).fill('interim 100'), 'head 200', 'whole']],
    ['33', [CONTINUE.repeat(33) + OK], [...Array(32).fill('interim 100'), 'upstream_protocol after a byte']],
    [
      'two framings, and bytes after the one that counts',
      ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nrest'],
      ['upstream_protocol after a byte'],
    ],
    ['nothing after the end', [`${OK}x`, 'y'], ['head 200', 'whole']],
  ] as const) {
    test(what, () => {
      const upstream = new Upstream()
      const told = ask(upstream.connection, method)
      for (const step of steps) {
        if (step === FIN) upstream.socket.emit('end')
        else if (step === RESET) upstream.socket.emit('error', new Error('ECONNRESET'))
        else upstream.says(step)
      }
      assert.deepEqual(told.log, log)
    })
  }

  for (const [what, bytes, event] of [
    ['before any byte', '', 'reused_conn_lost'],
    ['after a byte', 'H', 'upstream_reset after a byte'],
  ] as const) {
    test(`a reused connection that ends ${what}`, () => {
      const { connection, socket } = reused()
      const told = ask(connection)
      if (bytes !== '') connection.onBytes(Buffer.from(bytes), bytes.length)
      socket.emit('end')
      assert.deepEqual(told.log, [event])
    })
  }
})

describe('a connection', () => {
  test('is not read while its owner holds back, and tells the rest afterwards', () => {
    const upstream = new Upstream()
    const told = ask(upstream.connection)
    told.holds = true
    assert.equal(upstream.says(`${LENGTH}h`), false)
    told.holds = false
    upstream.socket.pause()
    upstream.connection.resumeResponse()
    assert.equal(upstream.socket.isPaused, false)
    assert.equal(upstream.says('ello'), true)
    assert.equal(told.body, 'hello')
  })

  test('whose response is whole is not held back by it', () => {
    const upstream = new Upstream()
    const told = ask(upstream.connection)
    told.holds = true
    assert.equal(upstream.says(`${LENGTH}hello`), true)
    upstream.connection.release(true)
    assert.equal(upstream.home.kept, 1)
  })

  test('tells when more may be sent, and only when everything is out', () => {
    const upstream = new Upstream()
    upstream.socket.isChoked = true
    const told = ask(upstream.connection)
    const bulk = Buffer.alloc(20_000)
    assert.equal(upstream.connection.sendBytes('', bulk, 0, bulk.length), false)
    upstream.socket.take(19_999)
    assert.deepEqual(told.log, [])
    upstream.socket.drain()
    assert.deepEqual(told.log, ['drained'])
  })

  for (const [what, hurt] of [
    ['a byte', (upstream: Upstream) => upstream.says('x')],
    ['FIN', ({ socket }: Upstream) => socket.emit('end')],
    ['an error', ({ socket }: Upstream) => socket.emit('error', new Error('ECONNRESET'))],
  ] as const) {
    test(`between exchanges goes with ${what}, and its home hears of it once`, async () => {
      const upstream = reused()
      hurt(upstream)
      await new Promise((resolve) => setImmediate(resolve))
      assert.equal(upstream.home.closed, 1)
      assert.equal(upstream.connection.isUsable, false)
      assert.equal(upstream.socket.destroyed, true)
    })
  }

  test('that was taken and not needed keeps the time that it had', () => {
    const upstream = reused()
    upstream.connection.release(true)
    assert.deepEqual([upstream.home.kept, upstream.home.putBack], [1, 1])
    upstream.connection.release(false)
    assert.equal(upstream.socket.destroyed, true)
  })

  for (const keepsForOwner of [true, false]) {
    test(`that a client has logged in ${keepsForOwner ? 'waits for it' : 'goes where its home has retired'}`, () => {
      const upstream = new Upstream()
      upstream.home.keepsForOwner = keepsForOwner
      const owner = new OwnedConnection<Told>()
      ask(upstream.connection)
      upstream.says(OK)
      upstream.connection.belongTo(owner, 'one')
      upstream.connection.release(true)
      assert.equal(upstream.home.kept, 0)
      assert.equal(owner.take('http://127.0.0.1:80', 'one'), keepsForOwner ? upstream.connection : undefined)
      assert.equal(upstream.socket.destroyed, !keepsForOwner)
    })
  }

  test('that still waits for its owner when its response is whole is not kept: nobody would read its FIN', () => {
    const upstream = new Upstream()
    const told = ask(upstream.connection)
    told.holds = true
    assert.equal(upstream.says(CONTINUE), false)
    told.holds = false
    upstream.says(OK)
    upstream.connection.release(true)
    assert.equal(upstream.home.kept, 0)
    assert.equal(upstream.socket.destroyed, true)
  })

  test('whose answered request is still on its way is let go of with it, up to a number', async () => {
    const leaving = Array.from({ length: 65 }, () => {
      const upstream = new Upstream()
      ask(upstream.connection)
      upstream.socket.isChoked = true
      upstream.connection.sendBytes('', Buffer.alloc(100), 0, 100)
      upstream.says(OK)
      upstream.connection.release(true)
      return upstream
    })
    const open = (): number => leaving.filter(({ socket }) => !socket.destroyed).length
    assert.equal(open(), 64)
    for (const { socket } of leaving) socket.drain()
    assert.equal(open(), 0)
    assert.deepEqual(
      leaving.slice(0, 64).map(({ socket }) => socket.written.length),
      Array.from({ length: 64 }, () => leaving[0]!.socket.written.length),
    )
    const next = new Upstream()
    ask(next.connection)
    next.socket.isChoked = true
    next.connection.sendBytes('', Buffer.alloc(100), 0, 100)
    next.connection.letGo()
    assert.equal(next.socket.destroyed, false, 'there is room again')
    next.socket.drain()
    assert.equal(next.socket.destroyed, true)
  })

  test('survives a bug in what it tells, as a closed one', () => {
    const bugs: unknown[] = []
    const socket = new FakeSocket()
    const home = {
      events: {
        ...events,
        responseHead: () => {
          throw new Error('a bug')
        },
        bug: (told: Told | undefined) => bugs.push(told),
      },
      keep() {},
      putBack() {},
      keepsForOwner: () => false,
      closed() {},
    }
    const connection = new ClientConnection<Told>(home, '', '127.0.0.1')
    connection.attach(socket.asSocket)
    const told = ask(connection)
    connection.onBytes(Buffer.from(OK), OK.length)
    assert.deepEqual(bugs, [told])
    assert.equal(socket.destroyed, true)
  })

  test('whose time is up tells its exchange, and nobody after it', (t) => {
    const time = new FakeTime(t)
    const upstream = reused()
    const told = ask(upstream.connection)
    upstream.connection.deadline.arm(1_000)
    time.pass(1_000)
    assert.deepEqual(told.log, ['expired'])
    upstream.connection.deadline.arm(1_000)
    upstream.says(OK)
    upstream.connection.release(true)
    const next = ask(upstream.connection)
    time.pass(10_000)
    assert.deepEqual([told.log, next.log], [['expired', 'head 200', 'whole'], []])
    upstream.connection.deadline.arm(1_000)
    upstream.connection.release(false)
    time.pass(10_000)
    assert.deepEqual(next.log, [])
  })
})

test('every response arrives the same, wherever it is cut', () => {
  const bytes = `${CONTINUE}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: 1\r\nHost: x\r\nB: 2\r\n\r\n`
  const tell = (...pieces: string[]): unknown => {
    const upstream = new Upstream()
    const told = ask(upstream.connection)
    for (const piece of pieces) upstream.says(piece)
    upstream.connection.release(true)
    return [told.log, told.body, upstream.home.kept]
  }
  const whole = tell(bytes)
  assert.deepEqual(whole, [['interim 100', 'head 200', 'whole'], '5\r\nhello\r\n0\r\nA: 1\r\nB: 2\r\n\r\n', 1])
  for (let at = 1; at < bytes.length; at++)
    assert.deepEqual(tell(bytes.slice(0, at), bytes.slice(at)), whole, `at ${at}`)
  assert.deepEqual(tell(...bytes), whole)
})

describe('a write that fails', () => {
  /** As Node ends a socket then. */
  const writeFails = ({ socket }: Upstream): void => {
    const destroy = socket.destroy as (error?: Error) => void
    destroy.call(socket, Object.assign(new Error('write EPIPE'), { syscall: 'write' }))
  }

  test('leaves a second for what the upstream has said before it closed', (t) => {
    const time = new FakeTime(t)
    const upstream = new Upstream()
    const told = ask(upstream.connection, 'POST')
    writeFails(upstream)
    time.pass(900)
    assert.equal(upstream.socket.destroyed, false)
    upstream.says(`${LENGTH}hello`)
    assert.equal(told.body, 'hello')
    assert.deepEqual(told.log, ['head 200', 'whole', 'upstream_reset after a byte'])
    assert.equal(upstream.socket.destroyed, true, 'there is no more to wait for')
    time.pass(1_000)
    assert.equal(told.log.length, 3, 'told once')
  })

  test('and not longer', (t) => {
    const time = new FakeTime(t)
    const upstream = new Upstream()
    const told = ask(upstream.connection, 'POST')
    writeFails(upstream)
    time.pass(999)
    assert.deepEqual(told.log, [])
    time.pass(2)
    assert.deepEqual(told.log, ['upstream_reset'])
    assert.equal(upstream.socket.destroyed, true)
  })

  test('in the middle of an answer that a slow client holds back, or that goes on, leaves more than that', (t) => {
    const time = new FakeTime(t)
    const upstream = new Upstream()
    const told = ask(upstream.connection, 'POST')
    writeFails(upstream)
    for (const piece of [`${LENGTH}h`, 'e', 'l']) {
      time.pass(900)
      upstream.says(piece)
    }
    told.holds = true
    assert.equal(upstream.says('l'), false)
    time.pass(10_000)
    assert.equal(upstream.socket.destroyed, false, 'its client has a clock of its own')
    told.holds = false
    upstream.connection.resumeResponse()
    time.pass(900)
    upstream.says('o')
    assert.equal(told.body, 'hello')
  })

  test('and not longer either because its client goes on sending', (t) => {
    const time = new FakeTime(t)
    const upstream = new Upstream()
    const told = ask(upstream.connection, 'POST')
    writeFails(upstream)
    for (let i = 0; i < 4; i++) {
      // What the client sends counts as relayed, for the idle clock.
      told.body += 'x'
      time.pass(300)
    }
    assert.deepEqual(told.log, ['upstream_reset'])
  })

  test('in the middle of an answer that stands still is the end a second later', (t) => {
    const time = new FakeTime(t)
    const upstream = new Upstream()
    const told = ask(upstream.connection, 'POST')
    upstream.says(`${LENGTH}he`)
    writeFails(upstream)
    time.pass(1_000)
    assert.deepEqual(told.log, ['head 200', 'upstream_truncated after a byte'])
  })

  test('in the middle of an answer leaves the time for its rest', (t) => {
    const time = new FakeTime(t)
    const upstream = new Upstream()
    const told = ask(upstream.connection, 'POST')
    upstream.says(`${LENGTH}he`)
    writeFails(upstream)
    time.pass(500)
    upstream.says('llo')
    assert.equal(told.body, 'hello')
  })

  test('ends a connection that nobody uses at once', () => {
    const upstream = reused()
    writeFails(upstream)
    assert.equal(upstream.home.closed, 1)
  })
})

describe('a tunnel', () => {
  const SWITCH = 'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

  function tunnel(): Upstream & { told: Told } {
    const upstream = new Upstream()
    const told = ask(upstream.connection)
    upstream.connection.begin(told, false, true)
    upstream.says(`${SWITCH}first`)
    assert.equal(told.body, 'first')
    return Object.assign(upstream, { told })
  }

  test('goes on with whatever comes, and is held back', () => {
    const upstream = tunnel()
    const { told, connection, socket } = upstream
    upstream.says('HTTP/1.1 200 OK\r\n\r\n\0')
    assert.equal(told.body, 'firstHTTP/1.1 200 OK\r\n\r\n\0')
    told.holds = true
    assert.equal(upstream.says('a'), false)
    told.holds = false
    connection.resumeResponse()
    assert.equal(socket.isPaused, false)
    assert.equal(upstream.says('b'), true)
  })

  test('that is released is reset: it has broken', () => {
    const { connection, socket } = tunnel()
    connection.release(true)
    assert.deepEqual([socket.wasReset, socket.destroyed], [true, true])
  })

  test('that is let go says its last words first, within a time; only a reset tells that they were not taken', (t) => {
    const time = new FakeTime(t)
    for (const last of ['arrives', 'a FIN is out', 'bytes wait']) {
      const { connection, socket, home } = tunnel()
      socket.end = () => {
        socket.writable = false
        socket.writableEnded = true
      }
      if (last === 'bytes wait') {
        socket.isChoked = true
        connection.sendBytes('', Buffer.from('bye'), 0, 3)
      }
      connection.sendEnd(() => {})
      connection.letGo()
      assert.equal(socket.destroyed, false)
      if (last === 'arrives') {
        socket.writableFinished = true
        socket.emit('finish')
      } else time.pass(30_000)
      assert.deepEqual([socket.destroyed, socket.wasReset, home.closed], [true, last === 'bytes wait', 1])
    }
  })
})
