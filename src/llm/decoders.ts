/** Decoders at work on this thread. One of br or zstd may hold a window of megabytes, so there are not many of them. */
export const MAX_DECODERS = 64
/**
 * Of these, so many may last: the decoder of a long stream, or of a tunnel, is left when that ends, perhaps in an hour. The rest is
 * for contents that have ended, whose records would wait for it.
 */
export const MAX_LASTING = 56
/** Contents that have ended and wait for one to become free. */
const MAX_WAITING = 256

export type Stay = 'lasting' | 'short'

let working = 0
let lasting = 0
const waiting: (() => void)[] = []

export function decodersAtWork(): number {
  return working
}

/** A lasting place for a decoder, which has to be left once. */
export function enterDecoder(): boolean {
  if (lasting >= MAX_LASTING || working >= MAX_DECODERS) return false
  lasting++
  working++
  return true
}

/** Calls back with a place for a short time, now or when one is left; false if too many wait for one. */
export function awaitDecoder(enter: () => void): boolean {
  if (working < MAX_DECODERS) {
    working++
    enter()
  } else if (waiting.length < MAX_WAITING) waiting.push(enter)
  else return false
  return true
}

export function leaveDecoder(stay: Stay): void {
  if (stay === 'lasting') lasting--
  const next = waiting.shift()
  if (next === undefined) working--
  else next()
}
