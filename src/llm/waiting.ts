import { COLON, CR, LF } from '../http/octets.ts'
import { isSpace } from './json-text.ts'

/**
 * Passes over what comes while a request waits for its turn: blank lines, comments of an event stream, a byte order mark. All of
 * it would fill the head of what is kept, and says nothing. Pieces may be cut anywhere.
 */
export class Waiting {
  #isComment = false

  /** Where in `piece[start..end)` the first octet of something else is; the end if there is none yet. */
  skip(piece: Buffer, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      if (this.#isComment) {
        at = endOfLine(piece, at, end)
        this.#isComment = at === end
      } else if (piece[at] === COLON) this.#isComment = true
      else if (!isSpace(piece[at]!) && !isMark(piece[at]!)) return at
    }
    return end
  }
}

function endOfLine(piece: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && piece[at] !== LF && piece[at] !== CR) at++
  return at
}

/** An octet of U+FEFF, none of which begins anything. */
function isMark(byte: number): boolean {
  return byte === 0xef || byte === 0xbb || byte === 0xbf
}
