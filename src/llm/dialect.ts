import type { Content } from './content.ts'
import type { Document } from './document.ts'
import { type Counts, isSound, type JsonObject, objectOf } from './usage.ts'

/** A way to say usage: where it stands, and what its words mean. */
export interface Dialect {
  /** Whether requests to this path are answered in it, as far as the path alone says. */
  readonly path: RegExp
  /** Whether this document of an answer is in it, by its shape. */
  knows(document: Document): boolean
  read(content: Content, field: FieldOf): Found
}

/** A field of the answer's head, by its name in lower case. */
export type FieldOf = (name: string) => string | undefined

export interface Found {
  /** Undefined if nothing was said. */
  readonly counts: Counts | undefined
  /** Something stood where usage should, and none of it counts. */
  readonly isUnsound: boolean
  readonly model: unknown
  /** Tokens are spent on answers like this one, said or not. */
  readonly isAnswer: boolean
  /**
   * `final`: the provider said that it ends here. `counted`: the numbers are the last ones if the message is whole.
   * `open`: there would have been more.
   */
  readonly end: 'final' | 'counted' | 'open'
  /** The last event is so large that only its end is known, and usage was not in it. */
  readonly isOutOfReach: boolean
  /** Its last events repeat the answer, so that they are no measure of it. */
  readonly isRepeated?: boolean
}

export const NOTHING_FOUND: Found = {
  counts: undefined,
  isUnsound: false,
  model: undefined,
  isAnswer: false,
  end: 'counted',
  isOutOfReach: false,
}

/** What one or several usage objects come to. */
export interface Said {
  readonly counts: Counts | undefined
  readonly isUnsound: boolean
}

export const UNSAID: Said = { counts: undefined, isUnsound: false }

/** A path of names. */
export type Place = readonly [name: string, inner?: string, innermost?: string]

/** The last usage in which something counts, of these places in these documents (the last document first). */
export function lastUsage(
  documents: readonly Document[],
  places: readonly Place[],
  normalise: (usage: JsonObject) => Counts,
): Said {
  let isUnsound = false
  for (const document of documents) {
    for (const [name, inner, innermost] of places) {
      const value = document.get(name, inner, innermost)
      if (value === undefined || value === null) continue
      const usage = objectOf(value)
      const counts = usage === undefined ? undefined : normalise(usage)
      if (counts !== undefined && isSound(counts)) return { counts, isUnsound: false }
      // An object in which nothing stands says nothing.
      isUnsound ||= usage === undefined || Object.values(usage).some((one) => one !== null)
    }
  }
  return { counts: undefined, isUnsound }
}

/** The last value of each name that is not null: running totals may leave out what has not changed. */
export function merged(newestFirst: readonly JsonObject[]): JsonObject {
  const all: Record<string, unknown> = Object.create(null)
  for (const usage of newestFirst.toReversed()) {
    for (const [name, value] of Object.entries(usage)) if (value !== null) all[name] = value
  }
  return { ...all }
}

/** The first of these documents that says something at this place. */
export function firstAt(documents: readonly Document[], ...path: Place): unknown {
  for (const document of documents) {
    const value = document.get(...path)
    if (value !== undefined && value !== null) return value
  }
  return undefined
}

/** The first model that these documents name; Azure's first chunk has an empty one. */
export function modelAt(documents: readonly Document[], ...path: Place): string | undefined {
  for (const document of documents) {
    const model = document.get(...path)
    if (typeof model === 'string' && model !== '') return model
  }
  return undefined
}

export function textAt(document: Document, ...path: Place): string {
  const value = document.get(...path)
  return typeof value === 'string' ? value : ''
}

export function hasError(document: Document | undefined): boolean {
  const error = document?.get('error')
  return error !== undefined && error !== null
}
