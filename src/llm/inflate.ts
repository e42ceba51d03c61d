import {
  type BrotliDecompress,
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  type Gunzip,
  type Inflate,
  type InflateRaw,
  type ZstdDecompress,
} from 'node:zlib'
import { awaitDecoder, enterDecoder, leaveDecoder, type Stay } from './decoders.ts'
import type { UnknownReason } from './usage.ts'

/**
 * Compressed content, decoded for the tap alone: copied while it passes, and inflated at its end by libuv's threads. Content that
 * grows past 64 KiB is fed to its decoder in blocks while it goes on.
 */

const BLOCK_BYTES = 16_384
const COLLECTED_BLOCKS = 4
/** So many blocks may wait for a decoder; a content that comes faster is given up. */
const BLOCKS_BEHIND = 8
/** A bomb is given up here; a large image in base64 is not. */
const MAX_OUTPUT_BYTES = 67_108_864
const MAX_SPARE = 64

export type Coding = 'gzip' | 'deflate' | 'br' | 'zstd'

type Stream = Gunzip | Inflate | InflateRaw | BrotliDecompress | ZstdDecompress

const spare: Buffer[] = []

/** A content's coding; undefined for one, or several, that nobody here decodes, null for none. */
export function codingOf(field: string | undefined): Coding | null | undefined {
  switch (field?.trim().toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return null
    case 'gzip':
    case 'x-gzip':
      return 'gzip'
    case 'deflate':
      return 'deflate'
    case 'br':
      return 'br'
    case 'zstd':
      return 'zstd'
    default:
      return undefined
  }
}

export interface InflaterSink {
  /** A piece of what is decoded, which came of octets that were added after so many marks. */
  output(bytes: Buffer, marks: number): void
  /** All output has been given, or there will be no more. Once, in a later turn, after `end`. */
  over(failure: UnknownReason | undefined): void
}

/** Decodes one content. Truncated content gives all that it holds. */
export class Inflater {
  readonly #coding: Coding
  readonly #sink: InflaterSink
  #blocks: Buffer[] = []
  /** Of the last block. */
  #used = BLOCK_BYTES
  #stream: Stream | undefined
  #added = 0
  #fed = 0
  /** Where the marks are: the octets that had been added. */
  readonly #marks: number[] = []
  /** The writes that are not done yet, by the marks before each. */
  readonly #writes: number[] = []
  #blocksBehind = 0
  #produced = 0
  #failure: UnknownReason | undefined
  #isOver = false
  #isEnded = false

  constructor(coding: Coding, sink: InflaterSink) {
    this.#coding = coding
    this.#sink = sink
  }

  /** Tells the octets before from those behind. */
  mark(): void {
    this.#marks.push(this.#added)
  }

  /** Copies these octets. */
  add(bytes: Buffer): void {
    for (let from = 0; from < bytes.length && !this.#isOver; ) {
      if (this.#used === BLOCK_BYTES && !this.#nextBlock()) return
      const length = Math.min(bytes.length - from, BLOCK_BYTES - this.#used)
      bytes.copy(this.#blocks.at(-1)!, this.#used, from, from + length)
      this.#used += length
      this.#added += length
      from += length
    }
  }

  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    if (this.#isOver || this.#added === 0) {
      this.#isOver = true
      queueMicrotask(() => this.#sink.over(this.#failure))
      return
    }
    const last = (): void => {
      if (this.#stream === undefined) this.#open('short')
      this.#feed()
      this.#stream?.end()
    }
    if (this.#stream !== undefined) last()
    else if (!awaitDecoder(last)) this.#finish('overload')
  }

  #nextBlock(): boolean {
    if (this.#stream === undefined && this.#blocks.length === COLLECTED_BLOCKS) {
      if (enterDecoder()) this.#open('lasting')
      else this.#finish('overload')
    }
    if (this.#stream !== undefined) this.#feed()
    if (this.#blocksBehind > BLOCKS_BEHIND) this.#finish('overload')
    if (this.#isOver) return false
    this.#blocks.push(spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES))
    this.#used = 0
    return true
  }

  /** With a place for it. */
  #open(stay: Stay): void {
    let stream: Stream
    try {
      stream = createDecoder(this.#coding, this.#blocks[0]!)
    } catch {
      leaveDecoder(stay)
      this.#finish('bug')
      return
    }
    this.#stream = stream
    stream.once('close', () => leaveDecoder(stay))
    stream.once('error', () => this.#finish('corrupt'))
    stream.once('end', () => this.#finish(undefined))
    stream.on('data', (bytes: Buffer) => {
      this.#produced += bytes.length
      if (this.#produced > MAX_OUTPUT_BYTES) this.#finish('too_large')
      else if (!this.#isOver) this.#sink.output(bytes, this.#writes[0] ?? this.#marks.length)
    })
  }

  /** Hands over all that has been collected, cut where there are marks. The thread that reads a block has it until it says so. */
  #feed(): void {
    const blocks = this.#isOver ? [] : this.#blocks
    this.#blocks = []
    for (const [index, block] of blocks.entries()) {
      const length = index === blocks.length - 1 ? this.#used : BLOCK_BYTES
      this.#blocksBehind++
      let from = 0
      for (const mark of this.#marks) {
        const at = mark - this.#fed
        if (at <= from || at >= length) continue
        this.#write(block.subarray(from, at), this.#fed + from)
        from = at
      }
      this.#write(block.subarray(from, length), this.#fed + from, block)
      this.#fed += length
    }
    this.#used = BLOCK_BYTES
  }

  #write(bytes: Buffer, offset: number, block?: Buffer): void {
    this.#writes.push(this.#marks.filter((mark) => mark <= offset).length)
    this.#stream?.write(bytes, (error) => {
      this.#writes.shift()
      if (block === undefined) return
      this.#blocksBehind--
      if (error === null || error === undefined) giveBack(block)
    })
  }

  #finish(failure: UnknownReason | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#failure = failure
    for (const block of this.#blocks) giveBack(block)
    this.#blocks = []
    // A stream that has come to its end before its writer has does not close by itself.
    this.#stream?.destroy()
    if (this.#isEnded) this.#sink.over(failure)
  }
}

function giveBack(block: Buffer): void {
  if (spare.length < MAX_SPARE) spare.push(block)
}

function createDecoder(coding: Coding, start: Buffer): Stream {
  const lenient = { finishFlush: constants.Z_SYNC_FLUSH, chunkSize: BLOCK_BYTES }
  switch (coding) {
    case 'gzip':
      return createGunzip(lenient)
    case 'deflate':
      return isZlib(start) ? createInflate(lenient) : createInflateRaw(lenient)
    case 'br':
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH, chunkSize: BLOCK_BYTES })
    case 'zstd':
      return createZstdDecompress({ finishFlush: constants.ZSTD_e_flush, chunkSize: BLOCK_BYTES })
  }
}

/** RFC 1950 section 2.2. Servers send either, although RFC 9110 section 8.4.1.2 means the one with these two octets. */
function isZlib(start: Buffer): boolean {
  return (start[0]! & 0x0f) === 8 && start.readUInt16BE(0) % 31 === 0
}
