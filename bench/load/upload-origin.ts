/** Origin that reads each request's content to its end and answers a little JSON. Prints its port. */
import net from 'node:net'

const answer = '{"ok":true}'
const response = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`

const server = net.createServer({ noDelay: true }, (socket) => {
  let bytesLeft = 0
  let head = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    // The load generator never pipelines, so a chunk holds a part of one request only.
    if (bytesLeft === 0) {
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      bytesLeft = Number(/content-length: *(\d+)/i.exec(head)![1]) - (head.length - end - 4)
      head = ''
    } else {
      bytesLeft -= chunk.length
    }
    if (bytesLeft === 0) socket.write(response)
  })
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as net.AddressInfo).port))
