import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeTime } from '../runtime/fake-time.ts'
import { type Served, ServedClient } from './served.ts'

const GET = 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n'
const GET_2 = 'GET /2 HTTP/1.1\r\nHost: a\r\n\r\n'
const POST = 'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n'
const CHUNKED = 'POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
const BAD = 'GET /1 HTTP/1.1\r\nBad Field: x\r\n\r\n'

/** A client that has sent this. */
function after(...reads: string[]): ServedClient {
  const client = new ServedClient()
  for (const read of reads) client.sends(read)
  client.told()
  return client
}

describe('requests', () => {
  test('come one at a time, in order', () => {
    const client = new ServedClient()
    client.sends(`${POST}0123456789${GET_2}`)
    assert.deepEqual(client.told(), ['idle', 'busy', 'POST /1'])
    assert.equal(client.last.body, '0123456789')
    client.last.downstream.finish(true)
    assert.deepEqual(client.told(), ['idle', 'busy', 'GET /2'])
    client.last.downstream.finish(true)
    assert.deepEqual(client.told(), ['idle'])
  })

  for (const [what, request, count, most] of [
    ['small', GET, 2_000, 100],
    ['of 60 KB', `GET /1 HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(60_000)}\r\n\r\n`, 30, 2],
  ] as const) {
    test(`that are finished at once and ${what} follow each other without an end, in turns that others have a part of`, async () => {
      const client = new ServedClient()
      client.onServe = ({ downstream }) => downstream.finish(true)
      assert.equal(client.sends(request.repeat(count)), false, 'reading waits for its turn')
      let turns = 0
      for (let seen = 0; seen < count; turns++) {
        assert.ok(client.exchanges.length - seen <= most, `${client.exchanges.length - seen} in one turn`)
        seen = client.exchanges.length
        await new Promise(setImmediate)
      }
      assert.ok(turns > 10)
      assert.equal(client.socket.isPaused, false)
      assert.equal(client.exchanges.length, count)
      assert.equal(client.log.at(-1), 'idle')
    })
  }

  for (const [what, end, failure] of [
    ['a reset', (client: ServedClient) => client.socket.destroy(), 'client_abort'],
    ['a FIN', (client: ServedClient) => client.socket.emit('end'), 'client_abort'],
    ['a close from our side', (client: ServedClient) => client.connection.close(), 'shutdown'],
  ] as const) {
    test(`whose line has come and whose head has not leave a record at ${what}`, async () => {
      const client = new ServedClient()
      client.sends('GET /1 HTTP/1.1\r\nHost: a\r\n')
      end(client)
      await new Promise(setImmediate)
      assert.deepEqual(
        client.log.filter((event) => event.startsWith('refused')),
        [`refused ${failure} GET /1`],
      )
    })
  }

  test('that wait for their turn keep their connection from being idle, until it has come', async () => {
    for (const last of ['', '\r\n', GET]) {
      const client = new ServedClient()
      client.onServe = ({ downstream }) => downstream.finish(true)
      client.sends(GET.repeat(200) + last)
      assert.equal(client.log.at(-1), 'busy')
      const count = last === GET ? 201 : 200
      while (client.exchanges.length < count) await new Promise(setImmediate)
      await new Promise(setImmediate)
      assert.equal(client.log.at(-1), 'idle', JSON.stringify(last))
    }
  })

  test('cost their own connection when our code throws, whoever made them begin', () => {
    const client = new ServedClient()
    const bugs: unknown[] = []
    Object.assign(client.host.events, { bug: (exchange: unknown) => bugs.push(exchange) })
    client.sends(GET + GET_2)
    client.onServe = () => {
      throw new Error('a bug')
    }
    // As an upstream's read does, whose connection has no part in it.
    client.last.downstream.finish(true)
    assert.deepEqual(bugs, [client.exchanges[1]])
    assert.equal(client.socket.destroyed, true)
  })

  test('that met such a bug keep what they were told of it: their connection lingers', () => {
    const client = new ServedClient()
    Object.assign(client.host.events, { bug: (exchange: Served) => exchange.downstream.finish(false) })
    client.onServe = () => {
      throw new Error('a bug')
    }
    client.sends(`${GET}and more`)
    assert.equal(client.socket.destroyed, false)
    assert.equal(client.socket.writable, false, 'its side is ended')
    client.sends('and more')
    client.socket.emit('end')
    assert.equal(client.exchanges.length, 1)
  })

  test('tell their bodies as they come, and their ends', () => {
    const client = new ServedClient()
    for (const read of [`${CHUNKED}5\r\nhe`, 'llo', '\r\n0\r\n\r\n']) client.sends(read)
    assert.deepEqual(client.told(), ['idle', 'busy', 'POST /1', 'end'])
    assert.equal(client.last.body, '5\r\nhello\r\n0\r\n\r\n')
    assert.equal(client.last.downstream.isRequestComplete, true)
  })

  for (const [what, reads, told] of [
    ['a refused head', [BAD], ['refused bad_field GET /1']],
    ['a head that is too large', [`GET /1 HTTP/1.1\r\nX: ${'x'.repeat(66_000)}`], ['refused head_too_large GET /1']],
    ['a request line that does not end', [`GET /${'x'.repeat(66_000)}`], ['refused target_too_long  ']],
    ['nothing but empty lines', ['\r\n'.repeat(9)], ['refused bad_request_line  ']],
    ['a body that breaks in the first read', [`${CHUNKED}z`], ['refused bad_chunk POST /1']],
    ['a body that breaks later', [CHUNKED, 'z'], ['POST /1', 'failed bad_chunk']],
  ] as const) {
    test(`${what}: the connection cannot be kept, and nothing more is read`, () => {
      const client = new ServedClient()
      for (const read of [...reads, GET_2]) client.sends(read)
      assert.deepEqual(client.told(), ['idle', 'busy', ...told])
      assert.equal(client.last.downstream.wantsClose, true)
      assert.equal(client.last.downstream.keepsAfterRefusal(), false)
    })
  }
})

describe('an idle connection', () => {
  test('is busy with the first byte of a head, not with empty lines', () => {
    const client = new ServedClient()
    for (const read of ['\r', '\n', '\r\n']) client.sends(read)
    assert.deepEqual(client.told(), ['idle'])
    client.sends('G')
    assert.deepEqual(client.told(), ['busy'])
  })

  test('is idle after an empty line behind a request', () => {
    const client = after(`${GET}\r\n`)
    client.last.downstream.finish(true)
    assert.deepEqual(client.told(), ['idle'])
  })

  test('is closed silently when its time is up', (t) => {
    const time = new FakeTime(t)
    const client = after('\r\n')
    time.pass(4_999)
    assert.deepEqual(client.told(), [])
    time.pass(1)
    assert.deepEqual(client.told(), ['closed'])
    assert.equal(client.socket.written, '')
  })

  test('is closed when it ends', () => {
    const client = after()
    client.socket.emit('end')
    assert.deepEqual(client.told(), ['closed'])
  })

  test('is ended after its exchange in a stop, which it does not hold up, and closed when its client has read that', async () => {
    const client = after(GET)
    client.host.isDraining = true
    client.last.downstream.finish(true)
    assert.deepEqual(client.told(), ['closing'])
    assert.equal(client.socket.writable, false, 'no FIN has left')
    client.socket.emit('end')
    await new Promise(setImmediate)
    assert.deepEqual(client.told(), ['closed'])
  })
})

test('a connection of which only an empty line waits for its turn is closed in a stop', async () => {
  await new Promise(setImmediate)
  const client = new ServedClient()
  client.onServe = ({ downstream }) => downstream.finish(true)
  // So many use up a turn.
  client.sends(`${GET.repeat(63)}\r\n`)
  assert.deepEqual([client.exchanges.length, client.log.at(-1)], [63, 'busy'])
  client.host.isDraining = true
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  assert.equal(client.log.at(-1), 'closed')
})

describe('a head that does not come to its end', () => {
  for (const [bytes, line] of [
    ['GET /1 HTTP/1.1\r\nHos', 'GET /1'],
    ['GET /1 HTT', ' '],
  ] as const) {
    test(`${JSON.stringify(bytes)} in time`, (t) => {
      const time = new FakeTime(t)
      const client = after(bytes)
      for (let i = 0; i < 9; i++) {
        time.pass(100)
        client.sends('x')
      }
      assert.deepEqual(client.told(), [], 'bytes do not lengthen its time')
      time.pass(100)
      assert.deepEqual(client.told(), [`refused head_timeout ${line}`])
    })

    test(`${JSON.stringify(bytes)} at all`, () => {
      const client = after(bytes)
      client.socket.emit('end')
      assert.deepEqual(client.told(), [`refused client_abort ${line}`, 'closed'])
    })
  }
})

describe('a client that leaves', () => {
  for (const [what, reads] of [
    ['in its body', [POST, '01']],
    ['while it waits', [GET]],
  ] as const) {
    test(`${what} with FIN is told of, and its connection not kept`, () => {
      const client = after(...reads)
      client.socket.emit('end')
      assert.deepEqual(client.told(), ['left'])
      assert.equal(client.last.downstream.keepsAfterRefusal(), false)
      client.last.downstream.finish(true)
      assert.deepEqual(client.told(), ['closing', 'closed'])
    })

    test(`${what} with a reset is gone at once`, () => {
      const client = after(...reads)
      client.socket.emit('error', new Error('ECONNRESET'))
      assert.deepEqual(client.told(), ['closed', 'left'])
      assert.equal(client.last.downstream.isGone, true)
    })
  }

  test('takes the requests with it that it has sent ahead', () => {
    const client = after(GET, GET_2)
    client.socket.emit('end')
    client.last.downstream.finish(true)
    assert.equal(client.exchanges.length, 1)
  })
})

describe('holding back', () => {
  test('what comes meanwhile waits, in order', () => {
    const client = after(POST)
    client.takesMore = false
    assert.equal(client.sends('01'), false)
    assert.equal(client.sends('23'), false)
    assert.equal(client.last.body, '01')
    client.socket.pause()
    client.takesMore = true
    client.last.downstream.resumeRequest()
    assert.equal(client.socket.isPaused, false)
    assert.equal(client.last.body, '0123')
    assert.equal(client.sends(`456789${GET_2}`), true)
    assert.equal(client.last.body, '0123456789')
    client.last.downstream.finish(true)
    assert.deepEqual(client.told(), ['end', 'idle', 'busy', 'GET /2'])
  })

  test('from the head on', () => {
    const client = new ServedClient()
    client.onServe = ({ downstream }) => downstream.pauseRequest()
    assert.equal(client.sends(`${POST}01`), false)
    client.sends('23')
    assert.equal(client.last.body, '01')
    client.last.downstream.resumeRequest()
    assert.equal(client.last.body, '0123')
  })

  test('a last piece that is held back does not stop reading', () => {
    const client = after(POST)
    client.takesMore = false
    assert.equal(client.sends('0123456789'), true)
    assert.deepEqual(client.told(), ['end'])
  })

  test('is over with the exchange', () => {
    const client = after(POST)
    client.takesMore = false
    client.sends('01')
    client.socket.pause()
    client.last.downstream.finish(true)
    assert.equal(client.socket.isPaused, false)
    assert.equal(client.sends(`23456789${GET_2}`), true)
    assert.equal(client.exchanges.length, 2)
  })

  test('is over with an exchange that ends in the middle of it', () => {
    const client = after(POST)
    Object.assign(client.host.events, {
      requestBytes: ({ downstream }: Served) => {
        downstream.finish(false)
        return false
      },
    })
    assert.equal(client.sends('01'), true, 'what it still sends is read and dropped')
    assert.equal(client.sends('23'), true)
  })

  test('no more than 64 KiB is read ahead of its turn', async () => {
    const client = after(GET)
    const line = GET_2.replace('/2', `/${'2'.repeat(1_000)}`)
    let bytes = 0
    do bytes += line.length
    while (client.sends(line))
    assert.ok(bytes >= 65_536 && bytes < 65_536 + line.length, `${bytes} bytes`)
    client.socket.pause()
    client.onServe = ({ downstream }) => downstream.finish(true)
    client.last.downstream.finish(true)
    while (client.exchanges.length < 1 + bytes / line.length) await new Promise(setImmediate)
    while (client.socket.isPaused) await new Promise(setImmediate)
  })

  test('the other way: it is told when everything is out', () => {
    const client = after(GET)
    client.socket.isChoked = true
    const bulk = Buffer.alloc(20_000)
    assert.equal(client.last.downstream.response.sendBytes('', bulk, 0, bulk.length), false)
    client.socket.take(19_999)
    assert.deepEqual(client.told(), [])
    client.socket.drain()
    assert.deepEqual(client.told(), ['drained'])
  })
})

describe('a refusal keeps the connection', () => {
  for (const [what, reads, keeps] of [
    ['without a body', [GET], true],
    ['with a body that has come', [`${POST}0123456789`], true],
    ['with the rest of a body still to come', [POST, '01'], true],
    ['with 64 KiB still to come', [POST.replace('10', '65536')], true],
    ['not with more', [POST.replace('10', '65537')], false],
    ['with more, of which enough has come', [POST.replace('10', '65537'), 'x'], true],
    ['not with chunks still to come', [CHUNKED], false],
    ['with chunks that have come', [`${CHUNKED}0\r\n\r\n`], true],
    ['not with a client that waits for a 100', [POST.replace('Host', 'Expect: 100-continue\r\nHost')], false],
    ['with one that has not waited', [`${POST.replace('Host', 'Expect: 100-continue\r\nHost')}0`], true],
    ['with one that has stopped waiting', [POST.replace('Host', 'Expect: 100-continue\r\nHost'), '0'], true],
    ['not with one that wants it to close', [GET.replace('Host', 'Connection: close\r\nHost')], false],
  ] as const) {
    test(what, () => assert.equal(after(...reads).last.downstream.keepsAfterRefusal(), keeps))
  }

  test('and drops the rest of the body before the next request', () => {
    const client = after(POST, '01')
    client.last.downstream.finish(true)
    assert.deepEqual(client.told(), ['idle'], 'nobody waits for it')
    client.sends('234')
    assert.deepEqual(client.told(), [])
    client.sends(`56789${GET_2}`)
    assert.deepEqual(client.told(), ['idle', 'busy', 'GET /2'])
    assert.equal(client.exchanges[0]!.body, '01')
  })

  test('and has no limit of that any more when the rest has come', (t) => {
    const time = new FakeTime(t)
    const client = after(POST, '01')
    client.host.keepAliveTimeoutMs = 100_000
    client.last.downstream.finish(true)
    client.sends('23456789')
    client.told()
    time.pass(40_000)
    assert.deepEqual(client.told(), [])
    client.sends(GET_2)
    assert.deepEqual(client.told(), ['busy', 'GET /2'])
  })

  test('and closes it when the rest does not come', (t) => {
    const time = new FakeTime(t)
    const client = after(POST, '01')
    client.last.downstream.finish(true)
    client.told()
    time.pass(3_000)
    client.sends('23')
    time.pass(4_000)
    assert.deepEqual(client.told(), [])
    time.pass(3_000)
    assert.deepEqual(client.told(), ['closed'])
  })
})

describe('a connection that is not kept', () => {
  test('says FIN, drops what still comes, and closes when the client ends', async () => {
    const client = after(POST, '01')
    client.last.downstream.finish(false)
    assert.deepEqual(client.told(), ['closing'])
    assert.equal(client.socket.writable, false)
    assert.equal(client.sends(`23456789${GET_2}`), true)
    assert.equal(client.exchanges.length, 1)
    client.socket.emit('end')
    assert.deepEqual(client.told(), ['closed'])
  })

  test('closes after 5 s of silence', (t) => {
    const time = new FakeTime(t)
    const client = after(POST)
    client.last.downstream.finish(false)
    client.told()
    time.pass(4_999)
    assert.deepEqual(client.told(), [])
    time.pass(1)
    assert.deepEqual(client.told(), ['closed'])
  })

  test('closes after 30 s, whatever still comes', (t) => {
    const time = new FakeTime(t)
    const client = after(POST.replace('10', '1000'))
    client.last.downstream.finish(false)
    client.told()
    for (let second = 0; second < 29; second++) {
      client.sends('x')
      time.pass(1_000)
    }
    assert.deepEqual(client.told(), [])
    client.sends('x')
    time.pass(1_000)
    assert.deepEqual(client.told(), ['closed'])
  })

  for (const reset of [false, true]) {
    test(`is cut ${reset ? 'with' : 'without'} a reset where its response is not whole`, () => {
      const client = after(GET)
      client.last.downstream.cut(reset)
      assert.deepEqual(client.told(), ['closed'])
      assert.equal(client.socket.wasReset, reset)
      assert.equal(client.socket.destroyed, true)
    })
  }

  test('tells its exchange when it is closed over it', () => {
    const client = after(GET)
    client.connection.close()
    assert.deepEqual(client.told(), ['shut down', 'closed'])
  })
})

test('the deadlines of an exchange are over with it', (t) => {
  const time = new FakeTime(t)
  const client = after(POST)
  const { downstream } = client.last
  downstream.bodyDeadline.arm(100)
  downstream.exchangeDeadline.arm(200)
  time.pass(200)
  assert.deepEqual(client.told(), ['failed body_timeout', 'expired'])
  downstream.bodyDeadline.arm(100)
  downstream.exchangeDeadline.arm(200)
  client.sends('0123456789')
  downstream.finish(true)
  client.told()
  time.pass(1_000)
  assert.deepEqual(client.told(), [])
})

describe('a tunnel', () => {
  test('begins with what has come early, and ends behind it', () => {
    const client = after(GET, 'early', ' and late')
    const { downstream } = client.last
    assert.equal(client.last.body, '')
    client.socket.emit('end')
    assert.deepEqual(client.told(), ['left'])
    client.takesMore = false
    downstream.openTunnel()
    assert.equal(client.last.body, 'early')
    assert.deepEqual(client.told(), [])
    client.takesMore = true
    downstream.resumeRequest()
    assert.equal(client.last.body, 'early and late')
    assert.deepEqual(client.told(), ['end'])
    downstream.resumeRequest()
    client.socket.emit('close')
    assert.deepEqual(client.told(), ['closed', 'left'])
  })

  test('is held back, and closed over its exchange', () => {
    const client = after(GET)
    client.last.downstream.openTunnel()
    client.takesMore = false
    assert.equal(client.sends('a'), false)
    client.takesMore = true
    client.last.downstream.resumeRequest()
    assert.equal(client.sends('b'), true)
    assert.equal(client.last.body, 'ab')
    client.connection.close()
    assert.deepEqual(client.told(), ['shut down', 'closed'])
  })

  test('that has had both ends is closed', () => {
    const client = after(GET)
    const { downstream } = client.last
    downstream.openTunnel()
    client.socket.emit('end')
    assert.deepEqual(client.told(), ['end'])
    downstream.finish(false)
    assert.deepEqual(client.told(), ['closing', 'closed'])
  })
})
