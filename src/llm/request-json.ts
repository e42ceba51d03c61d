import { BACKSLASH, COLON, DQUOTE } from '../http/octets.ts'
import { CLOSE_ARRAY, CLOSE_OBJECT, COMMA, isSpace, OPEN_ARRAY, OPEN_OBJECT, parsed } from './json-text.ts'
import { fromLatin1, LOOK_BYTES } from './model-seeker.ts'

/** Longer strings are neither `model` nor a model. */
const MAX_TEXT = 512

/**
 * Follows JSON as far as it has to: depth, and strings, which are skipped by looking for their quote. A `model` counts at
 * the top alone. Octets are looked at once; nothing of them is kept but a short string that a piece has cut.
 */
export class TopModelSeeker {
  #model: string | null | undefined
  #seen = 0
  #depth = 0
  #isInText = false
  #isEscaped = false
  /** The string that goes on, if it stands at the top of the object and is short. */
  #text = ''
  #isTextKept = false
  /** A string at the top is a name until a colon follows, and then the value of `#name`. */
  #isName = true
  #name = ''

  /** Undefined as long as it may still come; null once it cannot any more. */
  get model(): string | null | undefined {
    return this.#model
  }

  add(bytes: Buffer): void {
    const to = Math.min(bytes.length, LOOK_BYTES - this.#seen)
    for (let at = 0; at < to && this.#model === undefined; ) {
      if (this.#isInText) at = this.#skipText(bytes, at, to)
      else {
        const byte = bytes[at++]!
        if (this.#depth > 0) this.#step(byte)
        else if (byte === OPEN_OBJECT) this.#depth = 1
        else if (!isSpace(byte) && !(this.#seen + at <= 3 && byte >= 0xbb)) this.#model = null
      }
    }
    this.#seen += to
    if (this.#seen >= LOOK_BYTES) this.#model ??= null
  }

  #step(byte: number): void {
    if (byte === DQUOTE) {
      this.#isInText = true
      this.#isTextKept = this.#depth === 1
      this.#text = ''
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#depth++
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (--this.#depth === 0) this.#model = null
    } else if (this.#depth === 1 && (byte === COLON || byte === COMMA)) this.#isName = byte === COMMA
  }

  /** Goes on in a string; returns where it ends, or the end of the piece. */
  #skipText(bytes: Buffer, at: number, to: number): number {
    let from = at
    while (from < to) {
      if (this.#isEscaped) {
        this.#isEscaped = false
        from++
        continue
      }
      const quote = bytes.indexOf(DQUOTE, from)
      const end = quote === -1 || quote > to ? to : quote
      this.#isEscaped = slashesBefore(bytes, end, from) % 2 === 1
      if (end < to && !this.#isEscaped) {
        this.#keep(bytes, at, end)
        this.#endText()
        return end + 1
      }
      from = end
    }
    this.#keep(bytes, at, to)
    return to
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.#text.length + to - from > MAX_TEXT) this.#isTextKept = false
    if (this.#isTextKept) this.#text += bytes.toString('latin1', from, to)
  }

  #endText(): void {
    this.#isInText = false
    if (this.#depth !== 1 || (!this.#isTextKept && this.#isName)) return
    if (this.#isName) this.#name = this.#text
    else if (isModel(this.#name)) {
      const value = this.#isTextKept ? parsed(`"${fromLatin1(this.#text)}"`) : undefined
      this.#model = typeof value === 'string' ? value : null
    }
  }
}

function isModel(raw: string): boolean {
  return raw === 'model' || (raw.includes('\\u') && parsed(`"${raw}"`) === 'model')
}

function slashesBefore(bytes: Uint8Array, at: number, from: number): number {
  let first = at
  while (first > from && bytes[first - 1] === BACKSLASH) first--
  return at - first
}
