import type net from 'node:net'

/** Calls back when a request has come whole. For requests with a Content-Length that are not pipelined. */
export function onRequest(socket: net.Socket, whole: () => void): void {
  let bytesLeft = 0
  let head = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    if (bytesLeft === 0) {
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      bytesLeft = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0) - (head.length - end - 4)
      head = ''
    } else {
      bytesLeft -= chunk.length
    }
    if (bytesLeft === 0) whole()
  })
}
