import { constants, createDeflateRaw } from 'node:zlib'
import type { UsageCase } from './usage-vectors.ts'

/** A frame of WebSocket: `first` is its first octet, `mask` that of a client. */
export function frame(first: number, payload: Buffer, mask?: Buffer): Buffer {
  const { length } = payload
  const isMasked = mask === undefined ? 0 : 0x80
  let head = Buffer.from([first, isMasked | (length < 126 ? length : length < 65_536 ? 126 : 127)])
  if (length >= 65_536) {
    const extended = Buffer.alloc(8)
    extended.writeBigUInt64BE(BigInt(length))
    head = Buffer.concat([head, extended])
  } else if (length >= 126) head = Buffer.concat([head, Buffer.from([length >> 8, length & 255])])
  if (mask === undefined) return Buffer.concat([head, payload])
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ mask[index & 3]!)])
}

/** A side of a tunnel that deflates its messages, each of which may refer to those before it. */
export function deflater(): (text: Buffer) => Promise<Buffer> {
  const stream = createDeflateRaw()
  let out: Buffer[] = []
  stream.on('data', (bytes: Buffer) => out.push(bytes))
  return (text) =>
    new Promise((settle) => {
      stream.write(text)
      stream.flush(constants.Z_SYNC_FLUSH, () => {
        const whole = Buffer.concat(out)
        out = []
        settle(whole.subarray(0, -4))
      })
    })
}

export interface Sent {
  readonly from: 'client' | 'server'
  readonly bytes: Buffer
}

/** The frames of a vector, in their order. */
export async function framesOf({ frames = [], deflate = false }: UsageCase): Promise<Sent[]> {
  const sides = { client: deflater(), server: deflater() }
  const sent: Sent[] = []
  for (const one of frames) {
    if (one['server_ping'] !== undefined) {
      sent.push({ from: 'server', bytes: frame(0x89, Buffer.from(String(one['server_ping']))) })
      continue
    }
    const from = one['client'] === undefined ? 'server' : 'client'
    const opcode = one['server_binary'] === undefined ? 1 : 2
    const text = Buffer.from(String(one['client'] ?? one['server'] ?? one['server_binary']))
    const payload = deflate ? await sides[from](text) : text
    const count = Number(one['fragments'] ?? 1)
    const size = Math.ceil(payload.length / count)
    for (let index = 0; index < count; index++) {
      const part = payload.subarray(index * size, (index + 1) * size)
      const isFirst = index === 0
      const first = (index === count - 1 ? 0x80 : 0) | (isFirst && deflate ? 0x40 : 0) | (isFirst ? opcode : 0)
      sent.push({ from, bytes: frame(first, part, from === 'client' ? Buffer.from([7, 99, 200, index]) : undefined) })
      if (index === 1) sent.push({ from: 'server', bytes: frame(0x89, Buffer.from('{"usage":1}')) })
    }
  }
  return sent
}
