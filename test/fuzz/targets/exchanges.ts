import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isRefused } from '../../../src/http/downstream.ts'
import type { UpstreamEvents } from '../../../src/http/upstream-connection.ts'
import { ClientConnection } from '../../../src/http1/client-connection.ts'
import { encodeRequestHead, encodeResponseHead } from '../../../src/http1/encoder.ts'
import { ServerConnection } from '../../../src/http1/server-connection.ts'
import { NO_BYTES, Outlet } from '../../../src/runtime/outlet.ts'
import { FakeSocket } from '../../unit/http1/fake-socket.ts'
import type { ValueTarget } from '../target.ts'

/*
 * All connections of a thread read into the same memory and write out of it. Here some of them do so at the same time: their
 * sockets are read in pieces of any size, into the memory that Node would use, and what they write waits by reference, as it
 * does in libuv, while the other side takes nothing. Every byte must arrive, and no other one.
 */

/** Text that says at each place whose it is and where in it. */
function pattern(owner: string, length: number): string {
  let text = ''
  while (text.length < length) text += `<${owner} ${text.length}>`
  return text.slice(0, length)
}

interface Body {
  readonly isChunked: boolean
  readonly sizes: readonly number[]
}

const size = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 3, arbitrary: fc.integer({ min: 8_192, max: 100_000 }) },
)
const body: fc.Arbitrary<Body> = fc.record({
  isChunked: fc.boolean(),
  sizes: fc.array(size, { minLength: 1, maxLength: 4 }),
})

/** Framing fields and a body; the chunks of an upload carry extensions, which are to be taken out. */
function write(owner: string, { isChunked, sizes }: Body, extension = ''): string {
  const total = sizes.reduce((sum, each) => sum + each, 0)
  if (!isChunked) return `Content-Length: ${total}\r\n\r\n${pattern(owner, total)}`
  const chunks = sizes.map((each, i) => `${each.toString(16)}${extension}\r\n${pattern(`${owner}.${i}`, each)}\r\n`)
  return `Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0${extension}\r\nX-T: ${owner}\r\n\r\n`
}

/** One way through the gateway: what comes in on one socket goes out on another. */
interface Lane {
  readonly from: FakeSocket
  readonly to: FakeSocket
  readonly reader: { onBytes(buffer: Buffer, length: number): boolean; nextReadBuffer(): Buffer }
  readonly bytes: Buffer
  readonly expected: string
  /** TLS hands out what it has decrypted, paused or not. */
  readonly readsOn: boolean
  at: number
  /** Where the next read goes: Node asks right after the one before. */
  buffer: Buffer
  /** Whatever has come to its end is over. */
  finish(): void
}

type LaneParts = Omit<Lane, 'at' | 'buffer' | 'bytes'> & { readonly text: string }

function open({ text, ...parts }: LaneParts): Lane {
  return { ...parts, bytes: Buffer.from(text, 'latin1'), at: 0, buffer: parts.reader.nextReadBuffer() }
}

function read(lane: Lane, length: number): void {
  if (lane.from.isPaused && !lane.readsOn) return
  const count = Math.min(length, lane.buffer.length, lane.bytes.length - lane.at)
  if (count === 0) return
  lane.bytes.copy(lane.buffer, 0, lane.at, lane.at + count)
  lane.at += count
  if (!lane.reader.onBytes(lane.buffer, count)) lane.from.isPaused = true
  lane.buffer = lane.reader.nextReadBuffer()
}

type Step = readonly [what: 'read' | 'choke' | 'drain' | 'finish', lane: number, length: number]

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.oneof(
    { weight: 8, arbitrary: fc.constant('read' as const) },
    { weight: 3, arbitrary: fc.constantFrom('choke', 'drain', 'finish') },
  ),
  fc.nat(2),
  fc.oneof(
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 100 }) },
    { weight: 4, arbitrary: fc.integer({ min: 8_192, max: 65_536 }) },
  ),
)

const steps = (scale: number): fc.Arbitrary<Step[]> =>
  fc.array(step, { minLength: 30, maxLength: 60 + 60 * scale, size: 'max' })

function run(lanes: readonly Lane[], all: readonly Step[]): void {
  for (const [what, index, length] of all) {
    const lane = lanes[index]!
    if (what === 'read') read(lane, length)
    else if (what === 'choke') lane.to.isChoked = true
    else if (what === 'drain') lane.to.drain()
    else lane.finish()
  }
  for (let round = 0; round < 1_000 && lanes.some((lane) => lane.to.written !== lane.expected); round++) {
    for (const lane of lanes) {
      read(lane, 65_536)
      lane.to.drain()
      lane.finish()
    }
  }
  for (const [i, { to, expected }] of lanes.entries()) {
    let same = 0
    while (same < expected.length && expected[same] === to.written[same]) same++
    const seen = JSON.stringify(to.written.slice(same, same + 60))
    assert.ok(to.written === expected, `lane ${i} differs at ${same} of ${expected.length}: ${seen}`)
  }
}

function uploadLane(index: number, bodies: readonly Body[]): Lane {
  const from = new FakeSocket()
  const to = new FakeSocket()
  const outlet = new Outlet(to.asSocket)
  const over: (() => void)[] = []
  const nothing = (): void => {}
  const connection: ServerConnection<string> = new ServerConnection<string>(
    {
      events: {
        open: (_downstream, head) => {
          assert.ok(!isRefused(head))
          return encodeRequestHead(head, head.target, [], '')
        },
        serve(head, before, buffer, start, end) {
          if (connection.isRequestComplete) over.push(() => connection.finish(true))
          if (!outlet.sendTextAndBytes(head + before, buffer, start, end)) connection.pauseRequest()
        },
        requestBytes: (_head, before, buffer, start, end) => outlet.sendRun(before, buffer, start, end),
        requestEnd: () => over.push(() => connection.finish(true)),
        requestFailed: assert.fail,
        clientLeft: nothing,
        clientDrained: nothing,
        exchangeExpired: nothing,
        bug: (_exchange, _downstream, error) => assert.fail(error as Error),
      },
      isDraining: false,
      headTimeoutMs: 60_000,
      keepAliveTimeoutMs: 60_000,
      connectionIdle: nothing,
      connectionBusy: nothing,
      connectionClosing: nothing,
      connectionClosed: nothing,
    },
    undefined,
    false,
  )
  connection.attach(from.asSocket)
  to.on('drain', () => connection.resumeRequest())
  const head = (i: number): string => `POST /${index}.${i} HTTP/1.1\r\nHost: a\r\n`
  return open({
    from,
    to,
    reader: connection,
    text: bodies.map((each, i) => head(i) + write(`${index}.${i}`, each, ';a="b"')).join(''),
    expected: bodies.map((each, i) => head(i) + write(`${index}.${i}`, each)).join(''),
    readsOn: false,
    finish: () => over.shift()?.(),
  })
}

function downloadLane(index: number, answer: Body, isEncrypted: boolean): Lane {
  const from = new FakeSocket()
  const to = new FakeSocket()
  const outlet = new Outlet(to.asSocket)
  const nothing = (): void => {}
  const events: UpstreamEvents<object> = {
    interim: nothing,
    responseHead: (_exchange, head, before, buffer, start, end) =>
      outlet.sendTextAndBytes(encodeResponseHead(head, false) + before, buffer, start, end),
    responseBytes: (_exchange, before, buffer, start, end) => outlet.sendRun(before, buffer, start, end),
    responseEnd: nothing,
    upstreamFailed: (_exchange, failure) => assert.fail(failure),
    upstreamDrained: nothing,
    upstreamExpired: nothing,
    bytesRelayed: () => 0,
    bug: (_exchange, error) => assert.fail(error as Error),
  }
  const connection = new ClientConnection<object>({ events, keep: nothing, closed: nothing }, '', isEncrypted)
  connection.attach(from.asSocket)
  connection.begin({})
  connection.sendHead('', 'GET', '', NO_BYTES, 0, 0)
  to.on('drain', () => connection.resumeResponse())
  const head = 'HTTP/1.1 200 OK\r\n'
  return open({
    from,
    to,
    reader: connection,
    text: head + write(`${index}`, answer, ';a="b"'),
    expected: head + write(`${index}`, answer),
    readsOn: isEncrypted,
    finish: nothing,
  })
}

/** Three clients, each with its uploads, and in which order what happens. */
export interface Uploads {
  readonly clients: readonly (readonly Body[])[]
  readonly order: readonly Step[]
}

export const uploads: ValueTarget<Uploads> = {
  name: 'uploads',
  about: 'uploads of several clients at once arrive byte for byte',
  values: (scale) =>
    fc.record({
      clients: fc.array(fc.array(body, { minLength: 1, maxLength: 2 + scale }), { minLength: 3, maxLength: 3 }),
      order: steps(scale),
    }),
  check({ clients, order }) {
    run(
      clients.map((bodies, i) => uploadLane(i, bodies)),
      order,
    )
    return 'arrived'
  },
}

/** Three answers, which of them come over TLS, and in which order what happens. */
export interface Downloads {
  readonly answers: readonly (readonly [Body, isEncrypted: boolean])[]
  readonly order: readonly Step[]
}

export const downloads: ValueTarget<Downloads> = {
  name: 'downloads',
  about: 'downloads of several clients at once arrive byte for byte, in the clear and over TLS',
  values: (scale) =>
    fc.record({
      answers: fc.array(fc.tuple(body, fc.boolean()), { minLength: 3, maxLength: 3 }),
      order: steps(scale),
    }),
  check({ answers, order }) {
    run(
      answers.map(([answer, isEncrypted], i) => downloadLane(i, answer, isEncrypted)),
      order,
    )
    return 'arrived'
  },
}
