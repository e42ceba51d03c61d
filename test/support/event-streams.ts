import assert from 'node:assert/strict'
import { get } from './bytes.ts'
import type { OriginRequest } from './origin.ts'
import { connect, type RawClient } from './raw-client.ts'

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'

/** The n-th event of a stream; every one differs from all the others. */
const event = (stream: number, n: number): string =>
  `data: {"stream":${stream},"event":${n},"choices":[{"index":0,"delta":{"content":" word ${n}"},"finish_reason":null}]}\n\n`

interface Running {
  readonly request: OriginRequest
  /** From the request target. */
  readonly stream: number
  sent: number
}

function sendNext(running: Running): void {
  const content = event(running.stream, running.sent++)
  void running.request.connection.write(`${content.length.toString(16)}\r\n${content}\r\n`)
}

/** The upstream's side of many event streams at once: one event at once, one at every tick, until it is told to end them. */
export class EventStreams implements Disposable {
  /** Events that each stream has got in the end. */
  readonly ended = new Map<number, number>()
  /** Provider keys that they came with. */
  readonly credentials = new Map<number, string | undefined>()
  readonly #running = new Map<number, Running>()
  readonly #timer: NodeJS.Timeout

  constructor(everyMs: number) {
    this.#timer = setInterval(() => this.#tick(), everyMs)
  }

  get running(): number {
    return this.#running.size
  }

  /** Answers a request for `…/stream/<number>`. */
  async answer(request: OriginRequest): Promise<void> {
    await request.ended()
    const stream = Number(/\/stream\/(\d+)$/.exec(request.target)?.[1])
    this.credentials.set(stream, request.message.value('authorization'))
    await request.connection.write(HEAD)
    const running: Running = { request, stream, sent: 0 }
    this.#running.set(stream, running)
    sendNext(running)
  }

  /** The last event and the end of every stream that runs. */
  finish(): void {
    for (const { request, stream, sent } of this.#running.values()) {
      this.ended.set(stream, sent)
      void request.connection.write('c\r\ndata: [DONE]\r\n0\r\n\r\n')
    }
    this.#running.clear()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    for (const running of this.#running.values()) sendNext(running)
  }
}

/** The client's side of one stream. */
export interface StreamReader extends Disposable {
  readonly client: RawClient
  readonly stream: number
}

/** Asks for the stream `<prefix>/stream/<number>`; resolves when its first event has come. */
export async function openStream(port: number, prefix: string, stream: number): Promise<StreamReader> {
  const client = await connect(port)
  void client.write(get(`${prefix}/stream/${stream}`))
  await client.untilContent('"event":0,')
  return { client, stream, [Symbol.dispose]: () => client[Symbol.dispose]() }
}

/** As many, numbered from `first` on, opened a few at a time. */
export async function openStreams(port: number, prefix: string, count: number, first = 0): Promise<StreamReader[]> {
  const readers: StreamReader[] = []
  const numbers = Array.from({ length: count }, (_, i) => first + i).values()
  const lane = async (): Promise<void> => {
    for (const stream of numbers) readers.push(await openStream(port, prefix, stream))
  }
  await Promise.all(Array.from({ length: 16 }, lane))
  return readers
}

/** Every event that was sent has come, in order, in a chunk of its own, and the end. */
export async function assertWhole(reader: StreamReader, streams: EventStreams): Promise<void> {
  const { client, stream } = reader
  const response = await client.response()
  const sent = streams.ended.get(stream)
  assert.ok(sent !== undefined && sent > 0, `stream ${stream} has ended upstream`)
  assert.equal(response.status, 200)
  assert.equal(response.state, 'complete', `stream ${stream}`)
  let expected = ''
  for (let n = 0; n < sent; n++) expected += event(stream, n)
  assert.equal(response.text, `${expected}data: [DONE]`, `stream ${stream}`)
  assert.equal(response.chunks.length, sent + 1)
}
