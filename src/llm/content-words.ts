import { remembering } from './remembering.ts'

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

const remembered = remembering(64, (contentType): ContentWords => {
  const type = contentType.toLowerCase()
  return {
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
})

export function contentWordsOf(contentType: string): ContentWords {
  return remembered(contentType)
}
