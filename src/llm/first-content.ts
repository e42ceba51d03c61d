/**
 * The first event of a stream that has content: text, a thought, arguments of a tool, audio. An event before it (the role, the start
 * of a message, the echo of a request) has none.
 */
import { LF } from '../http/octets.ts'

const CONTENT =
  /"(?:content|text|delta|thinking|partial_json|reasoning_content|reasoning|arguments|response|data|thought|bytes)"\s*:\s*"[^"]|"functionCall"\s*:/
/** Text that a piece may have cut before it could be recognised. */
const CARRY = 64
/** Past that, nobody waits for it any longer. */
const MAX_LOOK_BYTES = 262_144

export interface ContentSeeker {
  readonly isOver: boolean
  /** Whether it begins within this piece. */
  add(bytes: Buffer): boolean
}

export function seekContent(): ContentSeeker {
  let carry = ''
  let seen = 0
  let isOver = false
  return {
    get isOver() {
      return isOver
    },
    add(bytes) {
      const text = carry + bytes.toString('latin1', 0, Math.min(bytes.length, MAX_LOOK_BYTES))
      const isFound = CONTENT.test(text)
      carry = text.slice(-CARRY)
      seen += bytes.length
      isOver = isFound || seen >= MAX_LOOK_BYTES
      if (isOver) carry = ''
      return isFound
    },
  }
}

/** So many lines may stand behind the last content: usage, stops, `[DONE]`. */
const MAX_LINES = 24

/** Octets of a stream's end that have no content any more, and so say nothing of how many octets a token takes. */
export function bytesBehindContent(end: Buffer): number {
  let to = end.length
  for (let line = 0; line < MAX_LINES && to > 0; line++) {
    const from = end.lastIndexOf(LF, to - 1)
    if (to - from > 12 && CONTENT.test(end.toString('latin1', from + 1, to))) return end.length - to
    if (from === -1) break
    to = from
  }
  return 0
}
