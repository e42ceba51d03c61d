/**
 * Small POSTs over HTTP/2 at a fixed rate: `http2-clients.ts <load as JSON>`, which prints what `post-clients.ts` does. A request that is
 * due goes out on the next connection in turn, on a stream of its own, or waits for one.
 */
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { block, END_STREAM, frame, TYPE, u32 } from '../../test/support/http2-peer.ts'
import { requestsOf } from './heads.ts'
import type { Posted, PostLoad } from './post-clients.ts'

/** At once, on each connection. */
const STREAMS = 50
const TICK_MS = 1
const HEAD_BYTES = 9
const [ACK, END_HEADERS] = [1, 4]
/** So much content is given back to the connection at a time. */
const WINDOW_BYTES = 32_768
/** `:status: 200`, as everybody writes it (RFC 7541, appendix A). */
const STATUS_200 = 0x88
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

const load = JSON.parse(process.argv[2]!) as PostLoad
const { target, connections, rate } = load
const template = requestFrames()

let answered = 0
let wrong: string | undefined

/** Of one request, its number to be put in. */
function requestFrames(): { bytes: Buffer; dataAt: number } {
  const text = requestsOf(target, load.variation, load.contentBytes)[0]!.toString('latin1')
  const [head, content] = text.split('\r\n\r\n') as [string, string]
  const fields = head
    .split('\r\n')
    .slice(1)
    .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const)
    .filter(([name]) => name !== 'host' && name !== 'connection')
  const pseudo = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'localhost'],
    [':path', target.path],
  ] as const
  const headers = frame(TYPE.headers, END_HEADERS, 1, block([...pseudo, ...fields]))
  const bytes = Buffer.concat([headers, frame(TYPE.data, END_STREAM, 1, Buffer.from(content, 'latin1'))])
  return { bytes, dataAt: headers.length }
}

class Connection {
  readonly #socket: net.Socket
  #owed = 0
  #open = 0
  #next = 1
  #taken = 0
  #rest: Buffer = Buffer.alloc(0)

  constructor() {
    this.#socket = net.connect({ port: target.port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('error', (error) => fail(error.message))
    this.#socket.on('close', () => fail('a connection was closed'))
    this.#socket.on('data', (bytes: Buffer) => this.#read(bytes))
    this.#socket.write(Buffer.concat([PREFACE, frame(TYPE.settings, 0, 0)]))
  }

  due(): void {
    if (this.#open === STREAMS) this.#owed++
    else this.#send()
  }

  #send(): void {
    this.#open++
    const bytes = Buffer.from(template.bytes)
    bytes.writeUInt32BE(this.#next, 5)
    bytes.writeUInt32BE(this.#next, template.dataAt + 5)
    this.#next += 2
    this.#socket.write(bytes)
  }

  #read(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    let at = 0
    while (all.length - at >= HEAD_BYTES) {
      const end = at + HEAD_BYTES + all.readUIntBE(at, 3)
      if (all.length < end) break
      this.#frame(all, at, end)
      at = end
    }
    this.#rest = all.subarray(at)
  }

  #frame(all: Buffer, at: number, end: number): void {
    const [type, flags] = [all[at + 3]!, all[at + 4]!]
    const isAck = (flags & ACK) !== 0
    if (type === TYPE.goaway || type === TYPE.rst) fail(`frame ${type}`)
    if (type === TYPE.settings && !isAck) this.#socket.write(frame(TYPE.settings, ACK, 0))
    if (type === TYPE.headers && all[at + HEAD_BYTES] !== STATUS_200) fail('another status than 200')
    if (type !== TYPE.headers && type !== TYPE.data) return
    if (type === TYPE.data) this.#took(end - at - HEAD_BYTES)
    if ((flags & END_STREAM) !== 0) this.#answered()
  }

  #took(bytes: number): void {
    this.#taken += bytes
    if (this.#taken < WINDOW_BYTES) return
    this.#socket.write(frame(TYPE.window, 0, 0, u32(this.#taken)))
    this.#taken = 0
  }

  #answered(): void {
    answered++
    this.#open--
    if (this.#owed === 0) return
    this.#owed--
    this.#send()
  }
}

function fail(why: string): void {
  wrong ??= why
}

const all = Array.from({ length: connections }, () => new Connection())
let next = 0
let sent = 0
const began = performance.now()
setInterval(() => {
  const due = ((performance.now() - began) * rate) / 1000
  for (; sent < due; sent++) {
    all[next]!.due()
    next = (next + 1) % connections
  }
}, TICK_MS)

await sleep(load.warmUpSeconds * 1000)
answered = 0
console.log('counting')
await sleep(load.seconds * 1000)
const posted: Posted = { answered, ...(wrong === undefined ? {} : { wrong }) }
console.log(JSON.stringify(posted))
process.exit(0)
