/** A set of texts that threads share, as large as is said at its beginning: texts come from outside, and shall fill no memory. */

/** Of each text stand 32 bits: of a thousand texts, two are taken for one with a chance of one in eight thousand. */
const COUNT = 0
const FIRST = 1

export function createTextSet(capacity: number): SharedArrayBuffer {
  // Half of the slots stay empty, so that there is one to end each search.
  return new SharedArrayBuffer((FIRST + 2 * capacity) * Int32Array.BYTES_PER_ELEMENT)
}

/** `full`: it is not in the set, and there is no room for it. */
export type Added = 'new' | 'known' | 'full'

export function addToTextSet(set: SharedArrayBuffer, text: string): Added {
  const words = new Int32Array(set)
  const slots = words.length - FIRST
  const hash = hashOf(text)
  for (let at = (hash >>> 0) % slots; ; at = (at + 1) % slots) {
    let found = Atomics.load(words, FIRST + at)
    if (found === 0) {
      if (Atomics.load(words, COUNT) >= slots / 2) return 'full'
      found = Atomics.compareExchange(words, FIRST + at, 0, hash)
      if (found === 0) {
        Atomics.add(words, COUNT, 1)
        return 'new'
      }
    }
    if (found === hash) return 'known'
  }
}

/** FNV-1a of its UTF-16, never 0. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5 | 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash === 0 ? 1 : hash
}
