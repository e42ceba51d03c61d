import { constants, createInflateRaw, type InflateRaw } from 'node:zlib'
import { enterDecoder, leaveDecoder } from './decoders.ts'
import type { UnknownReason } from './usage.ts'

/** With these a message ends that its sender has left them out of (RFC 7692 section 7.2.1). */
const TAIL = Buffer.from([0, 0, 0xff, 0xff])
/** So much may wait for libuv's threads, in memory and not only in octets; a tunnel that is faster is given up. */
const MAX_BEHIND_BYTES = 262_144
/** Small pieces are put together: each write is a way to another thread and back. */
const BLOCK_BYTES = 1_024
/** What an entry costs that has no octets: a message may be empty. */
const ENTRY_BYTES = 64
/** A message that grows beyond is a bomb. */
const MAX_MESSAGE_BYTES = 67_108_864

interface Block {
  readonly bytes: Buffer
  used: number
}

interface Task {
  readonly after: number
  readonly bytes: number
  readonly run: () => void
}

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
  /** Pieces, and `undefined` where a message ends. What is at work is no longer among them. */
  #queue: (Block | undefined)[] = []
  #isBusy = false
  #behind = 0
  #sent = 0
  #done = 0
  #produced = 0
  #isOver = false
  #tasks: Task[] = []

  constructor(sink: MessageInflaterSink) {
    this.#sink = sink
  }

  /** Copies a piece of the message that goes on. */
  add(bytes: Buffer): void {
    if (this.#isOver) return
    const last = this.#queue.at(-1)
    const length = last === undefined ? 0 : Math.min(bytes.length, last.bytes.length - last.used)
    if (last !== undefined) {
      bytes.copy(last.bytes, last.used, 0, length)
      last.used += length
    }
    const rest = bytes.length - length
    if (rest === 0) return
    if (!this.#wait(Math.max(rest, BLOCK_BYTES))) return
    const block = { bytes: Buffer.allocUnsafe(Math.max(rest, BLOCK_BYTES)), used: rest }
    bytes.copy(block.bytes, 0, length)
    this.#push(block)
  }

  endMessage(): void {
    if (this.#isOver) return
    this.#sent++
    if (this.#wait(ENTRY_BYTES)) this.#push(undefined)
  }

  /** Runs this, which holds so many octets, when the messages that have been added so far are through: at once if they are. */
  after(run: () => void, bytes = 0): void {
    this.#tasks.push({ after: this.#sent, bytes: bytes + ENTRY_BYTES, run })
    this.#behind += bytes + ENTRY_BYTES
    this.#runTasks()
    this.#wait(0)
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
    while (this.#tasks.length > 0 && this.#tasks[0]!.after <= this.#done) {
      const task = this.#tasks.shift()!
      this.#behind -= task.bytes
      task.run()
    }
  }

  /** Whether so much more may wait. */
  #wait(bytes: number): boolean {
    this.#behind += bytes
    if (this.#behind > MAX_BEHIND_BYTES) this.#fail('overload')
    return !this.#isOver
  }

  #push(block: Block | undefined): void {
    this.#queue.push(block)
    this.#pump()
  }

  /** One at a time: the callback of a write comes when all of its output has been given. */
  #pump(): void {
    if (this.#isBusy || this.#isOver || this.#queue.length === 0) return
    const stream = this.#open()
    if (stream === undefined) return
    const block = this.#queue.shift()
    this.#isBusy = true
    stream.write(block?.bytes.subarray(0, block.used) ?? TAIL, (error) => {
      this.#isBusy = false
      if (this.#isOver || (error !== undefined && error !== null)) return
      this.#behind -= block?.bytes.length ?? ENTRY_BYTES
      if (block === undefined) this.#endMessage()
      this.#pump()
    })
  }

  #endMessage(): void {
    this.#done++
    this.#produced = 0
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
    let stream: InflateRaw
    try {
      stream = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH })
    } catch {
      leaveDecoder('lasting')
      this.#fail('bug')
      return undefined
    }
    this.#stream = stream
    stream.once('close', () => leaveDecoder('lasting'))
    stream.on('data', (bytes: Buffer) => {
      if (this.#isOver) return
      this.#produced += bytes.length
      if (this.#produced > MAX_MESSAGE_BYTES) this.#fail('too_large')
      else this.#sink.piece(bytes)
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
