/**
 * The Huffman code of HPACK (RFC 7541 appendix B). It is canonical: codes of one length go up with their octets, and the first one
 * of a length follows the last one of the length before. So the lengths say all of it.
 */

/** Of the octets 0 to 255, and of the end of a string. */
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
]
const END_OF_STRING = 256
const SHORTEST = 5
const LONGEST = 30

/**
 * The tree of the code, walked four bits at a time. No code is shorter than five bits, so four bits end one octet at most. A step
 * is the next node, with the octet above it if one has ended.
 */
const NODES = 256
const STEP_NODE = 0xff
const STEP_HAS_OCTET = 0x10000
const STEP_FAILED = -1
const STEPS = new Int32Array(NODES * 16)
/** Nodes where a string may end: what is left is the beginning of the end's code, which is ones, and shorter than an octet. */
const MAY_END = new Uint8Array(NODES)

build()

function build(): void {
  const children: [number, number][] = [[0, 0]]
  let code = 0
  for (let length = SHORTEST; length <= LONGEST; length++) {
    for (let octet = 0; octet <= END_OF_STRING; octet++) {
      if (LENGTHS[octet] === length) insert(children, code++, length, octet)
    }
    code *= 2
  }
  for (let node = 0; node < children.length; node++) {
    for (let bits = 0; bits < 16; bits++) STEPS[node * 16 + bits] = walk(children, node, bits)
  }
  let node = 0
  for (let depth = 0; depth < 8; depth++) {
    MAY_END[node] = 1
    node = children[node]![1]
  }
}

/** A leaf is the octet's complement, so that it is below zero. */
function insert(children: [number, number][], code: number, length: number, octet: number): void {
  let node = 0
  for (let bit = length - 1; bit >= 0; bit--) {
    const way = Math.floor(code / 2 ** bit) % 2
    if (bit === 0) children[node]![way] = ~octet
    else {
      if (children[node]![way] === 0) children[node]![way] = children.push([0, 0]) - 1
      node = children[node]![way]!
    }
  }
}

function walk(children: readonly [number, number][], from: number, bits: number): number {
  let node = from
  let found = 0
  for (let bit = 3; bit >= 0; bit--) {
    node = children[node]![(bits >> bit) & 1]!
    if (node >= 0) continue
    if (~node === END_OF_STRING) return STEP_FAILED
    found = STEP_HAS_OCTET | (~node << 8)
    node = 0
  }
  return found | node
}

/**
 * Decodes `buffer[start..end)` to `target[0..]`, which must have room for what five bits each can say. Returns how many octets that
 * are; -1: not encoded properly (RFC 7541 section 5.2).
 */
export function decodeHuffman(buffer: Buffer, start: number, end: number, target: Buffer): number {
  let node = 0
  let length = 0
  for (let at = start; at < end; at++) {
    const octet = buffer[at]!
    const first = STEPS[node * 16 + (octet >> 4)]!
    if (first === STEP_FAILED) return -1
    if (first >= STEP_HAS_OCTET) target[length++] = first >> 8
    const second = STEPS[(first & STEP_NODE) * 16 + (octet & 15)]!
    if (second === STEP_FAILED) return -1
    if (second >= STEP_HAS_OCTET) target[length++] = second >> 8
    node = second & STEP_NODE
  }
  return MAY_END[node] === 1 ? length : -1
}
