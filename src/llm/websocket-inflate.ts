import { constants, createInflateRaw, type InflateRaw } from 'node:zlib'
import { enterDecoder, leaveDecoder } from './decoders.ts'
import type { UnknownReason } from './usage.ts'

/** With these a message ends that its sender has left them out of (RFC 7692 section 7.2.1). */
const TAIL = Buffer.from([0, 0, 0xff, 0xff])
/** So many octets may wait for libuv's threads; a tunnel that is faster is given up. */
const MAX_BEHIND_BYTES = 1_048_576

export interface MessageInflaterSink {
  piece(bytes: Buffer): void
  end(): void
  fail(reason: UnknownReason): void
}

/**
 * Messages of a tunnel with permessage-deflate, one after another: what one of them says may refer to those before it, so all of
 * them go through one decoder, whether anybody wants to know them or not.
 */
export class MessageInflater {
  readonly #sink: MessageInflaterSink
  #stream: InflateRaw | undefined
  /** Pieces, and `undefined` where a message ends. The first one may be at work. */
  #queue: (Buffer | undefined)[] = []
  #isBusy = false
  #behind = 0
  #sent = 0
  #done = 0
  #isOver = false
  #tasks: { readonly after: number; readonly run: () => void }[] = []

  constructor(sink: MessageInflaterSink) {
    this.#sink = sink
  }

  /** Copies a piece of the message that goes on. */
  add(bytes: Buffer): void {
    if (this.#isOver) return
    this.#behind += bytes.length
    if (this.#behind > MAX_BEHIND_BYTES) this.#fail('overload')
    else this.#push(Buffer.from(bytes))
  }

  endMessage(): void {
    if (this.#isOver) return
    this.#sent++
    this.#push(undefined)
  }

  /** Runs this when the messages that have been added so far are through: at once if they are. */
  after(run: () => void): void {
    this.#tasks.push({ after: this.#sent, run })
    this.#runTasks()
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stream?.destroy()
    this.#stream = undefined
    this.#queue = []
    this.#done = this.#sent
    this.#runTasks()
  }

  #runTasks(): void {
    while (this.#tasks.length > 0 && this.#tasks[0]!.after <= this.#done) this.#tasks.shift()!.run()
  }

  #push(piece: Buffer | undefined): void {
    this.#queue.push(piece)
    this.#pump()
  }

  /** One at a time: the callback of a write comes when all of its output has been given. */
  #pump(): void {
    if (this.#isBusy || this.#isOver || this.#queue.length === 0) return
    const stream = this.#open()
    if (stream === undefined) return
    const piece = this.#queue.shift()
    this.#isBusy = true
    stream.write(piece ?? TAIL, (error) => {
      this.#isBusy = false
      if (this.#isOver || (error !== undefined && error !== null)) return
      if (piece === undefined) this.#endMessage()
      else this.#behind -= piece.length
      this.#pump()
    })
  }

  #endMessage(): void {
    this.#done++
    this.#sink.end()
    // A sender may end its stream with a message (RFC 7692 section 7.2.3.5 shows one); the next one begins another.
    if (this.#stream?.readableEnded === true) {
      this.#stream.destroy()
      this.#stream = undefined
    }
    this.#runTasks()
  }

  #open(): InflateRaw | undefined {
    if (this.#stream !== undefined) return this.#stream
    if (!enterDecoder()) {
      this.#fail('overload')
      return undefined
    }
    const stream = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH })
    this.#stream = stream
    stream.once('close', () => leaveDecoder('lasting'))
    stream.on('data', (bytes: Buffer) => {
      if (!this.#isOver) this.#sink.piece(bytes)
    })
    stream.once('error', () => this.#fail('corrupt'))
    return stream
  }

  #fail(reason: UnknownReason): void {
    if (this.#isOver) return
    this.#sink.fail(reason)
    this.close()
  }
}
