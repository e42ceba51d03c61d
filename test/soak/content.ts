import { Buffer } from 'node:buffer'
import type { Random } from '../fuzz/random.ts'

/** How a message's body is framed; `close`: it ends with its connection. */
export type Framing = 'none' | 'length' | 'chunked' | 'close'

export interface Body {
  readonly framing: Framing
  /** Bytes of content. */
  readonly size: number
}

/** What a record counts. */
export function contentBytes({ framing, size }: Body): number {
  return framing === 'none' ? 0 : size
}

const MARK_EVERY = 1_000

/** Bytes that say whose they are and, now and then, where in it they stand. */
export function contentOf(owner: string, size: number): Buffer {
  const bytes = Buffer.alloc(size, `<${owner}>`, 'latin1')
  for (let at = MARK_EVERY; at + 20 < size; at += MARK_EVERY) bytes.write(` ${at} `, at, 'latin1')
  return bytes
}

/** Where these bytes are not the owner's, if anywhere. */
export function differs(seen: Buffer, owner: string, size: number): string | undefined {
  const wanted = contentOf(owner, size)
  if (seen.equals(wanted)) return undefined
  let at = 0
  while (at < size && seen[at] === wanted[at]) at++
  const found = JSON.stringify(seen.toString('latin1', at, at + 60))
  return `${seen.length} bytes instead of ${size}, other ones from ${at}: ${found}`
}

export interface Wire {
  /** Framing fields, each with its line end. */
  readonly fields: string
  readonly bytes: Buffer
}

/** A body as it goes over the wire, in chunks of any size. */
export function encode(owner: string, body: Body, random: Random): Wire {
  const content = contentOf(owner, body.size)
  if (body.framing === 'none') return { fields: '', bytes: Buffer.alloc(0) }
  if (body.framing === 'close') return { fields: '', bytes: content }
  if (body.framing === 'length') return { fields: `Content-Length: ${body.size}\r\n`, bytes: content }
  const parts: Buffer[] = []
  for (let at = 0; at < content.length; ) {
    const chunk = content.subarray(at, at + 1 + random.below(random.pick([20, 2_000, 70_000])))
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
    at += chunk.length
  }
  const trailer = random.below(4) === 0 ? `X-Owner: ${owner}\r\n` : ''
  parts.push(Buffer.from(`0\r\n${trailer}\r\n`))
  return { fields: 'Transfer-Encoding: chunked\r\n', bytes: Buffer.concat(parts) }
}

/** The same bytes in up to so many pieces. */
export function pieces(bytes: Buffer, most: number, random: Random): Buffer[] {
  const cuts = Array.from({ length: random.below(most) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b)
  return [...cuts, bytes.length]
    .map((cut, i) => bytes.subarray(cuts[i - 1] ?? 0, cut))
    .filter((piece) => piece.length > 0)
}

/** Mostly small, sometimes none, now and then large. */
export function anySize(random: Random): number {
  return random.below(random.pick([1, 300, 300, 3_000, 20_000, 200_000]))
}
