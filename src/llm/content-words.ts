import { ownText } from './own-text.ts'

/** What the type of a content says of how it is read. */
export interface ContentWords {
  /** Of a request: where its model may stand. */
  readonly ofRequest: 'json' | 'parts' | 'neither'
  /** Whether there may be documents at all; else it need not be looked at. */
  readonly mayBeRead: boolean
  readonly isStream: boolean
  /** The form of what begins with a brace; else the first octets say it. */
  readonly form: 'json' | 'lines' | 'events' | 'frames'
}

const READABLE = /^$|json|^text\/event-stream|^application\/vnd\.amazon\.eventstream/
const STREAMS =
  /^(?:text\/event-stream|application\/vnd\.amazon\.eventstream|application\/(?:x-)?ndjson|application\/stream\+json)/
const LINES = /ndjson|jsonl|json-lines|json-seq|stream\+json/

/** There are few types, and each of many answers says one. */
const remembered = new Map<string, ContentWords>()
const MAX_REMEMBERED = 64
const MAX_LENGTH = 128

export function contentWordsOf(contentType: string): ContentWords {
  const known = remembered.get(contentType)
  if (known !== undefined) return known
  const type = contentType.toLowerCase()
  const words: ContentWords = {
    ofRequest: type.startsWith('multipart/form-data')
      ? 'parts'
      : type === '' || type.includes('json')
        ? 'json'
        : 'neither',
    mayBeRead: READABLE.test(type),
    isStream: STREAMS.test(type),
    form: type.startsWith('application/vnd.amazon.eventstream')
      ? 'frames'
      : type.startsWith('text/event-stream')
        ? 'events'
        : LINES.test(type)
          ? 'lines'
          : 'json',
  }
  if (contentType.length > MAX_LENGTH) return words
  if (remembered.size >= MAX_REMEMBERED) remembered.clear()
  remembered.set(ownText(contentType), words)
  return words
}
