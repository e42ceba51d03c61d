import {
  brotliCompressSync,
  constants,
  createDeflate,
  createGzip,
  type Deflate,
  deflateRawSync,
  type Gzip,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'
import { answerOf, bytesOf, fieldsOf, type UsageCase } from './usage-vectors.ts'

/** As providers and proxies compress answers: flushed after each piece, or whole. */
export const CODINGS = {
  gzip: (pieces) => flushed(createGzip(), pieces),
  'gzip at once': async (pieces) => [gzipSync(Buffer.concat(pieces))],
  deflate: (pieces) => flushed(createDeflate(), pieces),
  'deflate, raw': async (pieces) => [deflateRawSync(Buffer.concat(pieces))],
  br: async (pieces) => [
    brotliCompressSync(Buffer.concat(pieces), { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  ],
  zstd: async (pieces) => [zstdCompressSync(Buffer.concat(pieces))],
} satisfies Record<string, (pieces: readonly Buffer[]) => Promise<Buffer[]>>

async function flushed(stream: Gzip | Deflate, pieces: readonly Buffer[]): Promise<Buffer[]> {
  const out: Buffer[] = []
  stream.on('data', (bytes: Buffer) => out.push(bytes))
  for (const piece of pieces) {
    await new Promise<void>((written) => stream.write(piece, () => written()))
    await new Promise<void>((done) => stream.flush(() => done()))
  }
  await new Promise<void>((done) => stream.end(() => done()))
  return out
}

export function hasCoding(one: UsageCase): boolean {
  return fieldsOf(one)('content-encoding') !== undefined
}

export function piecesOf(one: UsageCase): Buffer[] {
  return one.pieces?.map(bytesOf) ?? [answerOf(one)]
}
