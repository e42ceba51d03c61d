import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import tls from 'node:tls'
import { adoptAccepted, connectTcp, connectTls, type Reader } from '../../../src/runtime/sockets.ts'
import { CA, SERVER_CERTIFICATE, SERVER_KEY } from '../../support/certificates.ts'

/** Reads into buffers of its own, another one each time, and looks that it is handed the one that it gave. */
class Recorder implements Reader {
  socket!: net.Socket
  received = ''
  reads = 0
  /** What is done in the middle of a read; its result goes back. */
  onRead: (length: number) => boolean = () => true
  readonly log: string[] = []
  readonly #size: number
  #given: Buffer | undefined
  #changed: (() => void)[] = []

  constructor(size: number) {
    this.#size = size
  }

  nextReadBuffer(): Buffer {
    this.#given = Buffer.alloc(this.#size)
    return this.#given
  }

  onBytes(buffer: Buffer, length: number): boolean {
    assert.equal(buffer, this.#given)
    this.reads++
    this.received += buffer.toString('latin1', 0, length)
    const goesOn = this.onRead(length)
    this.#notice()
    return goesOn
  }

  watch(socket: net.Socket): void {
    this.socket = socket
    for (const event of ['end', 'close']) socket.on(event, () => this.#note(event))
    socket.on('error', (error: NodeJS.ErrnoException) => this.#note(error.code ?? error.message))
  }

  #note(event: string): void {
    this.log.push(event)
    this.#notice()
  }

  #notice(): void {
    for (const changed of this.#changed.splice(0)) changed()
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#changed.push(resolve))
  }
}

/** Nothing more comes, as far as some turns of the event loop can tell. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
}

/** A recorder's socket, and the peer that writes to it. */
type Open = (t: TestContext, recorder: Recorder) => Promise<net.Socket>

const accepted: Open = async (t, recorder) => {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = net.connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const [socket] = (await once(server, 'connection')) as [net.Socket]
  recorder.watch(adoptAccepted(socket, recorder))
  closeAfter(t, server, peer, recorder)
  return peer
}

const connected: Open = async (t, recorder) => {
  const server = net.createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  recorder.watch(connectTcp({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, path: '' }, recorder))
  const [peer] = (await once(server, 'connection')) as [net.Socket]
  closeAfter(t, server, peer, recorder)
  return peer
}

const encrypted: Open = async (t, recorder) => {
  const server = tls.createServer({ key: SERVER_KEY, cert: SERVER_CERTIFICATE })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = { host: '127.0.0.1', port: (server.address() as AddressInfo).port, path: '' }
  recorder.watch(connectTls(peer, 'provider.test', tls.createSecureContext({ ca: CA }), recorder))
  const [socket] = (await once(server, 'secureConnection')) as [tls.TLSSocket]
  closeAfter(t, server, socket, recorder)
  return socket
}

function closeAfter(t: TestContext, server: net.Server, peer: net.Socket, recorder: Recorder): void {
  peer.on('error', () => {})
  t.after(() => {
    server.close()
    peer.destroy()
    recorder.socket.destroy()
  })
}

const TEXT = Array.from({ length: 4_000 }, (_, i) => `${i};`).join('')

for (const [what, open, isEncrypted] of [
  ['an accepted socket', accepted, false],
  ['a connected socket', connected, false],
  ['a socket with TLS', encrypted, true],
] as const) {
  describe(what, () => {
    test('fills the buffers that it is given, one after the other', async (t) => {
      const recorder = new Recorder(1_000)
      const peer = await open(t, recorder)
      peer.write(TEXT)
      await recorder.until(() => recorder.received.length >= TEXT.length)
      assert.equal(recorder.received, TEXT)
      assert.ok(recorder.reads >= TEXT.length / 1_000)
    })

    test('reads on in the same buffer', async (t) => {
      const recorder = new Recorder(1_000)
      const buffer = Buffer.alloc(1_000)
      recorder.nextReadBuffer = () => buffer
      recorder.onBytes = (given, length) => {
        assert.equal(given, buffer)
        recorder.received += given.toString('latin1', 0, length)
        return recorder.onRead(length)
      }
      const peer = await open(t, recorder)
      const all = Promise.withResolvers<void>()
      recorder.onRead = () => {
        if (recorder.received.length === TEXT.length) all.resolve()
        return true
      }
      peer.write(TEXT)
      await all.promise
      assert.equal(recorder.received, TEXT)
    })

    test('is paused by a read that says so, and goes on', async (t) => {
      const recorder = new Recorder(1_000)
      recorder.onRead = () => false
      const peer = await open(t, recorder)
      peer.write(TEXT)
      await recorder.until(() => recorder.reads > 0)
      await quiet()
      // What TLS has decrypted is told all the same.
      if (!isEncrypted) assert.equal(recorder.reads, 1)
      while (recorder.received.length < TEXT.length) {
        const { reads } = recorder
        recorder.socket.resume()
        await recorder.until(() => recorder.reads > reads)
      }
      assert.equal(recorder.received, TEXT)
    })

    test('may be paused and resumed in the middle of a read', async (t) => {
      const recorder = new Recorder(1_000)
      recorder.onRead = () => {
        recorder.socket.pause()
        recorder.socket.resume()
        return true
      }
      const peer = await open(t, recorder)
      peer.write(TEXT)
      await recorder.until(() => recorder.received.length >= TEXT.length)
      recorder.onRead = () => {
        recorder.socket.pause()
        return true
      }
      peer.write('once more')
      await recorder.until(() => recorder.received.length > TEXT.length)
      const { reads } = recorder
      peer.write('and again')
      await quiet()
      assert.equal(recorder.reads, reads)
      recorder.socket.resume()
      await recorder.until(() => recorder.reads > reads)
      assert.equal(recorder.received, `${TEXT}once moreand again`)
    })

    test('says nothing more once it is destroyed in the middle of a read', async (t) => {
      for (const goesOn of [true, false]) {
        const recorder = new Recorder(1_000)
        recorder.onRead = () => {
          recorder.socket.destroy()
          return goesOn
        }
        const peer = await open(t, recorder)
        peer.write(TEXT)
        await recorder.until(() => recorder.log.includes('close'))
        await quiet()
        if (!isEncrypted) assert.equal(recorder.reads, 1)
        assert.deepEqual(recorder.log, ['close'])
      }
    })

    test('ends once, after the last bytes', async (t) => {
      const recorder = new Recorder(1_000)
      const peer = await open(t, recorder)
      peer.end(TEXT)
      await recorder.until(() => recorder.log.includes('end'))
      assert.equal(recorder.received, TEXT)
      assert.deepEqual(recorder.log.slice(0, 1), ['end'])
    })

    test('tells of an end that comes while it is paused when it goes on', async (t) => {
      const recorder = new Recorder(1_000)
      recorder.onRead = () => false
      const peer = await open(t, recorder)
      peer.end('last words')
      await recorder.until(() => recorder.reads === 1)
      await quiet()
      if (!isEncrypted) assert.deepEqual(recorder.log, [])
      recorder.socket.resume()
      await recorder.until(() => recorder.log.includes('end'))
      assert.equal(recorder.received, 'last words')
    })

    test('tells of a reset as of an error', { skip: isEncrypted && 'TLS cannot be made to send one' }, async (t) => {
      const recorder = new Recorder(1_000)
      const peer = await open(t, recorder)
      peer.write('first')
      await recorder.until(() => recorder.received === 'first')
      peer.resetAndDestroy()
      await recorder.until(() => recorder.log.includes('close'))
      assert.deepEqual(recorder.log, ['ECONNRESET', 'close'])
    })
  })
}

test('an accepted socket can be written to after its end was told', async (t) => {
  const recorder = new Recorder(1_000)
  const peer = await accepted(t, recorder)
  peer.end('question')
  await recorder.until(() => recorder.log.includes('end'))
  recorder.socket.end('answer')
  const [answer] = (await once(peer, 'data')) as [Buffer]
  assert.equal(answer.toString(), 'answer')
  await recorder.until(() => recorder.log.includes('close'))
})
