import net from 'node:net'

/**
 * An accepted socket that reads into this memory, which is the cheapest way that Node has. It offers that (`onread`) to who
 * connects only; so the handle of what a server with `pauseOnConnect` has accepted goes to a socket that has it.
 */
export function withOwnMemory(accepted: net.Socket, memory: Buffer, read: (length: number) => void): net.Socket {
  const from = accepted as unknown as { _handle: unknown }
  const handle = from._handle
  from._handle = null
  const onread = {
    buffer: memory,
    callback: (length: number): boolean => {
      read(length)
      return true
    },
  }
  const socket = new net.Socket({ handle, onread } as net.SocketConstructorOpts)
  socket.on('error', () => socket.destroy())
  socket.resume()
  return socket
}
