import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { UpstreamEvents } from '../../../src/http/upstream-connection.ts'
import { ClientConnection } from '../../../src/http1/client-connection.ts'
import { encodeResponseHead } from '../../../src/http1/encoder.ts'
import { ServerConnection } from '../../../src/http1/server-connection.ts'
import { NO_BYTES, Outlet } from '../../../src/runtime/outlet.ts'
import { FakeSocket } from '../../unit/http1/fake-socket.ts'
import type { ValueTarget } from '../target.ts'

/*
 * All connections of a thread read into the same memory and write out of it. Here some of them do so at the same time: their
 * sockets are read in pieces of any size, into the memory that Node would use, and what they write waits by reference, as it
 * does in libuv, while the other side takes nothing, or a part. Requests are sent ahead, to two upstreams in turn, and some
 * are answered before they are whole: then the next one begins while the end of the one before still waits. Some connections
 * are TLS, which hands out what it has read though it was paused. Every byte says whose it is; every one must arrive, and no other.
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

function lengthOf({ sizes }: Body): number {
  return sizes.reduce((sum, each) => sum + each, 0)
}

/** The framing field and the end of the head. */
function framing(body: Body): string {
  return body.isChunked ? 'Transfer-Encoding: chunked\r\n\r\n' : `Content-Length: ${lengthOf(body)}\r\n\r\n`
}

/** Behind the framing, the body; the chunks of an upload carry extensions, which are to be taken out. */
function write(owner: string, body: Body, extension = ''): string {
  if (!body.isChunked) return framing(body) + pattern(owner, lengthOf(body))
  const chunks = body.sizes.map(
    (each, i) => `${each.toString(16)}${extension}\r\n${pattern(`${owner}.${i}`, each)}\r\n`,
  )
  return `${framing(body)}${chunks.join('')}0${extension}\r\nX-T: ${owner}\r\n\r\n`
}

/** A socket that is written to, and what must have been. */
interface Out {
  readonly socket: FakeSocket
  readonly expected: string
}

/** One way through the gateway: what comes in on one socket goes out on others. */
interface Lane {
  readonly from: FakeSocket
  readonly outs: readonly Out[]
  readonly reader: { onBytes(buffer: Buffer, length: number): boolean; nextReadBuffer(): Buffer }
  readonly bytes: Buffer
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

type Step = readonly [what: 'read' | 'choke' | 'take' | 'drain' | 'finish', lane: number, length: number]

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.oneof(
    { weight: 8, arbitrary: fc.constant('read' as const) },
    { weight: 3, arbitrary: fc.constantFrom('choke', 'take', 'drain', 'finish') },
  ),
  fc.nat(2),
  fc.oneof(
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 100 }) },
    { weight: 4, arbitrary: fc.integer({ min: 8_192, max: 65_536 }) },
  ),
)

const steps = (scale: number): fc.Arbitrary<Step[]> =>
  fc.array(step, { minLength: 30, maxLength: 60 + 60 * scale, size: 'max' })

async function run(lanes: readonly Lane[], all: readonly Step[]): Promise<void> {
  for (const [what, index, length] of all) {
    const lane = lanes[index]!
    const out = lane.outs[length % lane.outs.length]!.socket
    if (what === 'read') read(lane, length)
    else if (what === 'choke') out.isChoked = true
    else if (what === 'take') out.take(length)
    else if (what === 'drain') out.drain()
    else lane.finish()
  }
  const outs = lanes.flatMap((lane) => lane.outs)
  for (let round = 0; round < 1_000 && outs.some(({ socket, expected }) => socket.written !== expected); round++) {
    for (const lane of lanes) {
      read(lane, 65_536)
      for (const { socket } of lane.outs) socket.drain()
      lane.finish()
    }
    // Who had many small requests goes on in the next turn.
    await new Promise(setImmediate)
  }
  for (const [i, { socket, expected }] of outs.entries()) {
    const { written } = socket
    let same = 0
    while (same < expected.length && expected[same] === written[same]) same++
    const seen = JSON.stringify(written.slice(same, same + 60))
    assert.ok(written === expected, `way ${i} differs at ${same} of ${expected.length}: ${seen}`)
  }
}

/** A request, and whether its answer is there before it is whole. */
type Upload = readonly [body: Body, isEarly: boolean]

function uploadLane(index: number, uploads: readonly Upload[]): Lane {
  const from = new FakeSocket()
  const sockets = [new FakeSocket(), new FakeSocket()]
  const outlets = sockets.map((socket) => new Outlet(socket.asSocket, () => connection.resumeRequest()))
  const over: (() => void)[] = []
  const nothing = (): void => {}
  let served = 0
  const end = (nth: number): void => {
    if (uploads[nth]![1]) connection.finish(true)
    else over.push(() => connection.finish(true))
  }
  const connection: ServerConnection<number> = new ServerConnection<number>(
    {
      events: {
        open: () => served++,
        serve(nth, before, buffer, start, end_) {
          const head = heads[nth]!
          if (!outlets[nth % 2]!.sendTextAndBytes(head + before, buffer, start, end_)) connection.pauseRequest()
          if (connection.isRequestComplete) end(nth)
        },
        requestBytes: (nth, before, buffer, start, end_) => outlets[nth % 2]!.sendRun(before, buffer, start, end_),
        requestEnd: end,
        requestFailed: (_nth, failure) => assert.fail(failure),
        shutDown: nothing,
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
  const head = (i: number): string => `POST /${index}.${i} HTTP/1.1\r\nHost: a\r\n`
  const heads = uploads.map(([each], i) => head(i) + framing(each))
  const passed = uploads.map(([each], i) => head(i) + write(`${index}.${i}`, each))
  return open({
    from,
    outs: sockets.map((socket, way) => ({ socket, expected: passed.filter((_, i) => i % 2 === way).join('') })),
    reader: connection,
    text: uploads.map(([each], i) => head(i) + write(`${index}.${i}`, each, ';a="b"')).join(''),
    readsOn: false,
    finish: () => over.shift()?.(),
  })
}

function downloadLane(index: number, answer: Body, isEncrypted: boolean): Lane {
  const from = new FakeSocket()
  const to = new FakeSocket()
  const outlet = new Outlet(to.asSocket, () => connection.resumeResponse())
  const nothing = (): void => {}
  const events: UpstreamEvents<object> = {
    interim: () => assert.fail('interim'),
    switched: () => assert.fail('switched'),
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
  const connection: ClientConnection<object> = new ClientConnection<object>(
    { events, keep: nothing, putBack: nothing, keepsForOwner: () => false, closed: nothing },
    '',
    '',
  )
  connection.attach(from.asSocket)
  connection.begin({}, false, false)
  connection.sendHead('', 'GET', '', NO_BYTES, 0, 0)
  const head = 'HTTP/1.1 200 OK\r\n'
  return open({
    from,
    outs: [{ socket: to, expected: head + write(`${index}`, answer) }],
    reader: connection,
    text: head + write(`${index}`, answer, ';a="b"'),
    readsOn: isEncrypted,
    finish: nothing,
  })
}

/** Three clients, each with its uploads, and in which order what happens. */
export interface Uploads {
  readonly clients: readonly (readonly Upload[])[]
  readonly order: readonly Step[]
}

export const uploads: ValueTarget<Uploads> = {
  name: 'uploads',
  about: 'uploads of several clients at once arrive byte for byte',
  values: (scale) =>
    fc.record({
      clients: fc.array(fc.array(fc.tuple(body, fc.boolean()), { minLength: 1, maxLength: 2 + scale }), {
        minLength: 3,
        maxLength: 3,
      }),
      order: steps(scale),
    }),
  async check({ clients, order }) {
    await run(
      clients.map((requests, i) => uploadLane(i, requests)),
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
  async check({ answers, order }) {
    await run(
      answers.map(([answer, isEncrypted], i) => downloadLane(i, answer, isEncrypted)),
      order,
    )
    return 'arrived'
  },
}
