/**
 * Clients that each read one stream after another: `event-clients.ts <streams> <seconds> <port> <path> <key>`.
 * Prints `counting` when all are under way, and then what they counted.
 */
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const [streams, seconds, port] = process.argv.slice(2, 5).map(Number) as [number, number, number]
const [path, key] = process.argv.slice(5) as [string, string]

const content = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}'
const request = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${content.length}\r\n\r\n${content}`
const MARK = '{"t":'
/** Digits of a time in milliseconds with three decimals. */
const TIME_LENGTH = 17

let events = 0
let delays: number[] = []

function read(chunk: Buffer, socket: net.Socket): void {
  const now = performance.timeOrigin + performance.now()
  const text = chunk.toString('latin1')
  for (let at = text.indexOf(MARK); at >= 0; at = text.indexOf(MARK, at + 1)) {
    // Every sixteenth is enough for the tail, and keeps this side cheap.
    if ((++events & 15) === 0) delays.push(now - Number(text.slice(at + MARK.length, at + MARK.length + TIME_LENGTH)))
  }
  if (text.endsWith('0\r\n\r\n')) socket.write(request)
}

for (let started = 0; started < streams; started++) {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(request))
  socket.on('data', (chunk: Buffer) => read(chunk, socket))
  socket.on('error', () => socket.destroy())
  await sleep(3)
}
await sleep(1500)
events = 0
delays = []
console.log('counting')
await sleep(seconds * 1000)
delays.sort((a, b) => a - b)
console.log(JSON.stringify({ events, lateMs: delays[Math.floor(delays.length * 0.99)] ?? Number.NaN }))
process.exit(0)
