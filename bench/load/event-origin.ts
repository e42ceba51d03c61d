/**
 * `event-origin.ts <events> <interval ms> [tls]`: an origin that answers every request with as many events at that interval, all
 * streams in one burst. Prints its port.
 */
import type net from 'node:net'
import { MARK, microsNow, REST, TIME_LENGTH } from './event.ts'
import { listen } from './listen.ts'
import { onRequest } from './on-request.ts'

const [events, interval] = process.argv.slice(2, 4).map(Number) as [number, number]
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
const DATA = `data: ${MARK}`
const SIZE = DATA.length + TIME_LENGTH + REST.length

/** Events still to send, by the connection that waits for them. */
const streams = new Map<net.Socket, number>()

listen(process.argv[4] === 'tls', (socket) => {
  socket.on('close', () => streams.delete(socket))
  return onRequest(() => {
    socket.write(HEAD)
    streams.set(socket, events)
  })
})

setInterval(() => {
  for (const [socket, left] of streams) {
    if (left > 0) {
      // Each event has its own time: to write to all the others before is not the gateway's delay.
      const sentAt = String(microsNow()).padStart(TIME_LENGTH, '0')
      socket.write(`${SIZE.toString(16)}\r\n${DATA}${sentAt}${REST}\r\n`, 'latin1')
      streams.set(socket, left - 1)
    } else {
      socket.write('0\r\n\r\n')
      streams.delete(socket)
    }
  }
}, interval)
