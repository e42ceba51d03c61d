import { DQUOTE } from '../http/octets.ts'
import { LOOK_BYTES, type ModelSeeker } from './model-seeker.ts'
import { TopModelSeeker } from './request-json.ts'

const NAME = Buffer.from('"model"')
/** From the name on, so much is looked at for its value. */
const REACH_BYTES = 1_024

const MAX_SPARE = 16
const spare: Buffer[] = []

/**
 * Looks for a `model` at the top of JSON without following all of it: octet by octet 64 KiB take 200 µs, the search for the name
 * 14 at most. Where the name stands, the text is followed up to there, since it may be somebody else's. Until then what has come
 * has to be held; most clients say the model first.
 */
export class ModelSearch implements ModelSeeker {
  #model: string | undefined
  #scanner: TopModelSeeker | undefined
  #held: Buffer | undefined
  #length = 0
  #searched = 0
  #scanned = 0
  /** Up to here the text has to be followed. */
  #wanted = 0
  #isOver = false

  get model(): string | null | undefined {
    const model = this.#model ?? this.#scanner?.model
    return model === undefined && this.#isOver ? null : model
  }

  add(bytes: Buffer): void {
    if (this.#isOver) return
    const piece = bytes.length <= LOOK_BYTES - this.#length ? bytes : bytes.subarray(0, LOOK_BYTES - this.#length)
    const isFirst = this.#length === 0
    if (isFirst) {
      this.#model = modelAtStart(bytes)
      if (this.#model !== undefined) {
        this.#isOver = true
        return
      }
    }
    if (!isFirst) this.#hold(piece)
    this.#length += piece.length
    this.#search(isFirst ? piece : this.#held!.subarray(0, this.#length))
    if (this.#scanner?.model !== undefined || this.#length === LOOK_BYTES) this.release()
    else if (isFirst) {
      this.#length = 0
      this.#hold(piece)
      this.#length = piece.length
    }
  }

  release(): void {
    this.#isOver = true
    if (this.#held !== undefined && spare.length < MAX_SPARE) spare.push(this.#held)
    this.#held = undefined
  }

  #hold(piece: Buffer): void {
    this.#held ??= spare.pop() ?? Buffer.allocUnsafeSlow(LOOK_BYTES)
    piece.copy(this.#held, this.#length)
  }

  #search(all: Buffer): void {
    for (;;) {
      const to = Math.min(this.#wanted, all.length)
      if (this.#scanned < to) {
        this.#scanner ??= new TopModelSeeker()
        this.#scanner.add(all.subarray(this.#scanned, to))
        this.#scanned = to
      }
      const at = this.#scanner?.model === undefined ? all.indexOf(NAME, this.#searched) : -1
      if (at === -1) break
      this.#searched = at + 1
      this.#wanted = at + REACH_BYTES
    }
    // The name may be cut.
    this.#searched = Math.max(this.#searched, all.length - NAME.length + 1)
  }
}

const STARTS = ['{"model":"', '{"model": "']
const MAX_LENGTH = 256

/** Where the official clients have it: nothing has to be followed then. Undefined: it has to be looked for. */
function modelAtStart(bytes: Buffer): string | undefined {
  const beginning = bytes.toString('latin1', 0, 11)
  const start = STARTS.find((one) => beginning.startsWith(one))
  if (start === undefined) return undefined
  const end = bytes.indexOf(DQUOTE, start.length)
  if (end === -1 || end - start.length > MAX_LENGTH) return undefined
  const model = bytes.toString('utf8', start.length, end)
  // An escape, or what no text in JSON may have.
  return /[\\\u0000-\u001f]/.test(model) ? undefined : model
}
