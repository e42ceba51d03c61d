/**
 * Small or large POSTs at a fixed rate: `post-clients.ts <load as JSON>`. Prints `counting` after the warm-up, and then what it
 * counted. A request that is due goes out on the next connection in turn, or waits for it: a slow answer makes later ones
 * come late, but not fewer.
 */
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import tls from 'node:tls'
import { CA } from '../../test/support/certificates.ts'
import { requestsOf, type Variation } from './heads.ts'
import type { Target } from './request.ts'

export interface PostLoad {
  readonly target: Target
  readonly connections: number
  /** Requests per second, over all connections. */
  readonly rate: number
  readonly contentBytes: number
  readonly variation: Variation
  /** Each request has a connection of its own, which ends with its answer. */
  readonly isFresh: boolean
  readonly isTls: boolean
  readonly warmUpSeconds: number
  readonly seconds: number
}

export interface Posted {
  /** Within the time. */
  readonly answered: number
  /** What went wrong first, if anything did. */
  readonly wrong?: string
}

/** What is due is looked at so often; more often would need a clock that never sleeps. */
const TICK_MS = 1
const LAST_CHUNK = '0\r\n\r\n'

const load = JSON.parse(process.argv[2]!) as PostLoad
const { target, connections, rate, isFresh } = load
const requests = requestsOf(target, load.variation, load.contentBytes)
const memory = Buffer.allocUnsafeSlow(65_536)

let answered = 0
let wrong: string | undefined

class Client {
  readonly #index: number
  #socket: net.Socket | undefined
  /** Requests that are due and wait for the answer to the one before. */
  #owed = 0
  #sent = 0
  /** Of the answer: bytes still to come, or Infinity until the last chunk. */
  #left = 0
  #isBusy = false

  constructor(index: number) {
    this.#index = index
  }

  due(): void {
    if (this.#isBusy) this.#owed++
    else this.#send()
  }

  #send(): void {
    this.#isBusy = true
    const bytes = requests[(this.#index + connections * this.#sent++) % requests.length]!
    this.#socket ??= this.#open()
    this.#socket.write(bytes)
  }

  #open(): net.Socket {
    const onread = { buffer: memory, callback: (length: number) => this.#read(length) }
    const to = { port: target.port, host: '127.0.0.1', noDelay: true, onread }
    const socket = load.isTls ? tls.connect({ ...to, ca: CA }) : net.connect(to)
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => {
      if (this.#socket === socket) fail('a connection was closed')
    })
    return socket
  }

  #read(length: number): boolean {
    if (this.#left === 0) {
      const text = memory.toString('latin1', 0, Math.min(length, 2048))
      if (!text.startsWith('HTTP/1.1 200 ')) fail(text.split('\r\n', 1)[0]!)
      const headBytes = text.indexOf('\r\n\r\n') + 4
      const contentBytes = /content-length: *(\d+)/i.exec(text)?.[1]
      this.#left = contentBytes === undefined ? Number.POSITIVE_INFINITY : Number(contentBytes) + headBytes
    }
    this.#left -= length
    if (this.#left > 0 && memory.toString('latin1', Math.max(0, length - LAST_CHUNK.length), length) !== LAST_CHUNK)
      return true
    this.#left = 0
    this.#answered()
    return true
  }

  #answered(): void {
    answered++
    this.#isBusy = false
    if (isFresh) {
      const socket = this.#socket
      this.#socket = undefined
      socket?.destroy()
    }
    if (this.#owed === 0) return
    this.#owed--
    this.#send()
  }
}

function fail(why: string): void {
  wrong ??= why
}

const clients = Array.from({ length: connections }, (_, index) => new Client(index))
let next = 0
let sent = 0
const began = performance.now()
setInterval(() => {
  const due = ((performance.now() - began) * rate) / 1000
  for (; sent < due; sent++) {
    clients[next]!.due()
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
