/**
 * Memory that small pieces are copied to in order to be written: one slab for each size.
 *
 * A slab is used from its start, again and again, as long as the kernel takes at once what is written from it. If it does not,
 * the slab belongs to that write, and another one takes its place; so a slab holds the bytes of one write, and what stays
 * behind costs at most twice what it is long (and a kibibyte at least).
 *
 *     current ──copied into, written whole──▶ current
 *     current ──kept by its write──▶ kept ──the write is done──▶ spare ──▶ current
 */

const SMALLEST_BYTES = 1_024
const SMALLEST_EXPONENT = 10
/** Sizes double up to this one, and go on by steps of it. */
const STEP_BYTES = 8_192
const DOUBLINGS = 3
/** Spare slabs of one size hold so many bytes together; more are left to the garbage collector. */
const MAX_SPARE_BYTES = 524_288
/** Views of a slab up to this length are kept, so that writing from it allocates nothing. */
const MAX_VIEWED_BYTES = 2_048

interface Slab {
  readonly memory: Buffer
  /** By length; of the first slab of a size alone, which is the only one as long as the kernel takes everything. */
  readonly views: (Buffer | undefined)[] | undefined
  /** Of the others, the last view: what TLS writes, which takes nothing at once, is often as long as what it wrote before. */
  last: Buffer
}

interface Size {
  readonly bytes: number
  current: Slab
  readonly spare: Slab[]
}

const sizes: (Size | undefined)[] = []

function sizeOf(length: number): Size {
  if (length > STEP_BYTES) {
    const steps = Math.ceil(length / STEP_BYTES)
    return (sizes[DOUBLINGS + steps - 1] ??= newSize(steps * STEP_BYTES))
  }
  const doublings = length <= SMALLEST_BYTES ? 0 : 32 - Math.clz32(length - 1) - SMALLEST_EXPONENT
  return (sizes[doublings] ??= newSize(SMALLEST_BYTES << doublings))
}

function newSize(bytes: number): Size {
  return { bytes, current: newSlab(bytes, []), spare: [] }
}

function newSlab(bytes: number, views?: (Buffer | undefined)[]): Slab {
  const memory = Buffer.allocUnsafeSlow(bytes)
  return { memory, views, last: memory }
}

/** So much of a slab, to be filled and written at once, and then either forgotten or kept. */
export function slabOf(length: number): Buffer {
  const { current } = sizeOf(length)
  const { memory, views } = current
  if (views !== undefined && length <= MAX_VIEWED_BYTES) return (views[length] ??= memory.subarray(0, length))
  if (current.last.length !== length) current.last = memory.subarray(0, length)
  return current.last
}

/** Latin-1 text and `buffer[start..end)` behind it, in a slab. */
export function copyToSlab(text: string, buffer: Buffer, start: number, end: number): Buffer {
  const slab = slabOf(text.length + end - start)
  if (text !== '') slab.write(text, 0, 'latin1')
  if (end > start) buffer.copy(slab, text.length, start, end)
  return slab
}

/** The write of what was copied last goes on: its slab is not touched until the result is called. */
export function keepSlab(length: number): () => void {
  const size = sizeOf(length)
  const kept = size.current
  size.current = size.spare.pop() ?? newSlab(size.bytes)
  return () => {
    if ((size.spare.length + 1) * size.bytes <= MAX_SPARE_BYTES) size.spare.push(kept)
  }
}
