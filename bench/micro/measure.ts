/**
 * `measure.ts <root> <load> <rounds>`: what our own JavaScript costs. Tells its parent (IPC) one list of figures, in ns of CPU
 * of the thread for an exchange or an event; started by hand it prints them on standard error. Its standard output takes the log.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { CLIENT_KEY, prefixed } from '../contenders/contender.ts'
import { MARK, REST } from '../load/event.ts'
import { requestsOf } from '../load/heads.ts'
import { ANSWER } from '../load/programs.ts'
import type { Target } from '../load/request.ts'
import type { Load } from './loads.ts'
import { openWires, type Reader, type Wires } from './wires.ts'

const [root, load, rounds, moreYaml] = process.argv.slice(2) as [string, Load, string, string]
const TARGET: Target = { name: '', port: 0, path: prefixed.path, headers: [`Authorization: Bearer ${CLIENT_KEY}`] }

/** As many as the load of `post` has; what is touched in turn does not all stay in the core's first cache. */
const CLIENTS = 64
/** Requests that are under way at the same time. */
const AT_ONCE = 8
/** A round takes a quarter of a second: the kernel counts a thread's time at its ticks, up to 4 ms apart. */
const PER_ROUND = load === 'event' || load === 'harness' ? 655_360 : 32_768
/** Until the compiler has settled. */
const WARM_UP_ROUNDS = 3
const CONTENT_BYTES = 230

/** It ends here; all else goes on to the client. */
const OF_ONE_CONNECTION = 'Connection: keep-alive\r\n'
const RESPONSE = Buffer.from(
  `HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Fri, 27 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${ANSWER.length}\r\n${OF_ONE_CONNECTION}\r\n${ANSWER}`,
)
const STREAM_HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n',
)
const DATA = `data: ${MARK}000000000000000${REST}`
const EVENT = Buffer.from(`${DATA.length.toString(16)}\r\n${DATA}\r\n`)

/** As a socket reads: into the memory that it was told to use. The copy stands for the kernel's. */
function read(reader: Reader, bytes: Buffer): void {
  const buffer = reader.nextReadBuffer()
  bytes.copy(buffer)
  reader.onBytes(buffer, bytes.length)
}

async function untilAsked({ asked }: Wires, count: number): Promise<void> {
  while (asked.length < count) await turn()
}

async function exchanges(wires: Wires, requests: readonly Buffer[], count: number): Promise<void> {
  const { clients, asked } = wires
  for (let done = 0; done < count; done += AT_ONCE) {
    for (let i = done; i < done + AT_ONCE; i++) read(clients[i % CLIENTS]!, requests[i % requests.length]!)
    // A connection that has been idle for long is looked at once more before it is used.
    if (asked.length < AT_ONCE) await untilAsked(wires, AT_ONCE)
    for (let i = 0; i < AT_ONCE; i++) read(asked[i]!, RESPONSE)
    asked.length = 0
    // Timers fire, as they do between the reads of a real socket.
    if (done % 512 === 0) await turn()
  }
}

async function events(upstreams: readonly Reader[], count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    read(upstreams[i % upstreams.length]!, EVENT)
    if (i % 512 === 0) await turn()
  }
}

/** Nobody's ends: with them, what is measured is this file. */
function deafWires(): Wires {
  const buffer = Buffer.allocUnsafeSlow(65_536)
  const asked: Reader[] = []
  const upstream: Reader = { onBytes: () => true, nextReadBuffer: () => buffer }
  const client: Reader = { onBytes: () => asked.push(upstream) > 0, nextReadBuffer: () => buffer }
  return { clients: Array.from({ length: CLIENTS }, () => client), asked, sentToClients: () => 0, close() {} }
}

async function cpuNs(work: () => Promise<void>): Promise<number> {
  const before = process.threadCpuUsage()
  await work()
  const { user, system } = process.threadCpuUsage(before)
  return ((user + system) * 1000) / PER_ROUND
}

async function measured(work: () => Promise<void>): Promise<number[]> {
  for (let i = 0; i < WARM_UP_ROUNDS; i++) await work()
  const figures: number[] = []
  for (let i = 0; i < Number(rounds); i++) figures.push(await cpuNs(work))
  return figures
}

/** `answerBytes`: what a client is to get for each of them. */
async function checked(wires: Wires, answerBytes: number, work: () => Promise<void>): Promise<number[]> {
  const before = wires.sentToClients()
  const figures = await measured(work)
  const each = (wires.sentToClients() - before) / PER_ROUND / (figures.length + WARM_UP_ROUNDS)
  if (each !== answerBytes)
    throw new Error(`clients got ${each} bytes and not the ${answerBytes} that were sent to them`)
  return figures
}

async function measureEvents(wires: Wires): Promise<number[]> {
  const [request] = requestsOf(TARGET, 'repeated', CONTENT_BYTES)
  for (const client of wires.clients) read(client, request!)
  await untilAsked(wires, CLIENTS)
  const upstreams = wires.asked.splice(0)
  for (const upstream of upstreams) read(upstream, STREAM_HEAD)
  return checked(wires, EVENT.length, () => events(upstreams, PER_ROUND))
}

function measureLoad(wires: Wires): Promise<number[]> {
  if (load === 'event') return measureEvents(wires)
  const requests = requestsOf(TARGET, load === 'harness' ? 'repeated' : load, CONTENT_BYTES)
  const answerBytes = load === 'harness' ? 0 : RESPONSE.length - OF_ONE_CONNECTION.length
  return checked(wires, answerBytes, () => exchanges(wires, requests, PER_ROUND))
}

const wires = load === 'harness' ? deafWires() : await openWires(root, CLIENTS, moreYaml)
const figures = await measureLoad(wires)
wires.close()
if (process.send === undefined) console.error(figures.map(Math.round).join(' '))
else await new Promise((told) => process.send!(figures, told))
process.exit()
