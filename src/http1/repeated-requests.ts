import { FIELD, isCredentialField, isOfResponses } from '../http/fields.ts'
import type { Clearance, FieldLine, RequestHead, Writable } from '../http/message.ts'
import { HeadScript } from './head-script.ts'
import { HeadTemplate, isRepeatable, MAY_DIFFER, type MayDiffer } from './head-template.ts'
import { Patience } from './patience.ts'

/**
 * Knows the request head of a connection that was let through last, and recognises its repetitions: they are not parsed, no key is
 * looked up, and what goes upstream is copied from the bytes that came.
 */
export class RepeatedRequests {
  /** The head that was let through. */
  #known: RequestHead | undefined = undefined
  #template: HeadTemplate | undefined = undefined
  #script: HeadScript | undefined = undefined
  #head: Writable<RequestHead> | undefined = undefined
  readonly #patience = new Patience()

  /** This head has been let through. That it was costs nothing before another one comes. */
  learn(head: RequestHead): void {
    const mayRepeat = isRepeatable(head.end, head.contentLengthText) && this.#patience.isWorthwhile()
    this.#remember(mayRepeat ? head : undefined)
  }

  #remember(head: RequestHead | undefined): void {
    this.#known = head
    this.#template = undefined
    this.#script = undefined
    this.#head = undefined
  }

  /** The head that was recognised last: one object for all of them, until the next one is read or learned. */
  get head(): RequestHead {
    return this.#head!
  }

  /** The head that was recognised last has gone on: its buffer is for others. */
  forget(): void {
    this.#script?.end()
  }

  /** Where a head that begins at `buffer[start]` ends, if it repeats the one that was let through and what was decided about that holds; else -1. */
  read(buffer: Buffer, start: number, end: number): number {
    const known = this.#known
    if (known === undefined) return -1
    const clearance = known.clearance!
    if (!clearance.isInForce()) {
      this.#remember(undefined)
      return -1
    }
    const template = (this.#template ??= templateOf(known, clearance))
    const at = template.match(buffer, start, end)
    if (at === -1 || !admitsAll(template, buffer, clearance)) {
      this.#patience.lose()
      return -1
    }
    this.#patience.win()
    this.#script ??= new HeadScript(template, clearance.edited)
    this.#script.begin(buffer)
    this.#head ??= { ...known, repeated: this.#script }
    if (this.#head.contentLength !== template.contentLength) tellLength(this.#head, template.contentLength!)
    return at
  }
}

function tellLength(head: Writable<RequestHead>, contentLength: number): void {
  head.contentLength = contentLength
  head.contentLengthText = String(contentLength)
  head.framing = contentLength === 0 ? 'none' : 'length'
}

function templateOf({ text, end, lines, contentLength }: RequestHead, clearance: Clearance): HeadTemplate {
  return new HeadTemplate(
    text.slice(0, end),
    contentLength,
    lines,
    (line: FieldLine | undefined, start: number): MayDiffer => {
      if (line?.field === FIELD.contentLength) return MAY_DIFFER.length
      if (line !== undefined && !isOfResponses(line.field))
        return isCredentialField(line.field) ? MAY_DIFFER.secret : MAY_DIFFER.nothing
      const name = text.slice(start, text.indexOf(':', start)).toLowerCase()
      return clearance.ignores(name) ? MAY_DIFFER.value : MAY_DIFFER.secret
    },
  )
}

function admitsAll(template: HeadTemplate, buffer: Buffer, clearance: Clearance): boolean {
  const { different, differentCount } = template
  for (let i = 0; i < differentCount; i++) if (!clearance.admits(template.lineOf(different[i]!, buffer))) return false
  return true
}
