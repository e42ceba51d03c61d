import net from 'node:net'
import tls from 'node:tls'
import { SERVER_CERTIFICATE, SERVER_KEY } from '../../test/support/certificates.ts'
import { withOwnMemory } from './own-memory.ts'

/** Is told of each read: bytes 0 to `length`, valid during the call only. */
export type Reading = (bytes: Buffer, length: number) => void

const memory = Buffer.allocUnsafeSlow(65_536)

/**
 * Listens on a free port and prints it. In the clear all connections are read into the same memory, which costs an origin the
 * least that Node can do; TLS cannot be read so where it is accepted.
 */
export function listen(isTls: boolean, accept: (socket: net.Socket) => Reading): void {
  const server = isTls
    ? tls.createServer({ key: SERVER_KEY, cert: SERVER_CERTIFICATE, noDelay: true }, (socket) => {
        const read = accept(socket)
        socket.on('data', (chunk: Buffer) => read(chunk, chunk.length))
        socket.on('error', () => socket.destroy())
      })
    : net.createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
        const socket = withOwnMemory(accepted, memory, (length) => read(memory, length))
        const read = accept(socket)
      })
  server.listen(0, '127.0.0.1', () => console.log((server.address() as net.AddressInfo).port))
}
