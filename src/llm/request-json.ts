import {
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  isSpace,
  OPEN_ARRAY,
  OPEN_OBJECT,
  parsed,
  QUOTE,
} from './json-text.ts'
import { fromLatin1, LOOK_BYTES, type ModelSeeker } from './model-seeker.ts'

/** Longer strings are neither `model` nor a model. */
const MAX_TEXT = 512

/**
 * Follows JSON as far as it has to: depth, and strings, which are skipped by looking for their quote. A `model` counts at
 * the top alone. Octets are looked at once; nothing of them is kept but a short string that a piece has cut.
 */
export function findAtTop(): ModelSeeker {
  let seen = 0
  let depth = 0
  let text = ''
  let isInText = false
  let isTextKept = false
  let isEscaped = false
  /** The last string at the top of the object, until what follows says what it was. */
  let isName = true
  let name = ''
  let model: string | null | undefined

  const endText = (): void => {
    isInText = false
    if (depth !== 1 || !isTextKept) return
    if (isName) name = text
    else if (isModel(name)) {
      const value = parsed(`"${text}"`)
      model = typeof value === 'string' ? value : null
    }
  }

  /** Goes on in a string; returns where it ends, or the end of the piece. */
  const skipText = (bytes: Buffer, at: number, to: number): number => {
    let from = at
    while (from < to) {
      if (isEscaped) {
        isEscaped = false
        from++
        continue
      }
      const quote = bytes.indexOf(QUOTE, from)
      const end = quote === -1 || quote > to ? to : quote
      isEscaped = slashesBefore(bytes, end, from) % 2 === 1
      if (end === to) from = to
      else if (!isEscaped) {
        keep(bytes, at, end)
        endText()
        return end + 1
      } else from = end
    }
    keep(bytes, at, to)
    return to
  }
  const keep = (bytes: Buffer, from: number, to: number): void => {
    if (isTextKept && text.length + to - from > MAX_TEXT) isTextKept = false
    if (isTextKept) text += bytes.toString('latin1', from, to)
  }

  const step = (byte: number): void => {
    switch (byte) {
      case QUOTE:
        isInText = true
        isTextKept = depth === 1
        text = ''
        break
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        depth++
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        if (--depth <= 0) model = null
        break
      case COLON:
        if (depth === 1) isName = false
        break
      case COMMA:
        if (depth === 1) isName = true
        break
    }
  }

  return {
    get model() {
      return model === undefined || model === null ? model : fromLatin1(model)
    },
    add(bytes) {
      const to = Math.min(bytes.length, LOOK_BYTES - seen)
      for (let at = 0; at < to && model === undefined; ) {
        if (isInText) at = skipText(bytes, at, to)
        else {
          const byte = bytes[at++]!
          if (depth > 0) step(byte)
          else if (byte === OPEN_OBJECT) depth = 1
          else if (!isSpace(byte) && !(seen + at <= 3 && byte >= 0xbb)) model = null
        }
      }
      seen += to
      if (seen >= LOOK_BYTES && model === undefined) model = null
    },
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
