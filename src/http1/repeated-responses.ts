import { FIELD, isIdField } from '../http/fields.ts'
import type { FieldLine, ResponseHead, Writable } from '../http/message.ts'
import { editResponseHead } from './encoder.ts'
import { HeadScript } from './head-script.ts'
import { HeadTemplate, isRepeatable, MAY_DIFFER, type MayDiffer } from './head-template.ts'
import { isId } from './parse-response.ts'
import { Patience } from './patience.ts'

/** Knows the final response head of a connection that came last, and recognises its repetitions, as `RepeatedRequests` does. */
export class RepeatedResponses {
  #known: ResponseHead | undefined = undefined
  #isHead = false
  #template: HeadTemplate | undefined = undefined
  #script: HeadScript | undefined = undefined
  /** The line of its request id; -1: none. */
  #idLine = -1
  #head: Writable<ResponseHead> | undefined = undefined
  readonly #patience = new Patience()

  /** The head that was recognised last: one object for all of them, until the next one is read or learned. */
  get head(): ResponseHead {
    return this.#head!
  }

  /** This head was the answer to a request of this method. */
  learn(head: ResponseHead, method: string): void {
    const mayRepeat = !head.endsConnection && isRepeatable(head.end, head.contentLengthText)
    this.#known = mayRepeat && this.#patience.isWorthwhile() ? head : undefined
    this.#isHead = method === 'HEAD'
    this.#template = undefined
    this.#script = undefined
    this.#head = undefined
  }

  /** The head that was recognised last has gone on: its buffer is for others. */
  forget(): void {
    this.#script?.end()
  }

  /** Where a head that begins at `buffer[start]` ends, if it repeats the one before it; else -1. */
  read(buffer: Buffer, start: number, end: number, method: string): number {
    const known = this.#known
    if (known === undefined || this.#isHead !== (method === 'HEAD')) return -1
    const template = (this.#template ??= this.#prepare(known))
    const at = template.match(buffer, start, end)
    if (at === -1 || !this.#tell(known, template, buffer)) {
      this.#patience.lose()
      return -1
    }
    this.#patience.win()
    this.#script!.begin(buffer)
    return at
  }

  #prepare(head: ResponseHead): HeadTemplate {
    const idLine = head.requestIdLine
    const template = new HeadTemplate(
      head.text.slice(0, head.end),
      head.contentLengthText === undefined ? undefined : head.contentLength,
      head.lines,
      (line: FieldLine | undefined): MayDiffer => {
        if (line === undefined || line === idLine || isLesserId(line, idLine)) return MAY_DIFFER.value
        const isLength = line.field === FIELD.contentLength && head.framing === 'length'
        return isLength ? MAY_DIFFER.length : MAY_DIFFER.nothing
      },
    )
    this.#idLine = idLine === undefined ? -1 : template.lineAt(idLine.start)
    this.#script = new HeadScript(template, editResponseHead(head, false))
    return template
  }

  /** Whether the head that was matched can be told as one; then it is `head`. */
  #tell(known: ResponseHead, template: HeadTemplate, buffer: Buffer): boolean {
    const head = (this.#head ??= { ...known, repeated: this.#script })
    const contentLength = template.contentLength ?? known.contentLength
    // A length of nothing is framed in another way.
    if (contentLength === 0 && known.contentLength !== 0) return false
    if (contentLength !== head.contentLength) {
      head.contentLength = contentLength
      head.contentLengthText = String(contentLength)
    }
    if (this.#idLine === -1) return true
    head.requestId = template.valueOf(this.#idLine, buffer).replace(OWS, '')
    return isId(head.requestId, 0, head.requestId.length)
  }
}

/** An id that does not count beside the one that does, whatever it says: see `isBetterId`. */
function isLesserId({ field, start }: FieldLine, idLine: FieldLine | undefined): boolean {
  if (idLine === undefined || !isIdField(field)) return false
  return field > idLine.field || (field === idLine.field && start > idLine.start)
}

/** White space around a field value. */
const OWS = /^[ \t]+|[ \t]+$/g
