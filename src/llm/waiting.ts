import { COLON, isSpace } from './json-text.ts'

const LF = 0x0a
const CR = 0x0d

/**
 * Passes over what comes while a request waits for its turn: blank lines, comments of an event stream, a byte order mark. All of
 * it would fill the head of what is kept, and says nothing. Pieces may be cut anywhere.
 */
export class Waiting {
  #isComment = false

  /** Where the first octet of something else is; the length if there is none yet. */
  skip(piece: Buffer): number {
    for (let at = 0; at < piece.length; at++) {
      if (this.#isComment) {
        at = endOfLine(piece, at)
        this.#isComment = at === piece.length
      } else if (piece[at] === COLON) this.#isComment = true
      else if (!isSpace(piece[at]!) && !isMark(piece[at]!)) return at
    }
    return piece.length
  }
}

function endOfLine(piece: Buffer, from: number): number {
  let at = from
  while (at < piece.length && piece[at] !== LF && piece[at] !== CR) at++
  return at
}

/** An octet of U+FEFF, none of which begins anything. */
function isMark(byte: number): boolean {
  return byte === 0xef || byte === 0xbb || byte === 0xbf
}
