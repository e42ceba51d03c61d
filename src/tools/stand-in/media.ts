/** Small files that are what they say: sound that plays, an image that shows. The same for the same text. */
import { crc32, deflateSync } from 'node:zlib'

const SAMPLE_RATE = 24_000
const TONE_HZ = 440
/** A tenth of full scale: somebody may wear headphones. */
const AMPLITUDE = 3276
const MS_PER_WORD = 100
const MAX_MS = 5000

function durationMs(words: number): number {
  return Math.min(Math.max(words, 1) * MS_PER_WORD, MAX_MS)
}

/** Signed 16-bit samples, little-endian, mono, 24 kHz, as OpenAI's `pcm` is: a tone as long as the words would take. */
export function makePcm(words: number): Buffer {
  const samples = (durationMs(words) * SAMPLE_RATE) / 1000
  const bytes = Buffer.alloc(samples * 2)
  for (let n = 0; n < samples; n++) {
    bytes.writeInt16LE(Math.round(AMPLITUDE * Math.sin((2 * Math.PI * TONE_HZ * n) / SAMPLE_RATE)), n * 2)
  }
  return bytes
}

/** The same with its RIFF header. */
export function makeWav(words: number): Buffer {
  const pcm = makePcm(words)
  const head = Buffer.alloc(44)
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(36 + pcm.length, 4)
  head.write('WAVEfmt ', 8, 'latin1')
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20) // PCM
  head.writeUInt16LE(1, 22) // mono
  head.writeUInt32LE(SAMPLE_RATE, 24)
  head.writeUInt32LE(SAMPLE_RATE * 2, 28)
  head.writeUInt16LE(2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(pcm.length, 40)
  return Buffer.concat([head, pcm])
}

/** MPEG-1 layer III, 32 kbit/s, 44.1 kHz, mono: 144 · 32 000 / 44 100 bytes a frame. Without any main data it is silence. */
const MP3_HEADER = Buffer.from([0xff, 0xfb, 0x10, 0xc4])
const MP3_FRAME_BYTES = 104
const MP3_FRAME_MS = 26.12

export function makeMp3(words: number): Buffer {
  const frames = Math.ceil(durationMs(words) / MP3_FRAME_MS)
  const bytes = Buffer.alloc(frames * MP3_FRAME_BYTES)
  for (let at = 0; at < bytes.length; at += MP3_FRAME_BYTES) MP3_HEADER.copy(bytes, at)
  return bytes
}

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const PNG_SIDE = 8

/** Eight by eight pixels of one colour, RGB in six hex digits. */
export function makePng(colour: string): Buffer {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(PNG_SIDE, 0)
  head.writeUInt32BE(PNG_SIDE, 4)
  head.set([8, 2, 0, 0, 0], 8) // 8 bits, RGB, deflate, no filter, not interlaced
  const row = `00${colour.repeat(PNG_SIDE)}`
  const pixels = deflateSync(Buffer.from(row.repeat(PNG_SIDE), 'hex'))
  return Buffer.concat([
    PNG_SIGNATURE,
    pngChunk('IHDR', head),
    pngChunk('IDAT', pixels),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

function pngChunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(content.length, 0)
  ends.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
}
