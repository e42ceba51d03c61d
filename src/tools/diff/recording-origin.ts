import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { HOLD_MS, type Place } from './client.ts'
import type { Message } from './message.ts'
import { MessageReader, type Progress } from './message-reader.ts'

/** A provider that keeps every byte it is sent and answers with the bytes it was given, one request at a time. */

export interface Answer {
  /** Each is sent when the one before it has arrived at the client. */
  readonly pieces: readonly Buffer[]
  /** Sent as soon as the request's head is there: a 100. */
  readonly interim?: Buffer
  /** `head`: the answer does not wait for the end of the request. */
  readonly after?: 'head' | 'request'
  /** What becomes of the connection. */
  readonly end?: 'keep' | 'close' | 'reset'
}

/** One request that is to come, and what it is answered with. */
export interface Visit {
  readonly method: string
  readonly answer: Answer
  /** Counts what has come of the request. */
  readonly arrived: Progress
  /** Counts what has come of the answer at the client. */
  readonly answered: Progress
}

export interface Visited {
  /** Undefined: no request has come. */
  readonly request: Message | undefined
  /** How many requests have come: one, unless somebody sent it again. */
  readonly requests: number
  /** A piece of the answer had not come through when the next one was due. */
  readonly isAnswerHeld: boolean
}

interface OpenVisit extends Visit {
  readers: MessageReader[]
  isAnswerHeld: boolean
  noteEnd: () => void
  readonly ended: Promise<void>
}

export class RecordingOrigin {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #visit: OpenVisit | undefined
  #host = ''

  constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
  }

  /** Rejects if the address cannot be listened on. */
  async listen(host: string, port: number): Promise<void> {
    this.#host = host
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
  }

  /** Where to connect to it. */
  get place(): Place {
    const { port } = this.#server.address() as AddressInfo
    const host = this.#host
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
    return { role: 'recording origin', scheme: 'http', host, port, authority, basePath: '' }
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  expect(visit: Visit): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#visit = { ...visit, readers: [], isAnswerHeld: false, ended: promise, noteEnd: resolve }
  }

  /** What has come since `expect`. A request that is still on its way gets a moment to end. */
  async takeVisit(): Promise<Visited> {
    const visit = this.#visit!
    const reader = visit.readers[0]
    if (reader !== undefined && !reader.isOver) {
      const timer = setTimeout(visit.noteEnd, HOLD_MS)
      await visit.ended
      clearTimeout(timer)
    }
    this.#visit = undefined
    return { request: reader?.message(), requests: visit.readers.length, isAnswerHeld: visit.isAnswerHeld }
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    let visit: OpenVisit | undefined
    let reader: MessageReader | undefined
    const look = (): void => {
      if (reader?.isOver) visit?.noteEnd()
    }
    const close = (): void => {
      reader?.close(false)
      look()
    }
    socket.on('data', (bytes: Buffer) => {
      if (reader === undefined || reader.isOver) {
        visit = this.#visit
        // Nobody was to send anything.
        if (visit === undefined) {
          socket.destroy()
          return
        }
        reader = new MessageReader(undefined, visit.arrived)
        visit.readers.push(reader)
      }
      const hadHead = reader.head !== undefined
      reader.push(bytes)
      look()
      if (!hadHead && reader.head !== undefined) void answer(socket, reader, visit!)
    })
    socket.on('end', close)
    socket.on('error', close)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      close()
    })
  }
}

async function answer(socket: Socket, request: MessageReader, visit: OpenVisit): Promise<void> {
  const { pieces, interim, after = 'request', end = 'keep' } = visit.answer
  const sent = new MessageReader(visit.method)
  const write = (bytes: Buffer): void => {
    sent.push(bytes)
    if (socket.writable) socket.write(bytes)
  }
  const arrives = (): Promise<boolean> => visit.answered.reached(sent.progress.made, HOLD_MS)
  if (interim !== undefined) write(interim)
  if (after === 'request' && !request.isOver) await visit.ended
  for (const [index, piece] of pieces.entries()) {
    if (index > 0 && !visit.isAnswerHeld) visit.isAnswerHeld = !(await arrives())
    write(piece)
  }
  if (end === 'keep') return
  // What is still on its way would be lost with a reset.
  await arrives()
  if (end === 'close') socket.end()
  else socket.resetAndDestroy()
}
