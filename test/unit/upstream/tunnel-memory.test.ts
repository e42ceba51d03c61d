import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { connectProxy, enterTlsTunnel, enterTunnel, type Reader, stopReading } from '../../../src/runtime/sockets.ts'
import { CA, SERVER_CERTIFICATE, SERVER_KEY } from '../../support/certificates.ts'

/** Reads into one buffer of its own, and says when it has so many bytes. */
function readerOf(total: number) {
  const own = Buffer.allocUnsafeSlow(65_536)
  const whole = Promise.withResolvers<void>()
  const chunks: Buffer[] = []
  const foreign: Buffer[] = []
  let length = 0
  const reader: Reader = {
    nextReadBuffer: () => own,
    onBytes(buffer, count) {
      if (buffer !== own) foreign.push(buffer)
      chunks.push(Buffer.from(buffer.subarray(0, count)))
      length += count
      if (length === total) whole.resolve()
      return true
    },
  }
  return { reader, foreign, whole: whole.promise, text: () => Buffer.concat(chunks).toString('latin1') }
}

const CONTENT = Array.from({ length: 300_000 }, (_, i) => String.fromCharCode(i % 251)).join('')

for (const isTls of [true, false]) {
  test(`a tunnel ${isTls ? 'with TLS' : 'in the clear'} is read into memory of its reader`, async () => {
    const answer = (socket: net.Socket): void => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write(CONTENT, 'latin1'))
    }
    const server = isTls
      ? tls.createServer({ cert: SERVER_CERTIFICATE, key: SERVER_KEY }, answer)
      : net.createServer(answer)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxied = connectProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, path: '' })
    await once(proxied, 'connect')
    const read = readerOf(CONTENT.length)
    stopReading(proxied)
    await new Promise(setImmediate)
    const socket = isTls
      ? enterTlsTunnel(proxied, 'provider.test', tls.createSecureContext({ ca: CA }), ['http/1.1'], read.reader)
      : enterTunnel(proxied, read.reader)
    if (isTls) await once(socket, 'secureConnect')
    socket.write('go')
    await read.whole
    assert.ok(read.text() === CONTENT)
    assert.equal(read.foreign.length, 0)
    assert.equal(socket.readableLength, 0)
    socket.destroy()
    server.close()
    await once(server, 'close')
  })
}
