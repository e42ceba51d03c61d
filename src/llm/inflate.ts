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
/** A decoder of br or zstd may hold a window of megabytes. */
export const MAX_DECODERS = 64
/** Ends that wait for a decoder to become free. */
const MAX_WAITING = 256
const MAX_SPARE = 64

export type Coding = 'gzip' | 'deflate' | 'br' | 'zstd'

type Stream = Gunzip | Inflate | InflateRaw | BrotliDecompress | ZstdDecompress

let working = 0
const waiting: (() => void)[] = []
const spare: Buffer[] = []

/** Decoders at work on this thread: for tests. */
export function decodersAtWork(): number {
  return working
}

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

export interface Inflater {
  /** Copies these octets. */
  add(bytes: Buffer): void
  /** Calls back once, in a later turn, when all output has been given. */
  end(callback: (failure: UnknownReason | undefined) => void): void
}

/** `onOutput` gets what it decodes, piece by piece; truncated content gives all that it holds. */
export function openInflater(coding: Coding, onOutput: (bytes: Buffer) => void): Inflater {
  let blocks: Buffer[] = []
  let used = BLOCK_BYTES
  let stream: Stream | undefined
  let behind = 0
  let produced = 0
  let failure: UnknownReason | undefined
  let isOver = false
  let whenOver: ((failure: UnknownReason | undefined) => void) | undefined

  const settle = (): void => {
    if (isOver && whenOver !== undefined) {
      const callback = whenOver
      whenOver = undefined
      callback(failure)
    }
  }
  const finish = (reason?: UnknownReason): void => {
    if (isOver) return
    isOver = true
    failure = reason
    for (const block of blocks) giveBack(block)
    blocks = []
    if (reason !== undefined) stream?.destroy()
    settle()
  }
  const open = (): void => {
    working++
    stream = createDecoder(coding, blocks[0]!)
    stream.once('close', leave)
    stream.on('data', (bytes: Buffer) => {
      produced += bytes.length
      if (produced > MAX_OUTPUT_BYTES) finish('too_large')
      else if (!isOver) onOutput(bytes)
    })
    stream.once('error', () => finish('corrupt'))
    stream.once('end', () => finish())
  }
  /** Hands over the blocks that are full. The thread that reads one has it until it says so. */
  const feed = (last: number): void => {
    for (const [index, block] of blocks.entries()) {
      const bytes = index === blocks.length - 1 ? block.subarray(0, last) : block
      behind++
      stream!.write(bytes, (error) => {
        behind--
        if (error === null || error === undefined) giveBack(block)
      })
    }
    blocks = []
  }

  return {
    add(bytes) {
      for (let from = 0; from < bytes.length && !isOver; ) {
        if (used === BLOCK_BYTES) {
          if (stream === undefined && blocks.length === COLLECTED_BLOCKS) {
            if (working >= MAX_DECODERS) return finish('overload')
            open()
          }
          if (stream !== undefined) feed(BLOCK_BYTES)
          if (behind > BLOCKS_BEHIND) return finish('overload')
          blocks.push(spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES))
          used = 0
        }
        const length = Math.min(bytes.length - from, BLOCK_BYTES - used)
        bytes.copy(blocks.at(-1)!, used, from, from + length)
        used += length
        from += length
      }
    },
    end(callback) {
      whenOver = callback
      if (!isOver && stream === undefined && blocks.length === 0) isOver = true
      if (isOver) return settle()
      const last = (): void => {
        if (stream === undefined) open()
        feed(used)
        stream!.end()
      }
      if (stream !== undefined || working < MAX_DECODERS) last()
      else if (waiting.length < MAX_WAITING) waiting.push(last)
      else finish('overload')
    },
  }
}

function leave(): void {
  working--
  waiting.shift()?.()
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
