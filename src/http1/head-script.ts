import type { EditedHead } from '../http/message.ts'
import type { HeadTemplate } from './head-template.ts'

/**
 * How a head that repeats another one goes out: pieces of text that are always the same, and runs of lines that are copied as
 * they stand in the buffer that they came in. The body's first bytes stand behind them there, and are the end of the last run.
 */
export class HeadScript {
  readonly #template: HeadTemplate
  /** Text, or undefined for a run. */
  readonly #texts: (Buffer | undefined)[] = []
  /** Of a run: its first line, and the one behind its last. */
  readonly #from: number[] = []
  readonly #to: number[] = []
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

  /** Of the head that was matched last, in bytes. */
  get length(): number {
    const { found } = this.#template
    let length = this.#textLength
    for (let i = 0; i < this.#texts.length; i++) {
      if (this.#texts[i] === undefined) length += found[this.#to[i]!]! - found[this.#from[i]!]!
    }
    return length
  }

  /** Copies the head that was matched last to the start of `target`, and `bodyLength` bytes that stand behind it. */
  copyTo(target: Buffer, buffer: Buffer, bodyLength: number): void {
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
      buffer.copy(target, at, start, end)
      at += end - start
    }
  }
}
