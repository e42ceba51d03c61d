/** Origin that answers every request with 100 events, one each 10 ms, each with the time it was sent. Prints its port. */
import net from 'node:net'

const EVENTS = 100
const INTERVAL_MS = 10
const REST =
  '"object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb",' +
  '"choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}'
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'

/** Events still to send, by the connection that waits for them. */
const streams = new Map<net.Socket, number>()

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.on('close', () => streams.delete(socket))
  // A request is small and comes whole: one read, one request.
  socket.on('data', () => {
    socket.write(HEAD)
    streams.set(socket, EVENTS)
  })
})

setInterval(() => {
  const sentAt = (performance.timeOrigin + performance.now()).toFixed(3)
  const event = `data: {"t":${sentAt},${REST}\n\n`
  const chunk = Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`)
  for (const [socket, left] of streams) {
    if (left > 0) {
      socket.write(chunk)
      streams.set(socket, left - 1)
    } else {
      socket.write('0\r\n\r\n')
      streams.delete(socket)
    }
  }
}, INTERVAL_MS)

server.listen(0, '127.0.0.1', () => console.log((server.address() as net.AddressInfo).port))
