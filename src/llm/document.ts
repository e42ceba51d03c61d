import { type Level, readBeginning } from './json-beginning.ts'
import { readEnding } from './json-ending.ts'
import { isSpace, parsed, skipSpace, valueIn } from './json-text.ts'
import { memberOf } from './usage.ts'

/** A JSON text of an answer, as far as it is at hand: all of it, or one end. It is valid as long as the octets are. */
export interface Document {
  /** All of it is there, and it is JSON. */
  readonly isWhole: boolean
  /** Its end is at hand: nothing of it has broken off there. */
  readonly isEnded: boolean
  /** What stands at the end of this path of names, undefined if nothing does (or it is not at hand). Position counts. */
  get(name: string, inner?: string, innermost?: string): unknown
}

/** A document that is a value already. */
export function documentOf(value: unknown): Document {
  return {
    isWhole: true,
    isEnded: true,
    get: (name, inner, innermost) => walk(memberOf(value, name), inner, innermost),
  }
}

/** A whole text; one that breaks off is read as far as it goes. It is parsed when it is first asked. */
export function wholeDocument(bytes: Buffer, from: number, to: number): Document {
  return new TextDocument(bytes, from, to)
}

class TextDocument implements Document {
  readonly #bytes: Buffer
  readonly #from: number
  readonly #to: number
  #value: object | undefined
  #beginning: Document | undefined

  constructor(bytes: Buffer, from: number, to: number) {
    this.#bytes = bytes
    this.#from = from
    this.#to = to
  }

  get isWhole(): boolean {
    this.#parse()
    return this.#value !== undefined
  }

  get isEnded(): boolean {
    return this.isWhole
  }

  get(name: string, inner?: string, innermost?: string): unknown {
    this.#parse()
    if (this.#beginning !== undefined) return this.#beginning.get(name, inner, innermost)
    return walk(memberOf(this.#value, name), inner, innermost)
  }

  #parse(): void {
    if (this.#value !== undefined || this.#beginning !== undefined) return
    const value = parsed(this.#bytes.toString('utf8', this.#from, this.#to))
    if (typeof value === 'object' && value !== null) this.#value = value
    else this.#beginning = beginningOf(this.#bytes, this.#from, this.#to)
  }
}

function walk(value: unknown, inner: string | undefined, innermost: string | undefined): unknown {
  if (inner === undefined) return value
  const next = memberOf(value, inner)
  return innermost === undefined ? next : memberOf(next, innermost)
}

/** A text of which only the beginning is at hand. */
export function beginningOf(bytes: Buffer, from: number, to: number): Document {
  return cutDocument(bytes, readBeginning(bytes, from, to)?.levels, false)
}

/** A text of which only the end is at hand, or all of it with something before it. */
export function endingOf(bytes: Buffer, from: number, to: number): Document {
  const ending = readEnding(bytes, from, to)
  if (ending !== undefined && ending.start !== -1) return wholeDocument(bytes, ending.start, to)
  return cutDocument(bytes, ending?.levels, ending !== undefined)
}

/** The objects of an outermost array that breaks off behind what is here; the last one may be a beginning. */
export function firstElements(bytes: Buffer, from: number, to: number): Document[] {
  const beginning = readBeginning(bytes, from, to)
  if (beginning === undefined) return []
  const documents = beginning.elements.map((span) => wholeDocument(bytes, span.from, span.to))
  if (beginning.end === -1) documents.push(cutDocument(bytes, beginning.levels.slice(1), false))
  return documents
}

/** The objects of an outermost array that begins before what is here, the last one first. */
export function lastElements(bytes: Buffer, from: number, to: number): Document[] {
  const ending = readEnding(bytes, from, to)
  if (ending === undefined || !ending.levels[0]!.isArray) return []
  const documents = ending.elements.map((span) => wholeDocument(bytes, span.from, span.to))
  if (ending.start === -1) documents.push(cutDocument(bytes, ending.levels.slice(1), true))
  return documents
}

/** Whether a text is one value from its beginning to its end. */
export function isOneValue(bytes: Buffer, from: number, to: number): boolean {
  const end = readBeginning(bytes, from, to)?.end ?? -1
  return end !== -1 && skipSpace(bytes, end, to) === to
}

/** Whether a text that began elsewhere ends here as JSON does. */
export function endsAsJson(bytes: Buffer, from: number, to: number): boolean {
  return readEnding(bytes, from, to) !== undefined
}

/**
 * At a beginning the names on the way in are known. At an end they are not: there, what stands at the right depth below objects
 * alone is taken for it, unless the outer member is at hand itself.
 */
function cutDocument(bytes: Buffer, levels: readonly Level[] = [], isEnded: boolean): Document {
  return {
    isWhole: false,
    isEnded,
    get: (...path) => {
      for (const [depth, name] of path.entries()) {
        const level = levels[depth]
        if (name === undefined || level === undefined || level.isArray) return undefined
        const span = level.members.get(name)
        if (span !== undefined) return walk(valueIn(bytes, span), path[depth + 1], path[depth + 2])
        if (level.inner !== undefined && level.inner !== name) return undefined
      }
      return undefined
    },
  }
}

/** Where JSON goes on behind its first value: the start of what follows, or -1. */
export function secondValue(bytes: Buffer, from: number, to: number): number {
  const end = readBeginning(bytes, from, to)?.end ?? -1
  if (end === -1) return -1
  const next = skipSpace(bytes, end, to)
  return next < to && !isSpace(bytes[next]!) ? next : -1
}
