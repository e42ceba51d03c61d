/** Decoders at work on this thread. One of br or zstd may hold a window of megabytes, so there are not many of them. */
export const MAX_DECODERS = 64
/** Contents that have ended and wait for one to become free. */
const MAX_WAITING = 256

let working = 0
const waiting: (() => void)[] = []

export function decodersAtWork(): number {
  return working
}

/** A place for a decoder, which has to be left once. */
export function enterDecoder(): boolean {
  if (working >= MAX_DECODERS) return false
  working++
  return true
}

/** Calls back with a place, now or when one is left; false if too many wait for one. */
export function awaitDecoder(enter: () => void): boolean {
  if (enterDecoder()) enter()
  else if (waiting.length < MAX_WAITING) waiting.push(enter)
  else return false
  return true
}

export function leaveDecoder(): void {
  const next = waiting.shift()
  if (next === undefined) working--
  else next()
}
