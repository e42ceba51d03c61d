/**
 * `gzip-origin.ts <events> <interval ms>`: as `event-origin.ts`, with each stream in gzip, flushed behind each event. Prints its port.
 * All streams are the same, so each event is compressed once; it carries no time.
 */

import { once } from 'node:events'
import type net from 'node:net'
import { createGzip } from 'node:zlib'
import { REST } from './event.ts'
import { listen } from './listen.ts'
import { onRequest } from './on-request.ts'

const [events, interval] = process.argv.slice(2, 4).map(Number) as [number, number]
const HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n'
const USAGE =
  'data: {"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":100}}\n\ndata: [DONE]\n\n'

const pieces: Buffer[] = []
const gzip = createGzip()
gzip.on('data', (piece: Buffer) => pieces.push(piece))

async function compress(text: string): Promise<Buffer> {
  pieces.length = 0
  gzip.write(text)
  await new Promise<void>((done) => gzip.flush(() => done()))
  return chunkOf(Buffer.concat(pieces))
}

function chunkOf(piece: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
}

const chunks: Buffer[] = []
for (let nth = 0; nth < events; nth++) chunks.push(await compress(`data: {"n":"${nth}${REST}`))
chunks.push(await compress(USAGE))
pieces.length = 0
gzip.end()
await once(gzip, 'end')
const end = Buffer.concat([chunkOf(Buffer.concat(pieces)), Buffer.from('0\r\n\r\n')])

/** How many events each has had. */
const streams = new Map<net.Socket, number>()

listen(false, (socket) => {
  socket.on('close', () => streams.delete(socket))
  return onRequest(() => {
    socket.write(HEAD)
    streams.set(socket, 0)
  })
})

setInterval(() => {
  for (const [socket, sent] of streams) {
    if (sent < chunks.length) {
      socket.write(chunks[sent]!)
      streams.set(socket, sent + 1)
    } else {
      socket.write(end)
      streams.delete(socket)
    }
  }
}, interval)
