/**
 * Clients that each read one stream after another: `event-clients.ts <streams> <seconds> <target as JSON> [gzip]`.
 * What is compressed has no events to be seen: there, reads are counted.
 * Prints `counting` when all are under way, and then what they counted.
 */
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { MARK, microsNow, TIME_LENGTH } from './event.ts'
import { requestText, type Target } from './request.ts'

const [streams, seconds] = process.argv.slice(2, 4).map(Number) as [number, number]
const target = JSON.parse(process.argv[4]!) as Target
const request = requestText(target, true)

const LAST = '0\r\n\r\n'
const onData = process.argv[5] === 'gzip' ? readCompressed : read

let events = 0
let lateness: number[] = []

function readCompressed(chunk: Buffer, socket: net.Socket): void {
  events++
  if (chunk.toString('latin1', chunk.length - 5) === LAST) socket.write(request)
}

function read(chunk: Buffer, socket: net.Socket): void {
  const now = microsNow()
  const text = chunk.toString('latin1')
  for (let at = text.indexOf(MARK); at >= 0; at = text.indexOf(MARK, at + 1)) {
    // A few are enough for the tail, and keep this side cheap. 13 divides no number of streams, so each gets its turn.
    if (++events % 13 !== 0) continue
    const sentAt = text.slice(at + MARK.length, at + MARK.length + TIME_LENGTH)
    if (sentAt.length === TIME_LENGTH) lateness.push(now - Number(sentAt))
  }
  if (text.endsWith(LAST)) socket.write(request)
}

for (let started = 0; started < streams; started++) {
  const socket = net.connect({ port: target.port, host: '127.0.0.1', noDelay: true }, () => socket.write(request))
  socket.on('data', (chunk: Buffer) => onData(chunk, socket))
  socket.on('error', () => socket.destroy())
  await sleep(3)
}
await sleep(1000)
events = 0
lateness = []
console.log('counting')
await sleep(seconds * 1000)
console.log(JSON.stringify({ events, lateness }))
process.exit(0)
