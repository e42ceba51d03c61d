const SILENCE_S = 60

/** When it was said last, in seconds, and how often it would have been said since. */
const WORDS = 2

/** Memory for so many things that threads say together no more than once a minute. */
export function createNotices(count: number): SharedArrayBuffer {
  return new SharedArrayBuffer(count * WORDS * Int32Array.BYTES_PER_ELEMENT)
}

/**
 * What would be said again and again while it lasts.
 *
 * @param say `count`: how often it has been the case since it was said last, this time included
 * @param notices for what several threads say: the same memory for all of them, and the number of this thing in it
 */
export function onceAMinute<What>(
  say: (what: What, count: number) => void,
  notices: SharedArrayBuffer = createNotices(1),
  number = 0,
): (what: What) => void {
  const words = new Int32Array(notices, number * WORDS * Int32Array.BYTES_PER_ELEMENT, WORDS)
  return (what) => {
    Atomics.add(words, 1, 1)
    // Each thread has a `performance.now` of its own; this clock is the same for all, and never 0.
    const now = process.hrtime()[0] + 1
    const last = Atomics.load(words, 0)
    if (last !== 0 && now - last < SILENCE_S) return
    if (Atomics.compareExchange(words, 0, last, now) === last) say(what, Atomics.exchange(words, 1, 0))
  }
}
