import type { EditedHead, RepeatedHead } from '../http/message.ts'
import { NO_BYTES } from '../runtime/outlet.ts'
import type { HeadTemplate } from './head-template.ts'

/**
 * How a head that repeats another one goes out: pieces of text that are always the same, and runs of lines that are copied as
 * they stand in the buffer that they came in. The body's first bytes stand behind them there, and are the end of the last run.
 */
export class HeadScript implements RepeatedHead {
  readonly #template: HeadTemplate
  /** Text, or undefined for a run. */
  readonly #texts: (Buffer | undefined)[] = []
  /** Of a run: its first line, and the one behind its last. */
  readonly #from: number[] = []
  readonly #to: number[] = []
  /** Where the head stands that was matched last, until it has gone on. */
  #buffer: Buffer = NO_BYTES
  #textLength = 0
  #pending = ''

  constructor(template: HeadTemplate, { startLine, lines, edits, appended }: EditedHead) {
    this.#template = template
    let from = 1
    if (startLine === undefined) from = 0
    else this.#pending = startLine
    for (const [index, line] of lines.entries()) {
      const edit = edits[index]
      if (edit === undefined) continue
      const at = template.lineAt(line.start)
      this.#addRun(from, at)
      this.#pending += edit
      from = at + 1
    }
    const last = template.count
    if (appended === '') this.#addRun(from, last)
    else {
      this.#addRun(from, last - 1)
      this.#pending += appended
      this.#addRun(last - 1, last)
    }
  }

  #addRun(from: number, to: number): void {
    if (from === to) return
    if (this.#pending !== '') {
      // Not from Node's pool: it stays with an idle connection, and would keep all of that.
      const text = Buffer.allocUnsafeSlow(this.#pending.length)
      text.write(this.#pending, 'latin1')
      this.#add(text, 0, 0)
      this.#textLength += text.length
      this.#pending = ''
    }
    this.#add(undefined, from, to)
  }

  #add(text: Buffer | undefined, from: number, to: number): void {
    this.#texts.push(text)
    this.#from.push(from)
    this.#to.push(to)
  }

  /** The head that was matched last stands there. */
  begin(buffer: Buffer): void {
    this.#buffer = buffer
  }

  /** It has gone on: its buffer is for others. */
  end(): void {
    this.#buffer = NO_BYTES
  }

  get length(): number {
    const { found } = this.#template
    let length = this.#textLength
    for (let i = 0; i < this.#texts.length; i++) {
      if (this.#texts[i] === undefined) length += found[this.#to[i]!]! - found[this.#from[i]!]!
    }
    return length
  }

  copyTo(target: Buffer, bodyLength: number): void {
    const { found } = this.#template
    const last = this.#texts.length - 1
    let at = 0
    for (let i = 0; i <= last; i++) {
      const text = this.#texts[i]
      if (text !== undefined) {
        target.set(text, at)
        at += text.length
        continue
      }
      const start = found[this.#from[i]!]!
      const end = found[this.#to[i]!]! + (i === last ? bodyLength : 0)
      this.#buffer.copy(target, at, start, end)
      at += end - start
    }
  }

  text(): string {
    const bytes = Buffer.allocUnsafe(this.length)
    this.copyTo(bytes, 0)
    return bytes.toString('latin1')
  }
}
