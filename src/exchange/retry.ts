import type { FailureCode } from '../failure.ts'
import { isIdempotent } from '../http/method.ts'
import { ByteStore } from '../runtime/byte-store.ts'
import type { Exchange } from './exchange.ts'

/** How much of a request body is kept for sending it once more. */
const REPLAY_BYTES = 65_536

/**
 * The one retry decision for bytes that have left. A provider may have acted on them, and tokens cost money: only an idempotent
 * request (RFC 9110 section 9.2.2) goes out again, once, and only when a kept-alive connection ended before a single byte
 * of a response. (Where no byte had left, connecting goes on by itself: see upstream/connect.)
 */
export function mayRetry(exchange: Exchange, failure: FailureCode, anyByte: boolean): boolean {
  return failure === 'reused_conn_lost' && !anyByte && !exchange.hasRetried && exchange.replay !== undefined
}

/** Begins to keep the body of a request that may have to go out again. */
export function keepForReplay(exchange: Exchange): void {
  const { method, repeated } = exchange.head!
  if (!isIdempotent(method)) return
  exchange.replay = new ByteStore()
  // Only now are its bytes there.
  if (repeated !== undefined && exchange.upstreamHead === '') exchange.upstreamHead = repeated.text()
}

/** It cannot go out again, or need not: its memory is for others. */
export function dropReplay(exchange: Exchange): void {
  exchange.replay?.clear()
  exchange.replay = undefined
}

/** Adds body bytes; past the bound the request cannot be sent again any more. */
export function addToReplay(exchange: Exchange, before: string, buffer: Buffer, start: number, end: number): void {
  const replay = exchange.replay
  if (replay === undefined) return
  if (replay.length + before.length + end - start > REPLAY_BYTES) {
    dropReplay(exchange)
    return
  }
  replay.addText(before)
  replay.add(buffer, start, end)
}

/** A piece of a body in memory of its own. */
export function copyPiece(before: string, buffer: Buffer, start: number, end: number): Buffer {
  const piece = Buffer.allocUnsafeSlow(before.length + end - start)
  piece.write(before, 0, 'latin1')
  buffer.copy(piece, before.length, start, end)
  return piece
}
