import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, type TestContext, test } from 'node:test'
import { NO_BYTES, Outlet } from '../../../src/runtime/outlet.ts'
import { BULK_THRESHOLD, ReadBuffer } from '../../../src/runtime/read-buffers.ts'
import { onWriteFailed } from '../../../src/runtime/sockets.ts'
import { FakeSocket } from '../http1/fake-socket.ts'

const nothing = (): void => {}

function choked(): FakeSocket {
  const socket = new FakeSocket()
  socket.isChoked = true
  return socket
}

/** Fills the buffer with this letter and returns what its first bytes are as text. */
function fill(buffer: Buffer, letter: string, length: number): string {
  buffer.fill(letter)
  return letter.repeat(length)
}

/** A head in capital letters, in front of what stands in this buffer. */
function pieces(head: string, body: Buffer) {
  return {
    length: head.length,
    copyTo(target: Buffer, bodyLength: number): void {
      target.write(head.toUpperCase(), 'latin1')
      body.copy(target, head.length, 0, bodyLength)
    },
  }
}

describe('a piece that the kernel does not take at once', () => {
  for (const length of [1, 2_047, 2_048, BULK_THRESHOLD - 1]) {
    test(`of ${length} bytes is copied: its buffer may be read into again`, () => {
      const socket = choked()
      const buffer = Buffer.alloc(10_000)
      const expected = fill(buffer, 'a', length)
      new Outlet(socket.asSocket, nothing).sendRun('', buffer, 0, length)
      buffer.fill('b')
      socket.drain()
      assert.equal(socket.written, expected)
    })
  }

  for (const length of [BULK_THRESHOLD, 40_000, 65_536]) {
    test(`of ${length} bytes of the shared buffer is copied`, () => {
      const socket = choked()
      const shared = new ReadBuffer().next()
      const expected = fill(shared, 'a', length)
      new Outlet(socket.asSocket, nothing).sendRun('', shared, 0, length)
      new ReadBuffer().next().fill('b')
      socket.drain()
      assert.ok(socket.written === expected, 'bytes of another connection')
    })
  }

  test('never overlaps another one', () => {
    const sockets = [choked(), choked(), choked()]
    const outlets = sockets.map((socket) => new Outlet(socket.asSocket, nothing))
    const expected = ['', '', '']
    const buffer = Buffer.alloc(BULK_THRESHOLD)
    for (let i = 0; i < 300; i++) {
      const at = i % 3
      const text = String.fromCharCode(65 + (i % 26)).repeat(1 + ((i * 997) % (BULK_THRESHOLD - 1)))
      buffer.write(text, 'latin1')
      const outlet = i % 5 === 0 ? new Outlet(sockets[at]!.asSocket, nothing) : outlets[at]!
      if (i % 4 === 0) outlet.sendRun('', buffer, 0, text.length)
      else if (i % 4 === 2) outlet.sendPieces(pieces('p', buffer), text.length)
      else outlet.sendTextAndBytes('é', buffer, 0, text.length)
      expected[at] += { 0: text, 2: `P${text}` }[i % 4] ?? `é${text}`
      if (i % 7 === 0) {
        sockets[at]!.drain()
        sockets[at]!.isChoked = i % 14 === 0
      }
    }
    for (const socket of sockets) socket.drain()
    assert.deepEqual(
      sockets.map((socket) => socket.written === ''),
      [false, false, false],
    )
    for (const [at, socket] of sockets.entries()) assert.ok(socket.written === expected[at], `socket ${at}`)
  })

  test('may be larger than all memory that is set aside for copies', () => {
    const socket = choked()
    const bytes = Buffer.alloc(300_000, 'x')
    new Outlet(socket.asSocket, nothing).sendTextAndBytes('head', bytes, 0, bytes.length)
    bytes.fill('y')
    socket.drain()
    assert.ok(socket.written === `head${'x'.repeat(300_000)}`)
  })
})

describe('whether more may be sent', () => {
  for (const [what, socket, length, mayGoOn] of [
    ['everything was taken', new FakeSocket(), 100, true],
    ['everything of a large piece was taken', new FakeSocket(), 50_000, true],
    ['a little waits', choked(), 100, true],
    ['much waits', choked(), 50_000, false],
    ['nothing is sent', choked(), 0, true],
  ] as const) {
    test(what, () =>
      assert.equal(new Outlet(socket.asSocket, nothing).sendRun('', Buffer.alloc(50_000), 0, length), mayGoOn),
    )
  }

  test('a socket that has gone takes everything and says nothing', () => {
    const socket = choked()
    socket.writable = false
    assert.equal(new Outlet(socket.asSocket, nothing).sendRun('', Buffer.alloc(50_000), 0, 50_000), true)
    assert.equal(new Outlet(socket.asSocket, nothing).sendTextAndBytes('x', NO_BYTES, 0, 0), true)
    assert.equal(new Outlet(socket.asSocket, nothing).sendPieces(pieces('x', NO_BYTES), 0), true)
    socket.drain()
    assert.equal(socket.written, '')
  })
})

describe('what waits', () => {
  test('is told once all of it is out, and only if somebody was held back', () => {
    const socket = choked()
    let drained = 0
    const outlet = new Outlet(socket.asSocket, () => drained++)
    outlet.sendRun('', Buffer.alloc(100), 0, 100)
    socket.take(100)
    assert.equal(drained, 0)
    outlet.sendRun('', Buffer.alloc(50_000), 0, 50_000)
    socket.take(49_999)
    assert.equal(drained, 0)
    assert.equal(outlet.isFlushed, false)
    socket.take(1)
    assert.equal(drained, 1)
    assert.equal(outlet.isFlushed, true)
  })

  test('is not out as long as whoever was told has sent more', () => {
    const socket = choked()
    let left = 1
    const outlet = new Outlet(socket.asSocket, () => {
      if (left-- > 0) outlet.sendTextAndBytes('more', NO_BYTES, 0, 0)
    })
    outlet.sendRun('', Buffer.alloc(50_000), 0, 50_000)
    let flushed = 0
    outlet.whenFlushed(() => flushed++)
    socket.take(50_000)
    assert.equal(flushed, 0)
    socket.take(4)
    assert.equal(flushed, 1)
  })

  for (const length of [1, 22, 1_000, 8_191, 20_000, 70_000]) {
    test(`costs what it is long: ${length} bytes, while others walk through the memory of small pieces`, () => {
      const bytes = Buffer.alloc(length)
      const sockets = Array.from({ length: 10 }, choked)
      const outlets = sockets.map((socket) => new Outlet(socket.asSocket, nothing))
      for (let round = 0; round < 5; round++) {
        for (const outlet of outlets) {
          outlet.sendTextAndBytes('', bytes, 0, length)
          for (let size = 16; size <= 131_072; size *= 2) {
            const other = choked()
            new Outlet(other.asSocket, nothing).sendTextAndBytes('', Buffer.alloc(size), 0, size)
            other.drain()
          }
        }
      }
      for (const socket of sockets) {
        assert.equal(socket.writableLength, 5 * length)
        assert.ok(socket.heldBytes <= 2 * 5 * length + 1_024, `${socket.heldBytes} bytes for ${5 * length}`)
      }
    })
  }

  test('is few writes, however small they are', () => {
    const outlet = new Outlet(choked().asSocket, nothing)
    let sent = 0
    while (outlet.sendTextAndBytes('x', NO_BYTES, 0, 0)) assert.ok(++sent < 100)
    assert.ok(sent > 8)
  })

  test('is lost with its socket: whoever waits for it is told', async () => {
    const socket = choked()
    let flushed = 0
    const outlet = new Outlet(socket.asSocket, nothing)
    outlet.sendRun('', Buffer.alloc(50_000), 0, 50_000)
    outlet.whenFlushed(() => flushed++)
    assert.equal(flushed, 0)
    socket.destroy()
    await new Promise(setImmediate)
    assert.equal(flushed, 1)
  })
})

/** The memory of a piece that the kernel does not take whole, and what is written next. */
describe('a bulk buffer', () => {
  /** A connection in the middle of a big body. */
  function reading(): { reads: ReadBuffer; buffer: Buffer } {
    const reads = new ReadBuffer()
    reads.reset()
    reads.expectMore(BULK_THRESHOLD)
    return { reads, buffer: reads.next() }
  }
  function next(reads: ReadBuffer, length: number): Buffer {
    reads.reset()
    reads.expectMore(length)
    return reads.next()
  }

  test('is read into again as long as the kernel takes everything', () => {
    const { reads, buffer } = reading()
    new Outlet(new FakeSocket().asSocket, nothing).sendRun('', buffer, 0, buffer.length)
    assert.equal(next(reads, BULK_THRESHOLD), buffer)
  })

  test('is never read into while a write points into it, whoever reads', () => {
    const { reads, buffer } = reading()
    const socket = choked()
    new Outlet(socket.asSocket, nothing).sendRun('', buffer, 0, buffer.length)
    const others = [next(reads, BULK_THRESHOLD), ...Array.from({ length: 100 }, () => reading().buffer)]
    assert.ok(!others.includes(buffer))
    next(reads, 0)
    assert.ok(!Array.from({ length: 100 }, () => reading().buffer).includes(buffer))
    socket.drain()
    assert.equal(reading().buffer, buffer)
  })

  test('comes back after the last of its writes', () => {
    const { reads, buffer } = reading()
    const sockets = [choked(), choked()]
    for (const socket of sockets) new Outlet(socket.asSocket, nothing).sendRun('', buffer, 0, buffer.length)
    next(reads, 0)
    sockets[1]!.drain()
    assert.notEqual(reading().buffer, buffer)
    sockets[0]!.drain()
    assert.equal(reading().buffer, buffer)
  })

  test('comes back from a socket that is destroyed', async () => {
    const { reads, buffer } = reading()
    const socket = choked()
    new Outlet(socket.asSocket, nothing).sendRun('', buffer, 0, buffer.length)
    next(reads, 0)
    socket.destroy()
    assert.notEqual(reading().buffer, buffer)
    await new Promise(setImmediate)
    assert.equal(reading().buffer, buffer)
  })
})

test('text and bytes leave in one write', (t) => {
  const socket = new FakeSocket()
  const write = t.mock.method(socket, 'write')
  new Outlet(socket.asSocket, nothing).sendTextAndBytes('héad\r\n', Buffer.from('..body..'), 2, 6)
  assert.equal(write.mock.callCount(), 1)
  assert.equal(socket.written, 'héad\r\nbody')
})

/** A socket that writes and the one that reads at its other end, which does not until it is told to. */
async function pair(t: TestContext): Promise<{ writer: net.Socket; reader: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const writer = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [reader] = (await once(server, 'connection')) as [net.Socket]
  if (writer.connecting) await once(writer, 'connect')
  t.after(() => {
    writer.destroy()
    reader.destroy()
    server.close()
  })
  return { writer, reader }
}

describe('a real socket', () => {
  test('what the kernel takes whole never enters the stream', async (t) => {
    const { writer, reader } = await pair(t)
    const write = t.mock.method(writer, 'write')
    const outlet = new Outlet(writer, nothing)
    assert.equal(outlet.sendTextAndBytes('head', Buffer.from('body'), 0, 4), true)
    assert.equal(outlet.sendRun('', Buffer.alloc(BULK_THRESHOLD, 'x'), 0, BULK_THRESHOLD), true)
    assert.equal(write.mock.callCount(), 0)
    assert.equal(outlet.isFlushed, true)
    writer.end()
    assert.equal((await text(reader)).length, 8 + BULK_THRESHOLD)
  })

  test('what it does not take waits in the stream, and everything arrives in its order', async (t) => {
    const { writer, reader } = await pair(t)
    let drained = nothing
    const outlet = new Outlet(writer, () => drained())
    let expected = ''
    const shared = new ReadBuffer().next()
    let backlogs = 0
    let arrived = ''
    reader.on('data', (data: Buffer) => {
      arrived += data.toString('latin1')
    })
    reader.pause()
    for (let i = 0; i < 20_000; i++) {
      const line = `${i} ${'abcdefghijklmnopqrstuvwxyz'.repeat(1 + (i % 90))};`
      shared.write(line, 0, 'latin1')
      expected += line
      const mayGoOn =
        i % 2 === 0 ? outlet.sendRun('', shared, 0, line.length) : outlet.sendTextAndBytes(line, shared, 0, 0)
      shared.fill('!')
      if (mayGoOn) continue
      backlogs++
      reader.resume()
      await new Promise<void>((resolve) => {
        drained = resolve
      })
      reader.pause()
    }
    writer.end()
    reader.resume()
    await once(reader, 'end')
    assert.ok(arrived === expected, 'other bytes')
    assert.ok(backlogs > 0, 'the kernel has taken everything at once')
  })

  test('gets pieces that were copied once, whether it takes them at once or not', async (t) => {
    const { writer, reader } = await pair(t)
    const outlet = new Outlet(writer, nothing)
    const body = Buffer.alloc(60_000)
    let expected = ''
    for (let i = 0; i < 400; i++) {
      const length = (i * 7_919) % body.length
      expected += `HEAD ${i}:${fill(body, String.fromCharCode(97 + (i % 26)), length)}`
      outlet.sendPieces(pieces(`head ${i}:`, body), length)
      body.fill('#')
    }
    assert.equal(outlet.isFlushed, false)
    writer.end()
    assert.ok((await text(reader)) === expected, 'other bytes than were sent')
  })

  test('that was reset tells its owner, and nobody else', async (t) => {
    const { writer, reader } = await pair(t)
    const outlet = new Outlet(writer, nothing)
    reader.resetAndDestroy()
    const [error] = (await once(writer, 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ECONNRESET')
    assert.equal(outlet.sendTextAndBytes('x', NO_BYTES, 0, 0), true)
    assert.equal(outlet.isFlushed, true)
  })

  test('whose write fails hears of it', async (t) => {
    const { writer } = await pair(t)
    const outlet = new Outlet(writer, nothing)
    let failures = 0
    onWriteFailed(writer, () => failures++)
    // The write end is shut in the kernel, which the stream does not know.
    const handle = (writer as unknown as { _handle: { writeBuffer: unknown } })._handle
    t.mock.method(handle as { writeBuffer: () => number }, 'writeBuffer', () => -32)
    outlet.sendTextAndBytes('x', NO_BYTES, 0, 0)
    await new Promise(setImmediate)
    assert.equal(failures, 1)
    assert.equal(writer.destroyed, false)
  })
})
